// GET /metrics, for Prometheus. docs/operations.md.
#include <vector>

#include "durascribe/api/handlers.h"
#include "durascribe/metrics/metrics.h"

namespace durascribe::api {
namespace {

// Tasks at work have a unit on a slot. Only what is so at a second look as well, and did not change
// since the first, is stuck: a step may just have ended, or begun.
Result<int> stuck_tasks(const Services& services) {
    const WallTime since = services.clock.wall();
    std::vector<TaskId> on_slots;
    Result<int> stuck = 0;
    for (int look = 0; look < 2; ++look) {
        for (const auto& slot : services.engine.slots()) {
            if (slot.task) {
                on_slots.push_back(*slot.task);
            }
        }
        stuck = services.store.processing_but(on_slots, since);
        if (!stuck || *stuck == 0) {
            break;
        }
    }
    return stuck;
}

}  // namespace

Result<Response> get_metrics(const Services& services, const Request&) {
    const auto counts = services.store.counts();
    if (!counts) {
        return std::unexpected(counts.error());
    }
    const auto longest = services.store.longest_wait();
    if (!longest) {
        return std::unexpected(longest.error());
    }
    const auto paused = services.store.paused();
    if (!paused) {
        return std::unexpected(paused.error());
    }
    const auto stuck = stuck_tasks(services);
    if (!stuck) {
        return std::unexpected(stuck.error());
    }
    const auto slots = services.engine.slots();
    const auto free_bytes = services.blobs.free_bytes();
    metrics::Metrics::Now now{.waiting = counts->pending + counts->retrying,
                              .running = counts->processing,
                              .oldest_waiting = longest->value_or(Millis{0}),
                              .stuck = *stuck,
                              .paused = *paused};
    if (free_bytes) {
        now.free_bytes = *free_bytes;
    }
    for (const auto& slot : slots) {
        if (slot.lane == domain::Lane::speech) {
            ++now.workers;
            now.workers_busy += slot.task ? 1 : 0;
        }
    }
    Response response;
    response.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"},
                        {"Cache-Control", "no-store"}};
    response.body = services.metrics.text(now);
    return response;
}

}  // namespace durascribe::api
