#include "durascribe/store/sqlite/json.h"

#include <utility>

#include <boost/json.hpp>

namespace durascribe::store {
namespace {

namespace json = boost::json;

std::string text_of(const json::value& v) {
    return std::string(std::string_view(v.as_string()));
}
json::string_view view(std::string_view s) {
    return {s.data(), s.size()};
}
Millis millis_of(const json::value& v) {
    return Millis{v.to_number<std::int64_t>()};
}
json::value parse(std::string_view text) {
    return json::parse(view(text));
}

}  // namespace

std::string to_json(const domain::TaskOptions& options) {
    json::object o{{"engine", options.engine},     {"model", options.model},
                   {"language", options.language}, {"diarize", options.diarize},
                   {"from_url", options.from_url}, {"priority", options.priority}};
    if (options.audio_track) {
        o["audio_track"] = *options.audio_track;
    }
    if (options.from_step) {
        o["from_step"] = view(to_string(*options.from_step));
    }
    return json::serialize(o);
}

domain::TaskOptions task_options_from_json(std::string_view text) {
    const json::value parsed = parse(text);
    const json::object& o = parsed.as_object();
    domain::TaskOptions options;
    options.engine = text_of(o.at("engine"));
    options.model = text_of(o.at("model"));
    options.language = text_of(o.at("language"));
    options.diarize = o.at("diarize").as_bool();
    options.from_url = o.at("from_url").as_bool();
    options.priority = o.at("priority").to_number<int>();
    if (const json::value* track = o.if_contains("audio_track")) {
        options.audio_track = track->to_number<int>();
    }
    if (const json::value* step = o.if_contains("from_step")) {
        options.from_step = domain::step_from(text_of(*step));
    }
    return options;
}

std::string to_json(const domain::MediaInfo& info) {
    json::array tracks;
    for (const domain::AudioTrack& t : info.audio_tracks) {
        tracks.push_back(json::object{{"index", t.index},
                                      {"codec", t.codec},
                                      {"language", t.language},
                                      {"title", t.title},
                                      {"channels", t.channels},
                                      {"sample_rate_hz", t.sample_rate_hz},
                                      {"is_default", t.is_default}});
    }
    json::array warnings;
    for (const std::string& w : info.warnings) {
        warnings.emplace_back(w);
    }
    return json::serialize(json::object{{"container", info.container},
                                        {"duration_ms", info.duration.count()},
                                        {"has_video", info.has_video},
                                        {"audio_tracks", std::move(tracks)},
                                        {"chosen_track", info.chosen_track},
                                        {"loudness_lufs", info.loudness_lufs},
                                        {"peak_dbfs", info.peak_dbfs},
                                        {"warnings", std::move(warnings)}});
}

domain::MediaInfo media_info_from_json(std::string_view text) {
    const json::value parsed = parse(text);
    const json::object& o = parsed.as_object();
    domain::MediaInfo info;
    info.container = text_of(o.at("container"));
    info.duration = millis_of(o.at("duration_ms"));
    info.has_video = o.at("has_video").as_bool();
    for (const json::value& v : o.at("audio_tracks").as_array()) {
        const json::object& t = v.as_object();
        info.audio_tracks.push_back({.index = t.at("index").to_number<int>(),
                                     .codec = text_of(t.at("codec")),
                                     .language = text_of(t.at("language")),
                                     .title = text_of(t.at("title")),
                                     .channels = t.at("channels").to_number<int>(),
                                     .sample_rate_hz = t.at("sample_rate_hz").to_number<int>(),
                                     .is_default = t.at("is_default").as_bool()});
    }
    info.chosen_track = o.at("chosen_track").to_number<int>();
    info.loudness_lufs = o.at("loudness_lufs").to_number<double>();
    info.peak_dbfs = o.at("peak_dbfs").to_number<double>();
    for (const json::value& w : o.at("warnings").as_array()) {
        info.warnings.push_back(text_of(w));
    }
    return info;
}

std::string to_json(const std::vector<domain::Word>& words) {
    json::array list;
    list.reserve(words.size());
    for (const domain::Word& w : words) {
        list.push_back(json::array{w.span.start.count(), w.span.end.count(), w.text, w.confidence});
    }
    return json::serialize(list);
}

std::vector<domain::Word> words_from_json(std::string_view text) {
    const json::value parsed = parse(text);
    std::vector<domain::Word> words;
    for (const json::value& v : parsed.as_array()) {
        const json::array& w = v.as_array();
        words.push_back({.span = {millis_of(w.at(0)), millis_of(w.at(1))},
                         .text = text_of(w.at(2)),
                         .confidence = w.at(3).to_number<double>()});
    }
    return words;
}

namespace {

std::int64_t wall_ms(WallTime t) {
    return t.time_since_epoch().count();
}
WallTime wall_of(const json::value& v) {
    return WallTime{millis_of(v)};
}

// What of a row is known when it has just been made or queued again.
json::object task_object(const ports::TaskRow& t) {
    json::object o{{"id", t.id.value},
                   {"media_id", t.media_id.value},
                   {"run_number", t.run_number},
                   {"state", view(to_string(t.state))},
                   {"current_step", t.current_step},
                   {"options", parse(to_json(t.options))},
                   {"progress", t.progress},
                   {"retry_count", t.retry_count},
                   {"created_at", wall_ms(t.created_at)},
                   {"updated_at", wall_ms(t.updated_at)},
                   {"engine", t.engine},
                   {"model", t.model},
                   {"model_reason", t.model_reason}};
    if (t.started_at) {
        o["started_at"] = wall_ms(*t.started_at);
    }
    return o;
}

ports::TaskRow task_of(const json::object& o) {
    ports::TaskRow t;
    t.id.value = text_of(o.at("id"));
    t.media_id.value = text_of(o.at("media_id"));
    t.run_number = o.at("run_number").to_number<int>();
    const auto state = domain::task_state_from(text_of(o.at("state")));
    DURASCRIBE_ASSERT(state.has_value());
    t.state = *state;
    t.current_step = text_of(o.at("current_step"));
    t.options = task_options_from_json(json::serialize(o.at("options")));
    t.progress = o.at("progress").to_number<double>();
    t.retry_count = o.at("retry_count").to_number<int>();
    t.created_at = wall_of(o.at("created_at"));
    t.updated_at = wall_of(o.at("updated_at"));
    t.engine = text_of(o.at("engine"));
    t.model = text_of(o.at("model"));
    t.model_reason = text_of(o.at("model_reason"));
    if (const json::value* started = o.if_contains("started_at")) {
        t.started_at = wall_of(*started);
    }
    return t;
}

}  // namespace

std::string to_json(const ports::Submission& made) {
    const ports::MediaRow& m = made.media;
    json::object media{{"id", m.id.value},
                       {"title", m.title},
                       {"filename", m.filename},
                       {"sha256", m.source.sha256},
                       {"size_bytes", m.source.size_bytes},
                       {"created_at", wall_ms(m.created_at)},
                       {"updated_at", wall_ms(m.updated_at)}};
    if (!m.source_url.empty()) {
        media["source_url"] = m.source_url;
    }
    if (m.info) {
        media["info"] = parse(to_json(*m.info));
    }
    return json::serialize(json::object{{"media", std::move(media)},
                                        {"task", task_object(made.task)},
                                        {"source_known", made.source_known}});
}

ports::Submission submission_from_json(std::string_view text) {
    const json::value parsed = parse(text);
    const json::object& o = parsed.at("media").as_object();
    ports::Submission made;
    made.media.id.value = text_of(o.at("id"));
    made.media.title = text_of(o.at("title"));
    made.media.filename = text_of(o.at("filename"));
    made.media.source = {text_of(o.at("sha256")), o.at("size_bytes").to_number<std::int64_t>()};
    made.media.created_at = wall_of(o.at("created_at"));
    made.media.updated_at = wall_of(o.at("updated_at"));
    if (const json::value* url = o.if_contains("source_url")) {
        made.media.source_url = text_of(*url);
    }
    if (const json::value* info = o.if_contains("info")) {
        made.media.info = media_info_from_json(json::serialize(*info));
    }
    made.task = task_of(parsed.at("task").as_object());
    made.source_known = parsed.at("source_known").as_bool();
    return made;
}

std::string to_json(const ports::RetryOutcome& outcome) {
    json::array queued;
    for (const auto& [step, count] : outcome.queued) {
        queued.push_back(json::array{view(to_string(step)), count});
    }
    return json::serialize(json::object{{"task", task_object(outcome.task)},
                                        {"queued", std::move(queued)},
                                        {"failed", outcome.failed},
                                        {"cancelled", outcome.cancelled}});
}

ports::RetryOutcome retry_outcome_from_json(std::string_view text) {
    const json::value parsed = parse(text);
    ports::RetryOutcome outcome;
    outcome.task = task_of(parsed.at("task").as_object());
    for (const json::value& v : parsed.at("queued").as_array()) {
        const auto step = domain::step_from(text_of(v.at(0)));
        DURASCRIBE_ASSERT(step.has_value());
        outcome.queued.emplace_back(*step, v.at(1).to_number<int>());
    }
    outcome.failed = parsed.at("failed").to_number<int>();
    outcome.cancelled = parsed.at("cancelled").to_number<int>();
    return outcome;
}

}  // namespace durascribe::store
