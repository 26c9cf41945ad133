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

}  // namespace durascribe::store
