// The wire shapes: one function for each. docs/api.md shows them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "durascribe/api/message.h"
#include "durascribe/engine/engine.h"
#include "durascribe/engine/task_view.h"
#include "durascribe/ports/store.h"

namespace durascribe::api {

namespace json = boost::json;

// Earlier clients (by an aliased path) also get `video_id`, and a media's status in their words.
enum class Dialect { current, legacy };
inline Dialect dialect_of(const Request& request) {
    return request.legacy_path ? Dialect::legacy : Dialect::current;
}

Response json_response(int status, const json::value& body);
// To be moved: a whole document would be copied.
Response json_response(int status, json::object& body) = delete;

// `media_id`, and to earlier clients `video_id`.
void add_media_id(json::object& out, const MediaId& id, Dialect dialect);

json::value time_or_null(const std::optional<WallTime>& t);
json::value error_or_null(const std::optional<ports::StoredError>& error);
json::value media_info_or_null(const std::optional<domain::MediaInfo>& info);

// The answer to an upload.
json::object created_shape(const ports::MediaRow& media, const ports::TaskRow& task,
                           bool stored_before, Dialect dialect);
// One media in a list, and with what its newest task says.
json::object media_shape(const ports::MediaRow& media, const std::optional<ports::TaskRow>& newest,
                         Dialect dialect);
// What `GET …/status` and each entry of the queue say.
json::object status_shape(const MediaId& media, const std::optional<engine::TaskView>& view,
                          Dialect dialect);
// TaskProgressResponse; without a task: every step pending, 0 %.
json::object progress_shape(const MediaId& media, const std::optional<engine::TaskView>& view,
                            Dialect dialect);
// What earlier clients get over their WebSocket.
json::object progress_message_shape(const MediaId& media,
                                    const std::optional<engine::TaskView>& view);
// AsyncTaskResponse. `status_url`: where the client sees what becomes of it; the media's address
// shows its newest task, which need not be this one.
json::object accepted_shape(const ports::TaskRow& task, std::string message, std::string status_url,
                            Dialect dialect);

json::object options_shape(const domain::TaskOptions& options);
json::object attempt_shape(const ports::AttemptRow& attempt);
json::object task_row_shape(const ports::TaskRow& task);     // in lists
json::object task_view_shape(const engine::TaskView& view);  // one, with its steps and options

json::object segments_shape(const MediaId& media, const ports::TaskRow& task,
                            const ports::TranscriptText& text, const std::vector<domain::Gap>& gaps,
                            bool words, Dialect dialect);
// One segment by itself; `index` is its place.
json::object segment_shape(const ports::TranscriptSegment& segment,
                           std::optional<std::size_t> index, bool words);
// The answer to an edit.
json::object edited_shape(const MediaId& media, const ports::EditedTranscript& edited,
                          Dialect dialect);
json::object revision_shape(const ports::TranscriptRevision& revision);
// Marks are counted in UTF-16 code units, as JavaScript's strings are.
json::object search_hit_shape(const ports::SearchHit& hit, Dialect dialect);

// Entity tags, with their quotes: of a media, a whole transcript, one segment.
std::string media_tag(const ports::MediaRow& media);
std::string transcript_tag(const TaskId& task, int revision);
std::string segment_tag(const TaskId& task, const ports::TranscriptSegment& segment);
json::object waveform_shape(const MediaId& media, const domain::WaveformPeaks& peaks,
                            Dialect dialect);

json::object counts_shape(const ports::TaskCounts& counts);
json::array slots_shape(const std::vector<engine::Engine::SlotStatus>& slots);

// {items, next_cursor}: null at the end.
json::object page_shape(json::array items, const std::string& next_cursor);

// Whether the task has written its result: what is served will not grow any more.
bool is_complete(domain::TaskState state);

std::string media_path(const MediaId& id);
std::string task_path(const TaskId& id);

}  // namespace durascribe::api
