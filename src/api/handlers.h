// The handlers of the route table: blocking functions of a request, by subject in handlers_*.cpp.
// They check, call the engine or the store, and give a shape; no rule of transcription lives here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "durascribe/api/router.h"

namespace durascribe::api {

// handlers_media.cpp
Result<std::unique_ptr<BodySink>> upload_media(const Services&, const Request&);
Result<Response> list_media(const Services&, const Request&);
Result<Response> get_media(const Services&, const Request&);
Result<Response> rename_media(const Services&, const Request&);
Result<Response> delete_media(const Services&, const Request&);
Result<Response> get_media_status(const Services&, const Request&);

// handlers_uploads.cpp
Result<Response> get_upload_options(const Services&, const Request&);
Result<std::unique_ptr<BodySink>> create_upload(const Services&, const Request&);
Result<std::unique_ptr<BodySink>> append_upload(const Services&, const Request&);
Result<std::unique_ptr<BodySink>> overridden_upload(const Services&, const Request&);
Result<Response> get_upload(const Services&, const Request&);
Result<Response> remove_upload(const Services&, const Request&);

// handlers_results.cpp
Result<Response> get_segments(const Services&, const Request&);
Result<Response> get_transcript(const Services&, const Request&);
Result<Response> get_waveform(const Services&, const Request&);

// handlers_files.cpp
Result<Response> get_source(const Services&, const Request&);
Result<Response> get_audio(const Services&, const Request&);
Result<Response> get_poster(const Services&, const Request&);

// handlers_edits.cpp
Result<Response> get_segment(const Services&, const Request&);
Result<Response> change_segment(const Services&, const Request&);
Result<Response> split_segment(const Services&, const Request&);
Result<Response> merge_segment(const Services&, const Request&);
Result<Response> rename_speaker(const Services&, const Request&);
Result<Response> list_revisions(const Services&, const Request&);
Result<Response> restore_revision(const Services&, const Request&);

// handlers_search.cpp
Result<Response> search(const Services&, const Request&);

// handlers_tasks.cpp
Result<Response> start_task(const Services&, const Request&);
Result<Response> get_progress(const Services&, const Request&);
Result<Response> list_tasks(const Services&, const Request&);
Result<Response> get_task(const Services&, const Request&);
Result<Response> change_task(const Services&, const Request&);
Result<Response> get_units(const Services&, const Request&);
Result<Response> get_task_log(const Services&, const Request&);
Result<Response> cancel_task(const Services&, const Request&);
Result<Response> retry_task(const Services&, const Request&);
Result<Response> get_attempts(const Services&, const Request&);
Result<Response> get_queue(const Services&, const Request&);
Result<Response> pause_queue(const Services&, const Request&);
Result<Response> resume_queue(const Services&, const Request&);

// handlers_openai.cpp
Result<std::unique_ptr<BodySink>> openai_transcribe(const Services&, const Request&);
Result<std::unique_ptr<BodySink>> openai_translate(const Services&, const Request&);
Result<Response> openai_list_models(const Services&, const Request&);
Result<Response> openai_get_model(const Services&, const Request&);

// handlers_node.cpp
Result<Response> get_live(const Services&, const Request&);
Result<Response> get_ready(const Services&, const Request&);
Result<Response> get_system(const Services&, const Request&);
Result<Response> get_openapi(const Services&, const Request&);
Result<Response> get_metrics(const Services&, const Request&);  // handlers_metrics.cpp

// handlers_page.cpp
Result<Response> get_page(const Services&, const Request&);
Result<Response> get_page_asset(const Services&, const Request&);

// handlers_access.cpp
Result<Response> open_session(const Services&, const Request&);
Result<Response> get_session(const Services&, const Request&);
Result<Response> end_session(const Services&, const Request&);
Result<Response> list_tokens(const Services&, const Request&);
Result<Response> create_token(const Services&, const Request&);
Result<Response> revoke_token(const Services&, const Request&);

// handlers_batches.cpp
Result<std::unique_ptr<BodySink>> create_batch(const Services&, const Request&);
Result<Response> list_batches(const Services&, const Request&);
Result<Response> get_batch(const Services&, const Request&);
Result<Response> cancel_batch(const Services&, const Request&);
Result<Response> retry_batch(const Services&, const Request&);

// handlers_webhooks.cpp
Result<Response> create_webhook(const Services&, const Request&);
Result<Response> list_webhooks(const Services&, const Request&);
Result<Response> get_webhook(const Services&, const Request&);
Result<Response> change_webhook(const Services&, const Request&);
Result<Response> delete_webhook(const Services&, const Request&);
Result<Response> pause_webhook(const Services&, const Request&);
Result<Response> resume_webhook(const Services&, const Request&);
Result<Response> rotate_webhook_secret(const Services&, const Request&);
Result<Response> ping_webhook(const Services&, const Request&);
Result<Response> list_deliveries(const Services&, const Request&);
Result<Response> get_delivery(const Services&, const Request&);
Result<Response> replay_delivery(const Services&, const Request&);
Result<Response> replay_webhook(const Services&, const Request&);

// handlers_live.cpp
Result<Response> get_events(const Services&, const Request&);
Result<std::unique_ptr<SocketTalk>> open_live_talk(const Services&, const Request&);
Result<std::unique_ptr<SocketTalk>> open_progress_talk(const Services&, const Request&);

// The media of the path and the task whose result is asked for: `?task_id=`, else the newest that
// has one to show, else the newest. Errors: request "not_found".
struct MediaAndTask {
    ports::MediaRow media;
    ports::TaskRow task;
};
Result<MediaAndTask> result_of(const Services& services, const Request& request);

// The tags of If-Match; nullopt: none that demands something. Errors: request
// "precondition_required" where there is none and the server demands one.
Result<std::optional<std::vector<std::string>>> if_match_of(const Services& services,
                                                            const Request& request);

// The id in the path as the store writes it. Errors: request "not_found", also for what is no UUID.
Result<MediaId> media_id_of(const Request& request);
// The media itself. Errors: request "not_found".
Result<ports::MediaRow> media_of(const Services& services, const Request& request);
Result<TaskId> task_id_of(const Request& request);
Result<UploadId> upload_id_of(const Request& request);

}  // namespace durascribe::api
