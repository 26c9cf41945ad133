#include "durascribe/api/handlers.h"
#include "durascribe/api/openapi.h"
#include "durascribe/api/shapes.h"

namespace durascribe::api {
namespace {

constexpr std::string_view kStartPage = R"(<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>durascribe</title></head>
<body>
<h1>durascribe</h1>
<p>This server turns audio and video into transcripts and subtitles.</p>
<p>Send it a file: <code>curl -F file=@talk.mp4 http://127.0.0.1:8000/api/v1/media</code></p>
<ul>
<li><a href="/api/v1/media">/api/v1/media</a>: what it holds</li>
<li><a href="/api/v1/queue">/api/v1/queue</a>: what runs, and what waits</li>
<li><a href="/health/ready">/health/ready</a>: how it is</li>
</ul>
</body>
</html>
)";

json::object workers_shape(const std::vector<engine::Engine::SlotStatus>& slots) {
    json::object out;
    for (const domain::Lane lane : {domain::Lane::media, domain::Lane::speech}) {
        int total = 0;
        int warm = 0;
        int busy = 0;
        for (const auto& slot : slots) {
            if (slot.lane == lane) {
                ++total;
                warm += slot.warm ? 1 : 0;
                busy += slot.task ? 1 : 0;
            }
        }
        const std::string_view name = domain::to_string(lane);
        out[json::string_view{name.data(), name.size()}] =
            json::object{{"slots", total}, {"warm", warm}, {"busy", busy}};
    }
    return out;
}

json::object housekeeping_shape(const engine::Engine::Housekeeping& found) {
    return {{"reconciled_at", time_or_null(found.reconciled_at)},
            {"sources_missing", found.sources_missing},
            {"audio_missing", found.audio_missing}};
}

}  // namespace

Result<Response> get_live(const Services&, const Request&) {
    return json_response(200, json::object{{"status", "ok"}});
}

// Ready: an upload sent now would be taken and kept. Workers that are not warm yet don't hold it
// up.
Result<Response> get_ready(const Services& services, const Request& request) {
    const auto counts = services.store.counts();
    const auto free_bytes = services.blobs.free_bytes();
    const bool draining = services.engine.draining();
    const bool room = free_bytes && *free_bytes > 0;
    const char* status = draining                 ? "draining"
                         : !counts || !free_bytes ? "store_unavailable"
                         : !room                  ? "disk_full"
                                                  : "ready";
    const bool ready = !draining && counts && room;
    json::object body;
    body["status"] = status;
    if (!request.who.known()) {
        return json_response(ready ? 200 : 503, body);  // to a stranger no more than that
    }
    body["version"] = services.facts.version;
    body["database"] = services.facts.database;
    body["store_ok"] = counts.has_value() && free_bytes.has_value();
    body["disk_free_bytes"] = free_bytes ? json::value(*free_bytes) : json::value(nullptr);
    body["sandbox"] = services.facts.sandbox_level;
    body["engine"] = services.facts.engine;
    body["model"] = services.facts.model;
    body["housekeeping"] = housekeeping_shape(services.engine.housekeeping());
    body["workers"] = workers_shape(services.engine.slots());
    body["tasks"] = counts ? json::value(counts_shape(*counts)) : json::value(nullptr);
    return json_response(ready ? 200 : 503, body);
}

Result<Response> get_openapi(const Services&, const Request&) {
    Response response;
    response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-cache"}};
    response.body = openapi_document();
    return response;
}

Result<Response> get_start_page(const Services&, const Request&) {
    Response response;
    response.headers = {{"Content-Type", "text/html; charset=utf-8"},
                        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
                        {"Cache-Control", "no-cache"}};
    response.body = kStartPage;
    return response;
}

}  // namespace durascribe::api
