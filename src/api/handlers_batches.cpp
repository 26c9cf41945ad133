#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "durascribe/api/batch_intake.h"
#include "durascribe/api/handlers.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/names.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"

namespace durascribe::api {
namespace {

using domain::TaskState;

constexpr std::array kStates{TaskState::pending,   TaskState::processing,      TaskState::retrying,
                             TaskState::completed, TaskState::partial_failure, TaskState::failed,
                             TaskState::cancelled};

json::string_view word(TaskState state) {
    const std::string_view name = to_string(state);
    return {name.data(), name.size()};
}

std::string batch_path(const BatchId& id) {
    return "/api/v1/batches/" + id.value;
}

// ---- what is told ----

// As that of a task which has these as its parts.
TaskState state_of(const std::vector<int>& counts, int total) {
    const auto of = [&](TaskState state) { return counts[static_cast<std::size_t>(state)]; };
    if (of(TaskState::processing) > 0) {
        return TaskState::processing;
    }
    if (of(TaskState::retrying) > 0) {
        return TaskState::retrying;
    }
    if (of(TaskState::pending) > 0) {
        const bool begun = of(TaskState::pending) < total;
        return begun ? TaskState::processing : TaskState::pending;
    }
    for (const TaskState all : {TaskState::completed, TaskState::cancelled, TaskState::failed}) {
        if (of(all) == total) {
            return all;
        }
    }
    return of(TaskState::completed) + of(TaskState::partial_failure) > 0
               ? TaskState::partial_failure
               : TaskState::failed;
}

json::object item_shape(const ports::BatchRow::Item& item) {
    json::object out;
    out["media_id"] = item.media_id.value;
    out["task_id"] = item.task_id.value;
    out["deleted"] = !item.media || !item.task;
    out["title"] = item.media ? json::value(item.media->title) : json::value(nullptr);
    out["source_url"] = item.media && !item.media->source_url.empty()
                            ? json::value(item.media->source_url)
                            : json::value(nullptr);
    out["status"] = item.task ? json::value(word(item.task->state)) : json::value(nullptr);
    out["progress"] = item.task ? item.task->progress : 0.0;
    out["error"] = item.task ? error_or_null(item.task->error) : json::value(nullptr);
    out["media_url"] = media_path(item.media_id);
    return out;
}

json::object batch_shape(const ports::BatchRow& batch) {
    std::vector<int> counts(kStates.size());
    int there = 0;
    double progress = 0;
    json::array items;
    for (const ports::BatchRow::Item& item : batch.items) {
        if (item.task) {
            ++counts[static_cast<std::size_t>(item.task->state)];
            progress += is_terminal(item.task->state) ? 100 : item.task->progress;
            ++there;
        }
        items.push_back(item_shape(item));
    }
    json::object by_state;
    for (const TaskState state : kStates) {
        by_state[word(state)] = counts[static_cast<std::size_t>(state)];
    }
    json::object out;
    out["id"] = batch.id.value;
    out["title"] = batch.title;
    out["created_at"] = to_rfc3339(batch.created_at);
    out["status"] = word(there > 0 ? state_of(counts, there) : TaskState::cancelled);
    out["progress"] = there > 0 ? progress / there : 100.0;
    out["total"] = batch.items.size();
    out["deleted"] = static_cast<int>(batch.items.size()) - there;
    out["counts"] = std::move(by_state);
    out["items"] = std::move(items);
    return out;
}

Result<ports::BatchRow> batch_in(const Services& services, const Request& request) {
    const auto id = path_id<BatchId>(request, "id", "batch");
    return id ? services.store.batch(*id) : std::unexpected(id.error());
}

}  // namespace

Result<std::unique_ptr<BodySink>> create_batch(const Services& services, const Request& request) {
    return make_batch_sink(services, request, [](const ports::BatchRow& made) {
        Response response = json_response(201, batch_shape(made));
        response.headers.emplace_back("Location", batch_path(made.id));
        if (made.replayed) {
            response.headers.emplace_back("Idempotency-Replayed", "true");
        }
        return response;
    });
}

Result<Response> list_batches(const Services& services, const Request& request) {
    const auto page = page_of(request);
    if (!page) {
        return std::unexpected(page.error());
    }
    const auto found = services.store.list_batches(*page);
    if (!found) {
        return std::unexpected(found.error());
    }
    json::array items;
    for (const ports::BatchRow& batch : found->rows) {
        items.push_back(json::object{{"id", batch.id.value},
                                     {"title", batch.title},
                                     {"created_at", to_rfc3339(batch.created_at)},
                                     {"batch_url", batch_path(batch.id)}});
    }
    return json_response(200, page_shape(std::move(items), found->next_cursor));
}

Result<Response> get_batch(const Services& services, const Request& request) {
    const auto batch = batch_in(services, request);
    if (!batch) {
        return std::unexpected(batch.error());
    }
    return json_response(200, batch_shape(*batch));
}

// Each of them that has not ended; what ends by itself meanwhile has ended.
Result<Response> cancel_batch(const Services& services, const Request& request) {
    const auto batch = batch_in(services, request);
    if (!batch) {
        return std::unexpected(batch.error());
    }
    for (const ports::BatchRow::Item& item : batch->items) {
        if (!item.task || is_terminal(item.task->state)) {
            continue;
        }
        const auto cancelled = services.engine.cancel(item.task_id);
        if (!cancelled && cancelled.error().code != "task_ended" &&
            cancelled.error().code != "not_found") {
            return std::unexpected(cancelled.error());
        }
    }
    const auto now = services.store.batch(batch->id);
    if (!now) {
        return std::unexpected(now.error());
    }
    return json_response(202, batch_shape(*now));
}

// Each of them that failed or was cancelled, as a whole or in part. One that has another task by
// now is left to that.
Result<Response> retry_batch(const Services& services, const Request& request) {
    const auto batch = batch_in(services, request);
    if (!batch) {
        return std::unexpected(batch.error());
    }
    for (const ports::BatchRow::Item& item : batch->items) {
        if (!item.task || !is_terminal(item.task->state) ||
            item.task->state == TaskState::completed) {
            continue;
        }
        const auto newest = services.store.newest_task(item.media_id);
        if (!newest) {
            return std::unexpected(newest.error());
        }
        if (!*newest || (*newest)->id != item.task_id) {
            continue;
        }
        const auto retried = services.engine.retry(item.task_id, {}, request.who.charge);
        if (!retried && retried.error().code != "task_running" &&
            retried.error().code != "not_retryable" && retried.error().code != "not_found") {
            return std::unexpected(retried.error());
        }
    }
    const auto now = services.store.batch(batch->id);
    if (!now) {
        return std::unexpected(now.error());
    }
    return json_response(202, batch_shape(*now));
}

}  // namespace durascribe::api
