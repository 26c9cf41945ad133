#include "durascribe/api/shapes.h"

#include <cmath>

#include "durascribe/api/json_text.h"

namespace durascribe::api {
namespace {

json::string text(std::string_view s) {
    return json::string{json::string_view{s.data(), s.size()}};
}

// Three decimals: milliseconds, and thousandths of a percent.
double rounded(double value) {
    return std::round(value * 1000.0) / 1000.0;
}

double seconds(Millis t) {
    return static_cast<double>(t.count()) / 1000.0;
}

template <typename T>
json::value or_null(const std::optional<T>& value) {
    if (!value) {
        return nullptr;
    }
    if constexpr (std::is_same_v<T, double>) {
        return rounded(*value);
    } else {
        return *value;
    }
}

json::value or_null(const std::string& s) {
    return s.empty() ? json::value(nullptr) : json::value(text(s));
}

// What is still to be fetched: earlier clients have a word for it.
std::string_view media_status(const std::optional<domain::TaskState>& newest, Dialect dialect,
                              bool fetched = true) {
    if (dialect == Dialect::legacy) {
        if (!fetched && newest && !domain::is_terminal(*newest)) {
            return "downloading";
        }
        return domain::legacy_media_status(newest);
    }
    return domain::to_string(newest.value_or(domain::TaskState::pending));
}

// null where it is not there yet.
void add_source(json::object& out, const ports::MediaRow& media) {
    const bool there = !media.source.empty();
    out["size_bytes"] = there ? json::value(media.source.size_bytes) : json::value(nullptr);
    out["sha256"] = or_null(media.source.sha256);
    out["source_url"] = or_null(media.source_url);
}

json::value download_or_null(const std::optional<engine::DownloadState>& download) {
    if (!download) {
        return nullptr;
    }
    return json::object{{"bytes_done", download->bytes_done},
                        {"bytes_total", or_null(download->bytes_total)}};
}

json::object step_shape(const engine::StepView& step) {
    json::object out;
    out.reserve(7);
    out["name"] = text(domain::to_string(step.progress.step));
    out["weight"] = rounded(step.progress.weight);
    out["status"] = step.status;
    out["progress"] = rounded(step.progress.progress);
    out["started_at"] = time_or_null(step.started_at);
    out["completed_at"] = time_or_null(step.completed_at);
    out["error"] = error_or_null(step.error);
    return out;
}

json::array steps_shape(const std::vector<engine::StepView>& steps) {
    json::array out;
    for (const auto& step : steps) {
        out.push_back(step_shape(step));
    }
    return out;
}

// The steps of a task that was never made.
json::array pending_steps_shape() {
    const domain::TaskOptions options;
    double total = 0;
    for (const domain::Step step : domain::steps_for(options)) {
        total += domain::weight_of(step, options);
    }
    json::array out;
    for (const domain::Step step : domain::steps_for(options)) {
        engine::StepView view;
        view.progress.step = step;
        view.progress.weight = total > 0 ? 100.0 * domain::weight_of(step, options) / total : 0;
        view.status = "pending";
        out.push_back(step_shape(view));
    }
    return out;
}

json::object items_shape(int total, int completed, int failed) {
    return {{"total", total}, {"completed", completed}, {"failed", failed}};
}

// UTF-16 code units of the first `bytes` bytes.
std::size_t utf16_length(std::string_view text, std::size_t bytes) {
    std::size_t units = 0;
    for (const char c : text.substr(0, bytes)) {
        const auto byte = static_cast<unsigned char>(c);
        units += (byte & 0xC0U) == 0x80U ? 0 : byte >= 0xF0U ? 2 : 1;
    }
    return units;
}

}  // namespace

void add_media_id(json::object& out, const MediaId& id, Dialect dialect) {
    out["media_id"] = id.value;
    if (dialect == Dialect::legacy) {
        out["video_id"] = id.value;
    }
}

Response json_response(int status, const json::value& body) {
    Response response;
    response.status = status;
    response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
    response.body = json_text(body);
    return response;
}

json::value time_or_null(const std::optional<WallTime>& t) {
    return t ? json::value(text(to_rfc3339(*t))) : json::value(nullptr);
}

json::value error_or_null(const std::optional<ports::StoredError>& error) {
    if (!error) {
        return nullptr;
    }
    return json::object{
        {"class", text(to_string(error->cls))}, {"code", error->code}, {"message", error->message}};
}

json::value media_info_or_null(const std::optional<domain::MediaInfo>& info) {
    if (!info) {
        return nullptr;
    }
    json::array tracks;
    for (const auto& track : info->audio_tracks) {
        tracks.push_back(json::object{{"index", track.index},
                                      {"codec", track.codec},
                                      {"language", or_null(track.language)},
                                      {"title", or_null(track.title)},
                                      {"channels", track.channels},
                                      {"sample_rate_hz", track.sample_rate_hz},
                                      {"default", track.is_default}});
    }
    json::array warnings;
    for (const auto& warning : info->warnings) {
        warnings.push_back(text(warning));
    }
    json::object out;
    out["container"] = info->container;
    out["duration_seconds"] = seconds(info->duration);
    out["has_video"] = info->has_video;
    out["audio_tracks"] = std::move(tracks);
    out["chosen_track"] = info->chosen_track;
    out["loudness_lufs"] = rounded(info->loudness_lufs);
    out["peak_dbfs"] = rounded(info->peak_dbfs);
    out["warnings"] = std::move(warnings);
    return out;
}

json::object options_shape(const domain::TaskOptions& options) {
    json::object out;
    out["engine"] = options.engine;
    out["model"] = options.model;
    out["language"] = options.language;
    out["audio_track"] = or_null(options.audio_track);
    out["diarize"] = options.diarize;
    out["priority"] = options.priority;
    out["from_step"] = options.from_step ? json::value(text(domain::to_string(*options.from_step)))
                                         : json::value(nullptr);
    return out;
}

json::object created_shape(const ports::MediaRow& media, const ports::TaskRow& task,
                           bool stored_before, Dialect dialect) {
    json::object out;
    out["id"] = media.id.value;
    add_media_id(out, media.id, dialect);
    out["status"] = text(media_status(task.state, dialect, !media.source.empty()));
    out["task_id"] = task.id.value;
    out["title"] = media.title;
    out["filename"] = media.filename;
    add_source(out, media);
    out["stored_before"] = stored_before;
    out["created_at"] = text(to_rfc3339(media.created_at));
    out["media_url"] = media_path(media.id);
    out["status_url"] = media_path(media.id) + "/status";
    out["task_url"] = task_path(task.id);
    return out;
}

json::object media_shape(const ports::MediaRow& media, const std::optional<ports::TaskRow>& newest,
                         Dialect dialect) {
    std::optional<domain::TaskState> state;
    if (newest) {
        state = newest->state;
    }
    json::object out;
    out.reserve(20);
    out["id"] = media.id.value;
    add_media_id(out, media.id, dialect);
    out["title"] = media.title;
    out["filename"] = media.filename;
    out["status"] = text(media_status(state, dialect, !media.source.empty()));
    out["task_id"] = newest ? json::value(text(newest->id.value)) : json::value(nullptr);
    out["progress"] = newest ? rounded(newest->progress) : 0.0;
    out["error"] = newest ? error_or_null(newest->error) : json::value(nullptr);
    add_source(out, media);
    out["duration_seconds"] =
        media.info ? json::value(seconds(media.info->duration)) : json::value(nullptr);
    out["created_at"] = text(to_rfc3339(media.created_at));
    out["updated_at"] = text(to_rfc3339(media.updated_at));
    out["status_url"] = media_path(media.id) + "/status";
    return out;
}

json::object status_shape(const MediaId& media, const std::optional<engine::TaskView>& view,
                          Dialect dialect) {
    json::object out;
    add_media_id(out, media, dialect);
    out["task_id"] = view ? json::value(text(view->row.id.value)) : json::value(nullptr);
    std::optional<domain::TaskState> state;
    if (view) {
        state = view->row.state;
    }
    out["status"] = text(media_status(state, dialect, !view || !view->download));
    out["current_step"] = view ? or_null(view->row.current_step) : json::value(nullptr);
    out["stage"] = view ? or_null(view->stage) : json::value(nullptr);
    out["progress"] = view ? rounded(view->percent) : 0.0;
    out["eta_seconds"] = view ? or_null(view->eta_seconds) : json::value(nullptr);
    out["queue_position"] = view ? or_null(view->queue_position) : json::value(nullptr);
    out["estimated_start_seconds"] =
        view ? or_null(view->estimated_start_seconds) : json::value(nullptr);
    out["download"] = view ? download_or_null(view->download) : json::value(nullptr);
    out["retry_count"] = view ? view->row.retry_count : 0;
    out["cancel_requested"] = view && view->row.cancel_requested_at.has_value();
    out["next_attempt_at"] = view ? time_or_null(view->row.next_attempt_at) : json::value(nullptr);
    out["started_at"] = view ? time_or_null(view->row.started_at) : json::value(nullptr);
    out["updated_at"] = view ? time_or_null(view->row.updated_at) : json::value(nullptr);
    out["completed_at"] = view ? time_or_null(view->row.completed_at) : json::value(nullptr);
    out["error"] = view ? error_or_null(view->row.error) : json::value(nullptr);
    return out;
}

json::object progress_shape(const MediaId& media, const std::optional<engine::TaskView>& view,
                            Dialect dialect) {
    json::object out;
    out["task_id"] = view ? json::value(text(view->row.id.value)) : json::value(nullptr);
    add_media_id(out, media, dialect);
    out["status"] = text(domain::to_string(view ? view->row.state : domain::TaskState::pending));
    out["progress"] = view ? rounded(view->percent) : 0.0;
    out["current_step"] = view ? or_null(view->row.current_step) : json::value(nullptr);
    out["stage"] = view ? or_null(view->stage) : json::value(nullptr);
    out["subtasks"] = view ? steps_shape(view->steps) : pending_steps_shape();
    out["items"] =
        view ? items_shape(view->chunks_total, view->chunks_completed, view->chunks_failed)
             : items_shape(0, 0, 0);
    out["retry_count"] = view ? view->row.retry_count : 0;
    out["eta_seconds"] = view ? or_null(view->eta_seconds) : json::value(nullptr);
    out["queue_position"] = view ? or_null(view->queue_position) : json::value(nullptr);
    out["started_at"] = view ? time_or_null(view->row.started_at) : json::value(nullptr);
    out["updated_at"] = view ? time_or_null(view->row.updated_at) : json::value(nullptr);
    out["completed_at"] = view ? time_or_null(view->row.completed_at) : json::value(nullptr);
    out["error"] = view ? error_or_null(view->row.error) : json::value(nullptr);
    return out;
}

json::object progress_message_shape(const MediaId& media,
                                    const std::optional<engine::TaskView>& view) {
    json::object data = progress_shape(media, view, Dialect::legacy);
    json::object out;
    out["type"] = "progress";
    out["task_id"] = data["task_id"];
    out["media_id"] = media.value;
    out["status"] = data["status"];
    out["step"] = data["current_step"];
    out["stage"] = data["stage"];
    const bool failed = view && view->row.error;
    out["message"] = failed ? json::value(view->row.error->message) : data["stage"];
    out["progress"] = data["progress"];
    out["eta"] = data["eta_seconds"];
    out["data"] = std::move(data);
    return out;
}

json::object accepted_shape(const ports::TaskRow& task, std::string message, std::string status_url,
                            Dialect dialect) {
    json::object out;
    out["task_id"] = task.id.value;
    add_media_id(out, task.media_id, dialect);
    out["status"] = text(domain::to_string(task.state));
    out["message"] = std::move(message);
    out["status_url"] = std::move(status_url);
    return out;
}

json::object task_row_shape(const ports::TaskRow& task) {
    json::object out;
    out.reserve(30);  // and what task_view_shape() adds
    out["task_id"] = task.id.value;
    out["media_id"] = task.media_id.value;
    out["run"] = task.run_number;
    out["status"] = text(domain::to_string(task.state));
    out["current_step"] = or_null(task.current_step);
    out["progress"] = rounded(task.progress);
    out["retry_count"] = task.retry_count;
    out["engine"] = or_null(task.engine);
    out["model"] = or_null(task.model);
    out["model_reason"] = or_null(task.model_reason);
    out["cancel_requested"] = task.cancel_requested_at.has_value();
    out["next_attempt_at"] = time_or_null(task.next_attempt_at);
    out["created_at"] = text(to_rfc3339(task.created_at));
    out["started_at"] = time_or_null(task.started_at);
    out["updated_at"] = text(to_rfc3339(task.updated_at));
    out["completed_at"] = time_or_null(task.completed_at);
    out["error"] = error_or_null(task.error);
    return out;
}

json::object task_view_shape(const engine::TaskView& view) {
    json::object out = task_row_shape(view.row);
    out["progress"] = rounded(view.percent);
    out["stage"] = or_null(view.stage);
    out["eta_seconds"] = or_null(view.eta_seconds);
    out["queue_position"] = or_null(view.queue_position);
    out["estimated_start_seconds"] = or_null(view.estimated_start_seconds);
    out["predicted_seconds"] = or_null(view.predicted_seconds);
    out["worked_seconds"] = static_cast<double>(view.row.worked.count()) / 1000.0;
    out["options"] = options_shape(view.row.options);
    out["subtasks"] = steps_shape(view.steps);
    out["items"] = items_shape(view.chunks_total, view.chunks_completed, view.chunks_failed);
    out["status_url"] = task_path(view.row.id);
    return out;
}

json::object attempt_shape(const ports::AttemptRow& attempt) {
    json::object out;
    out["run"] = attempt.run_number;
    out["step"] = text(domain::to_string(attempt.step));
    out["ordinal"] = attempt.ordinal;
    out["number"] = attempt.number;
    out["node"] = attempt.node;
    out["model"] = or_null(attempt.model);
    out["started_at"] = text(to_rfc3339(attempt.started_at));
    out["ended_at"] = time_or_null(attempt.ended_at);
    out["outcome"] = attempt.outcome;
    out["error"] = error_or_null(attempt.error);
    out["audio_done_seconds"] = static_cast<double>(attempt.audio_done.count()) / 1000.0;
    return out;
}

json::object segment_shape(const ports::TranscriptSegment& segment,
                           std::optional<std::size_t> index, bool words) {
    const domain::Segment& said = segment.segment;
    json::object out;
    out["id"] = segment.id;
    if (index) {
        out["index"] = *index;
    }
    out["revision"] = segment.revision;
    out["start"] = seconds(said.span.start);
    out["end"] = seconds(said.span.end);
    out["text"] = said.text;
    out["confidence"] = rounded(said.confidence);
    out["speaker"] = said.speaker ? json::value(text(*said.speaker)) : json::value(nullptr);
    if (words) {
        json::array list;
        list.reserve(said.words.size());
        for (const auto& word : said.words) {
            list.push_back(json::object{{"start", seconds(word.span.start)},
                                        {"end", seconds(word.span.end)},
                                        {"text", word.text},
                                        {"confidence", rounded(word.confidence)}});
        }
        out["words"] = std::move(list);
    }
    return out;
}

json::object segments_shape(const MediaId& media, const ports::TaskRow& task,
                            const ports::TranscriptText& transcript,
                            const std::vector<domain::Gap>& gaps, bool words, Dialect dialect) {
    json::array list;
    list.reserve(transcript.segments.size());
    for (std::size_t i = 0; i < transcript.segments.size(); ++i) {
        json::object segment = segment_shape(transcript.segments[i], i, words);
        if (!domain::is_terminal(task.state)) {
            segment["id"] = nullptr;  // its place may still change
        }
        list.push_back(std::move(segment));
    }
    json::array missing;
    for (const auto& gap : gaps) {
        missing.push_back(json::object{{"start", seconds(gap.span.start)},
                                       {"end", seconds(gap.span.end)},
                                       {"reason", gap.reason}});
    }
    json::object out;
    add_media_id(out, media, dialect);
    out["task_id"] = task.id.value;
    out["status"] = text(domain::to_string(task.state));
    out["complete"] = is_complete(task.state);
    out["revision"] = transcript.revision;
    out["newest_revision"] = transcript.newest;
    out["segments"] = std::move(list);
    out["gaps"] = std::move(missing);
    return out;
}

json::object edited_shape(const MediaId& media, const ports::EditedTranscript& edited,
                          Dialect dialect) {
    json::array changed;
    for (const ports::TranscriptSegment& segment : edited.changed) {
        changed.push_back(segment_shape(segment, std::nullopt, true));
    }
    json::object out;
    add_media_id(out, media, dialect);
    out["task_id"] = edited.task.value;
    out["revision"] = edited.revision;
    out["edited"] = edited.edited;
    out["segments"] = std::move(changed);
    out["removed"] = json::array(edited.removed.begin(), edited.removed.end());
    return out;
}

json::object revision_shape(const ports::TranscriptRevision& revision) {
    return {{"revision", revision.revision},
            {"at", text(to_rfc3339(revision.at))},
            {"kind", text(revision.kind)},
            {"changed", json::array(revision.changed.begin(), revision.changed.end())},
            {"removed", json::array(revision.removed.begin(), revision.removed.end())}};
}

json::object search_hit_shape(const ports::SearchHit& hit, Dialect dialect) {
    json::array marks;
    for (const auto& [from, to] : hit.marks) {
        marks.push_back(json::object{{"start", utf16_length(hit.snippet, from)},
                                     {"end", utf16_length(hit.snippet, to)}});
    }
    json::object out;
    add_media_id(out, hit.media, dialect);
    out["title"] = hit.title;
    out["kind"] = hit.in_title ? "title" : "segment";
    const auto of_segment = [&](json::value value) {
        return hit.in_title ? json::value(nullptr) : std::move(value);
    };
    out["task_id"] = of_segment(text(hit.task.value));
    out["segment_id"] = of_segment(hit.segment);
    out["segment_index"] = of_segment(hit.index);
    out["start"] = of_segment(seconds(hit.span.start));
    out["end"] = of_segment(seconds(hit.span.end));
    out["snippet"] = json::object{{"text", text(hit.snippet)}, {"marks", std::move(marks)}};
    out["rank"] = rounded(hit.rank);
    return out;
}

std::string media_tag(const ports::MediaRow& media) {
    return "\"" + media.id.value + "." + std::to_string(media.revision) + "\"";
}

std::string transcript_tag(const TaskId& task, int revision) {
    return "\"" + task.value + "." + std::to_string(revision) + "\"";
}

std::string segment_tag(const TaskId& task, const ports::TranscriptSegment& segment) {
    return "\"" + task.value + "." + std::to_string(segment.id) + "." +
           std::to_string(segment.revision) + "\"";
}

json::object waveform_shape(const MediaId& media, const domain::WaveformPeaks& peaks,
                            Dialect dialect) {
    json::array values;
    values.reserve(peaks.min_max.size());
    for (const std::int8_t value : peaks.min_max) {
        values.push_back(static_cast<int>(value));
    }
    json::object out;
    add_media_id(out, media, dialect);
    out["bits"] = 8;
    out["bucket_ms"] = peaks.bucket.count();
    out["length"] = peaks.min_max.size() / 2;
    out["data"] = std::move(values);
    return out;
}

json::object counts_shape(const ports::TaskCounts& counts) {
    return {{"pending", counts.pending},    {"processing", counts.processing},
            {"retrying", counts.retrying},  {"completed", counts.completed},
            {"failed", counts.failed},      {"partial_failure", counts.partial_failure},
            {"cancelled", counts.cancelled}};
}

json::array slots_shape(const std::vector<engine::Engine::SlotStatus>& slots) {
    json::array out;
    for (const auto& slot : slots) {
        json::object one;
        one["lane"] = text(domain::to_string(slot.lane));
        one["warm"] = slot.warm;
        one["task_id"] = slot.task ? json::value(text(slot.task->value)) : json::value(nullptr);
        one["step"] =
            slot.step ? json::value(text(domain::to_string(*slot.step))) : json::value(nullptr);
        one["resident_bytes"] = slot.resident_bytes;
        out.push_back(std::move(one));
    }
    return out;
}

json::object page_shape(json::array items, const std::string& next_cursor) {
    json::object out;
    out["items"] = std::move(items);
    out["next_cursor"] = or_null(next_cursor);
    return out;
}

bool is_complete(domain::TaskState state) {
    return state == domain::TaskState::completed || state == domain::TaskState::partial_failure;
}

std::string media_path(const MediaId& id) {
    return "/api/v1/media/" + id.value;
}

std::string task_path(const TaskId& id) {
    return "/api/v1/tasks/" + id.value;
}

}  // namespace durascribe::api
