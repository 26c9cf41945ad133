// GET /metrics, for Prometheus. docs/operations.md.
#include <algorithm>

#include "durascribe/api/handlers.h"
#include "durascribe/metrics/metrics.h"

namespace durascribe::api {
namespace {

constexpr int kLookedAtMax = 200;

// A task that is processing has a unit on a slot; there are few slots, and so few such tasks.
int stuck_tasks(const std::vector<ports::TaskRow>& processing,
                const std::vector<engine::Engine::SlotStatus>& slots) {
    return static_cast<int>(std::ranges::count_if(processing, [&](const ports::TaskRow& task) {
        return std::ranges::none_of(slots, [&](const auto& slot) { return slot.task == task.id; });
    }));
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
    ports::TaskFilter filter;
    filter.state = domain::TaskState::processing;
    const auto processing =
        services.store.list_tasks(filter, {.limit = kLookedAtMax, .cursor = {}});
    if (!processing) {
        return std::unexpected(processing.error());
    }
    // After the rows: a unit that ended between the two looks stuck, one that began does not.
    const auto slots = services.engine.slots();
    const auto free_bytes = services.blobs.free_bytes();
    metrics::Metrics::Now now{.waiting = counts->pending + counts->retrying,
                              .running = counts->processing,
                              .oldest_waiting = longest->value_or(Millis{0}),
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
    now.stuck = stuck_tasks(processing->rows, slots);
    if (now.stuck > 0) {
        // Only what is so at a second look as well: a step may just have ended.
        const auto again = services.store.list_tasks(filter, {.limit = kLookedAtMax, .cursor = {}});
        std::vector<ports::TaskRow> still;
        for (const ports::TaskRow& task : again ? again->rows : std::vector<ports::TaskRow>{}) {
            const bool before = std::ranges::any_of(processing->rows, [&](const auto& t) {
                return t.id == task.id && t.updated_at == task.updated_at;
            });
            if (before) {
                still.push_back(task);
            }
        }
        now.stuck = stuck_tasks(still, services.engine.slots());
    }
    Response response;
    response.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"},
                        {"Cache-Control", "no-store"}};
    response.body = services.metrics.text(now);
    return response;
}

}  // namespace durascribe::api
