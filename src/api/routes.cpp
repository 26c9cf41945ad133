#include "durascribe/api/routes.h"

#include "durascribe/api/handlers.h"

namespace durascribe::api {
namespace {

using access::Need;

constexpr Route kRoutes[] = {
    {Method::post, "/api/v1/media", Need::write, nullptr, upload_media},
    {Method::get, "/api/v1/media", Need::read, list_media},
    {Method::get, "/api/v1/media/{id}", Need::read, get_media},
    {Method::patch, "/api/v1/media/{id}", Need::write, rename_media},
    {Method::del, "/api/v1/media/{id}", Need::write, delete_media},
    {Method::get, "/api/v1/media/{id}/status", Need::read, get_media_status},

    {Method::options, "/api/v1/uploads", Need::open, get_upload_options},
    {Method::post, "/api/v1/uploads", Need::write, nullptr, create_upload},
    {Method::options, "/api/v1/uploads/{id}", Need::open, get_upload_options},
    {Method::get, "/api/v1/uploads/{id}", Need::write, get_upload},
    {Method::patch, "/api/v1/uploads/{id}", Need::write, nullptr, append_upload},
    {Method::post, "/api/v1/uploads/{id}", Need::write, nullptr, overridden_upload},
    {Method::del, "/api/v1/uploads/{id}", Need::write, remove_upload},

    {Method::get, "/api/v1/media/{id}/segments", Need::read, get_segments},
    {Method::get, "/api/v1/media/{id}/transcript.{format}", Need::read, get_transcript},
    {Method::get, "/api/v1/media/{id}/source", Need::read, get_source},
    {Method::get, "/api/v1/media/{id}/audio", Need::read, get_audio},
    {Method::get, "/api/v1/media/{id}/poster", Need::read, get_poster},
    {Method::get, "/api/v1/media/{id}/waveform", Need::read, get_waveform},
    {Method::get, "/api/v1/search", Need::read, search},

    {Method::get, "/api/v1/media/{id}/segments/{segment}", Need::read, get_segment},
    {Method::patch, "/api/v1/media/{id}/segments/{segment}", Need::write, change_segment},
    {Method::post, "/api/v1/media/{id}/segments/{segment}/split", Need::write, split_segment},
    {Method::post, "/api/v1/media/{id}/segments/{segment}/merge", Need::write, merge_segment},
    {Method::patch, "/api/v1/media/{id}/speakers/{label}", Need::write, rename_speaker},
    {Method::get, "/api/v1/media/{id}/revisions", Need::read, list_revisions},
    {Method::post, "/api/v1/media/{id}/revisions/{revision}/restore", Need::write,
     restore_revision},

    {Method::post, "/api/v1/media/{id}/run_sync", Need::write, start_task},
    {Method::post, "/api/v1/media/{id}/reprocess", Need::write, start_task},
    {Method::post, "/api/v1/media/{id}/retranscribe", Need::write, start_task},
    {Method::get, "/api/v1/media/{id}/reprocess", Need::read, get_progress},

    {Method::get, "/api/v1/tasks", Need::read, list_tasks},
    {Method::get, "/api/v1/tasks/{id}", Need::read, get_task},
    {Method::patch, "/api/v1/tasks/{id}", Need::write, change_task},
    {Method::post, "/api/v1/tasks/{id}/cancel", Need::write, cancel_task},
    {Method::post, "/api/v1/tasks/{id}/retry", Need::write, retry_task},
    {Method::get, "/api/v1/tasks/{id}/units", Need::read, get_units},
    {Method::get, "/api/v1/tasks/{id}/log", Need::read, get_task_log},
    {Method::get, "/api/v1/tasks/{id}/attempts", Need::read, get_attempts},
    {Method::get, "/api/v1/queue", Need::read, get_queue},
    {Method::post, "/api/v1/queue/pause", Need::admin, pause_queue},
    {Method::post, "/api/v1/queue/resume", Need::admin, resume_queue},

    {Method::post, "/api/v1/batches", Need::write, nullptr, create_batch},
    {Method::get, "/api/v1/batches", Need::read, list_batches},
    {Method::get, "/api/v1/batches/{id}", Need::read, get_batch},
    {Method::post, "/api/v1/batches/{id}/cancel", Need::write, cancel_batch},
    {Method::post, "/api/v1/batches/{id}/retry", Need::write, retry_batch},

    {Method::post, "/api/v1/webhooks", Need::admin, create_webhook},
    {Method::get, "/api/v1/webhooks", Need::admin, list_webhooks},
    {Method::get, "/api/v1/webhooks/{id}", Need::admin, get_webhook},
    {Method::patch, "/api/v1/webhooks/{id}", Need::admin, change_webhook},
    {Method::del, "/api/v1/webhooks/{id}", Need::admin, delete_webhook},
    {Method::post, "/api/v1/webhooks/{id}/pause", Need::admin, pause_webhook},
    {Method::post, "/api/v1/webhooks/{id}/resume", Need::admin, resume_webhook},
    {Method::post, "/api/v1/webhooks/{id}/rotate_secret", Need::admin, rotate_webhook_secret},
    {Method::post, "/api/v1/webhooks/{id}/ping", Need::admin, ping_webhook},
    {Method::post, "/api/v1/webhooks/{id}/replay", Need::admin, replay_webhook},
    {Method::get, "/api/v1/webhooks/{id}/deliveries", Need::admin, list_deliveries},
    {Method::get, "/api/v1/webhooks/{id}/deliveries/{delivery_id}", Need::admin, get_delivery},
    {Method::post, "/api/v1/webhooks/{id}/deliveries/{delivery_id}/replay", Need::admin,
     replay_delivery},

    {Method::get, "/api/v1/events", Need::read, get_events},
    {Method::get, "/api/v1/ws", Need::read, nullptr, nullptr, open_live_talk},
    {Method::get, "/api/transcription/{id}/progress", Need::read, nullptr, nullptr,
     open_progress_talk},

    {Method::post, "/v1/audio/transcriptions", Need::write, nullptr, openai_transcribe},
    {Method::post, "/v1/audio/translations", Need::write, nullptr, openai_translate},
    {Method::get, "/v1/models", Need::read, openai_list_models},
    {Method::get, "/v1/models/{id}", Need::read, openai_get_model},

    {Method::post, "/api/v1/session", Need::open, open_session},
    {Method::get, "/api/v1/session", Need::known, get_session},
    {Method::del, "/api/v1/session", Need::known, end_session},
    {Method::get, "/api/v1/tokens", Need::admin, list_tokens},
    {Method::post, "/api/v1/tokens", Need::admin, create_token},
    {Method::del, "/api/v1/tokens/{id}", Need::admin, revoke_token},

    {Method::get, "/api/v1/system", Need::read, get_system},
    {Method::get, "/api/openapi.json", Need::open, get_openapi},
    {Method::get, "/health/live", Need::open, get_live},
    {Method::get, "/health/ready", Need::open, get_ready},
    {Method::get, "/metrics", Need::metrics, get_metrics},
    {Method::get, "/", Need::open, get_page},
    {Method::get, "/assets/{name}", Need::open, get_page_asset},
};

constexpr PathAlias kAliases[] = {
    {"/media", "/api/v1/media"},
    {"/api/v1/videos", "/api/v1/media"},
};

}  // namespace

std::span<const Route> routes() {
    return kRoutes;
}

std::span<const PathAlias> path_aliases() {
    return kAliases;
}

bool reads_by_key(const Route& route) {
    return route.handler == get_media || route.handler == get_media_status ||
           route.handler == get_task;
}

}  // namespace durascribe::api
