#include "durascribe/api/routes.h"

#include "durascribe/api/handlers.h"

namespace durascribe::api {
namespace {

constexpr Route kRoutes[] = {
    {Method::post, "/api/v1/media", nullptr, upload_media},
    {Method::get, "/api/v1/media", list_media},
    {Method::get, "/api/v1/media/{id}", get_media},
    {Method::patch, "/api/v1/media/{id}", rename_media},
    {Method::del, "/api/v1/media/{id}", delete_media},
    {Method::get, "/api/v1/media/{id}/status", get_media_status},

    {Method::options, "/api/v1/uploads", get_upload_options},
    {Method::post, "/api/v1/uploads", nullptr, create_upload},
    {Method::options, "/api/v1/uploads/{id}", get_upload_options},
    {Method::get, "/api/v1/uploads/{id}", get_upload},
    {Method::patch, "/api/v1/uploads/{id}", nullptr, append_upload},
    {Method::post, "/api/v1/uploads/{id}", nullptr, overridden_upload},
    {Method::del, "/api/v1/uploads/{id}", remove_upload},

    {Method::get, "/api/v1/media/{id}/segments", get_segments},
    {Method::get, "/api/v1/media/{id}/transcript.{format}", get_transcript},
    {Method::get, "/api/v1/media/{id}/source", get_source},
    {Method::get, "/api/v1/media/{id}/audio", get_audio},
    {Method::get, "/api/v1/media/{id}/poster", get_poster},
    {Method::get, "/api/v1/media/{id}/waveform", get_waveform},
    {Method::get, "/api/v1/search", search},

    {Method::get, "/api/v1/media/{id}/segments/{segment}", get_segment},
    {Method::patch, "/api/v1/media/{id}/segments/{segment}", change_segment},
    {Method::post, "/api/v1/media/{id}/segments/{segment}/split", split_segment},
    {Method::post, "/api/v1/media/{id}/segments/{segment}/merge", merge_segment},
    {Method::patch, "/api/v1/media/{id}/speakers/{label}", rename_speaker},
    {Method::get, "/api/v1/media/{id}/revisions", list_revisions},
    {Method::post, "/api/v1/media/{id}/revisions/{revision}/restore", restore_revision},

    {Method::post, "/api/v1/media/{id}/run_sync", start_task},
    {Method::post, "/api/v1/media/{id}/reprocess", start_task},
    {Method::post, "/api/v1/media/{id}/retranscribe", start_task},
    {Method::get, "/api/v1/media/{id}/reprocess", get_progress},

    {Method::get, "/api/v1/tasks", list_tasks},
    {Method::get, "/api/v1/tasks/{id}", get_task},
    {Method::post, "/api/v1/tasks/{id}/cancel", cancel_task},
    {Method::post, "/api/v1/tasks/{id}/retry", retry_task},
    {Method::get, "/api/v1/tasks/{id}/units", get_units},
    {Method::get, "/api/v1/tasks/{id}/attempts", get_attempts},
    {Method::get, "/api/v1/queue", get_queue},
    {Method::post, "/api/v1/queue/pause", pause_queue},
    {Method::post, "/api/v1/queue/resume", resume_queue},

    {Method::post, "/api/v1/batches", create_batch},
    {Method::get, "/api/v1/batches", list_batches},
    {Method::get, "/api/v1/batches/{id}", get_batch},
    {Method::post, "/api/v1/batches/{id}/cancel", cancel_batch},
    {Method::post, "/api/v1/batches/{id}/retry", retry_batch},

    {Method::post, "/api/v1/webhooks", create_webhook},
    {Method::get, "/api/v1/webhooks", list_webhooks},
    {Method::get, "/api/v1/webhooks/{id}", get_webhook},
    {Method::patch, "/api/v1/webhooks/{id}", change_webhook},
    {Method::del, "/api/v1/webhooks/{id}", delete_webhook},
    {Method::post, "/api/v1/webhooks/{id}/pause", pause_webhook},
    {Method::post, "/api/v1/webhooks/{id}/resume", resume_webhook},
    {Method::post, "/api/v1/webhooks/{id}/rotate_secret", rotate_webhook_secret},
    {Method::post, "/api/v1/webhooks/{id}/ping", ping_webhook},
    {Method::post, "/api/v1/webhooks/{id}/replay", replay_webhook},
    {Method::get, "/api/v1/webhooks/{id}/deliveries", list_deliveries},
    {Method::get, "/api/v1/webhooks/{id}/deliveries/{delivery_id}", get_delivery},
    {Method::post, "/api/v1/webhooks/{id}/deliveries/{delivery_id}/replay", replay_delivery},

    {Method::get, "/api/v1/events", get_events},
    {Method::get, "/api/v1/ws", nullptr, nullptr, open_live_talk},
    {Method::get, "/api/transcription/{id}/progress", nullptr, nullptr, open_progress_talk},

    {Method::post, "/v1/audio/transcriptions", nullptr, openai_transcribe},
    {Method::post, "/v1/audio/translations", nullptr, openai_translate},
    {Method::get, "/v1/models", openai_list_models},
    {Method::get, "/v1/models/{id}", openai_get_model},

    {Method::get, "/api/v1/system", get_system},
    {Method::get, "/api/openapi.json", get_openapi},
    {Method::get, "/health/live", get_live},
    {Method::get, "/health/ready", get_ready},
    {Method::get, "/", get_page},
    {Method::get, "/assets/{name}", get_page_asset},
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
