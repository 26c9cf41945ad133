#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "durascribe/api/batch_intake.h"
#include "durascribe/api/handlers.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/names.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"
#include "durascribe/base/log.h"

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

namespace {

// false: there was nothing to do.
using Change = std::function<Result<bool>(const ports::BatchRow::Item&)>;

bool is_one_of(const Error& error, std::initializer_list<std::string_view> codes) {
    return std::ranges::find(codes, std::string_view{error.code}) != codes.end();
}

// Of each item, to the end: one that is refused stands in no other's way. An error says that
// nothing was changed, but "in_doubt", which says that nobody knows.
Result<Response> change_each(const Services& services, const ports::BatchRow& batch,
                             std::string_view changed, const Change& change) {
    json::array outcomes;
    std::optional<Error> refused;
    bool any = false;
    for (const ports::BatchRow::Item& item : batch.items) {
        const auto done = change(item);
        if (!done && (!refused || done.error().code == "in_doubt")) {
            refused = done.error();
        }
        if (!done && done.error().cls != ErrorClass::request) {
            log::warning("batch {}, task {}: {}", batch.id.value, item.task_id.value,
                         done.error().message);
        }
        any = any || (done && *done);
        const std::string_view outcome = !done ? "refused" : *done ? changed : "left";
        outcomes.push_back(json::object{
            {"media_id", item.media_id.value},
            {"task_id", item.task_id.value},
            {"outcome", json::string_view{outcome.data(), outcome.size()}},
            {"error", done ? json::value(nullptr)
                           : error_or_null(ports::StoredError{done.error().cls, done.error().code,
                                                              done.error().message})}});
    }
    if (refused && !any) {
        return std::unexpected(*refused);
    }
    const auto now = services.store.batch(batch.id);
    if (!now) {  // what became of it is told all the same
        log::warning("batch {}: {}", batch.id.value, now.error().message);
    }
    json::object body = batch_shape(now ? *now : batch);
    body["outcomes"] = std::move(outcomes);
    return json_response(202, std::move(body));
}

// Retries that are asked for by one request, under one key. The first that is queued is kept under
// that key, so that another request with it is refused; every other under one that is made of it
// and of its task. So the same request again queues nothing twice, and does what was not done.
class Retries {
  public:
    Retries(const Services& services, std::optional<ports::IdempotencyKey> key,
            const ports::Charge& charge)
        : services_(services), key_(std::move(key)), charge_(charge) {}

    // Where it failed or was cancelled, as a whole or in part, and nothing newer is there.
    Result<bool> retry(const ports::BatchRow::Item& item) {
        for (;;) {
            const auto key = key_of(item.task_id);
            const auto before = key ? services_.store.key_known(*key) : Result<bool>(false);
            const auto wanted = before && !*before ? is_wanted(item) : before;
            if (!wanted || !*wanted) {
                return wanted;
            }
            const auto retried = services_.engine.retry(item.task_id, key, charge_);
            if (!retried) {
                // Another request was quicker.
                return is_one_of(retried.error(), {"task_running", "not_retryable", "not_found"})
                           ? Result<bool>(false)
                           : std::unexpected(retried.error());
            }
            replayed_ = replayed_ || retried->replayed;
            if (key && !first_) {
                first_ = retried->task.id;
            }
            if (retried->task.id == item.task_id) {
                return true;
            }
        }
    }
    bool replayed() const { return replayed_; }

  private:
    std::optional<ports::IdempotencyKey> key_of(const TaskId& task) const {
        auto key = key_;
        if (key && first_ && *first_ != task) {
            key->key = fmt::format("{} {}", task.value, key->key);
        }
        return key;
    }
    Result<bool> is_wanted(const ports::BatchRow::Item& item) const {
        if (!item.task || !is_terminal(item.task->state) ||
            item.task->state == TaskState::completed) {
            return false;
        }
        const auto newest = services_.store.newest_task(item.media_id);
        if (!newest) {
            return std::unexpected(newest.error());
        }
        return *newest && (*newest)->id == item.task_id;
    }

    const Services& services_;
    const std::optional<ports::IdempotencyKey> key_;
    const ports::Charge& charge_;
    std::optional<TaskId> first_;  // whose retry is kept under the request's own key
    bool replayed_ = false;
};

}  // namespace

// Each of them that has not ended; what ends by itself meanwhile has ended.
Result<Response> cancel_batch(const Services& services, const Request& request) {
    const auto batch = batch_in(services, request);
    if (!batch) {
        return std::unexpected(batch.error());
    }
    return change_each(
        services, *batch, "cancelled", [&](const ports::BatchRow::Item& item) -> Result<bool> {
            if (!item.task || is_terminal(item.task->state)) {
                return false;
            }
            const auto cancelled = services.engine.cancel(item.task_id);
            if (!cancelled && !is_one_of(cancelled.error(), {"task_ended", "not_found"})) {
                return std::unexpected(cancelled.error());
            }
            return cancelled.has_value();
        });
}

Result<Response> retry_batch(const Services& services, const Request& request) {
    const auto batch = batch_in(services, request);
    if (!batch) {
        return std::unexpected(batch.error());
    }
    auto key = idempotency_key_of(request);
    if (!key) {
        return std::unexpected(key.error());
    }
    Retries retries{services, std::move(*key), request.who.charge};
    auto response = change_each(services, *batch, "queued", [&](const ports::BatchRow::Item& item) {
        return retries.retry(item);
    });
    if (response && retries.replayed()) {
        response->headers.emplace_back("Idempotency-Replayed", "true");
    }
    return response;
}

}  // namespace durascribe::api
