#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "durascribe/api/handlers.h"
#include "durascribe/api/intake.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/names.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"

namespace durascribe::api {
namespace {

using domain::TaskState;
using engine::Engine;

constexpr std::array kStates{TaskState::pending,   TaskState::processing,      TaskState::retrying,
                             TaskState::completed, TaskState::partial_failure, TaskState::failed,
                             TaskState::cancelled};

json::string_view word(TaskState state) {
    const std::string_view name = to_string(state);
    return {name.data(), name.size()};
}

Result<BatchId> batch_id_of(const Request& request) {
    std::string text{request.capture("id")};
    if (!is_uuid(text)) {
        return fail(ErrorClass::request, "not_found",
                    "There is no such batch: its id must be a UUID.");
    }
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return BatchId{std::move(text)};
}

std::string batch_path(const BatchId& id) {
    return "/api/v1/batches/" + id.value;
}

// ---- what is asked for ----

Result<TaskFields> fields_of(const json::object& options) {
    TaskFields fields;
    for (const auto& [key, value] : options) {
        const std::string name{key.data(), key.size()};
        if (name == "title" || !TaskFields::knows(name)) {
            return std::unexpected(
                bad_value("options",
                          "an object with some of: language, engine, model, audio_track, diarize, "
                          "priority and from_step"));
        }
        const json::string* text = value.if_string();
        if (text == nullptr && !value.is_int64() && !value.is_bool()) {
            return std::unexpected(bad_value(name, "text, a whole number, true or false"));
        }
        const std::string said = text != nullptr   ? std::string{text->data(), text->size()}
                                 : value.is_bool() ? (value.get_bool() ? "true" : "false")
                                                   : std::to_string(value.get_int64());
        if (auto set = fields.set(name, said); !set) {
            return std::unexpected(set.error());
        }
    }
    return fields;
}

// {"media_id": …, options}: what is not given is as it was.
Result<Engine::NewBatch::Again> again_of(const Services& services, json::object item,
                                         const TaskFields& common) {
    const json::string* id = item.at("media_id").if_string();
    if (id == nullptr || !is_uuid({id->data(), id->size()})) {
        return std::unexpected(bad_value("media_id", "a UUID"));
    }
    const MediaId media{std::string{id->data(), id->size()}};
    item.erase("media_id");
    const auto own = fields_of(item);
    if (!own) {
        return std::unexpected(own.error());
    }
    const auto before = services.store.newest_task(media);
    if (!before) {
        return std::unexpected(before.error());
    }
    const auto& defaults = *before ? (*before)->options : services.settings.task_defaults;
    return Engine::NewBatch::Again{media, own->over(common.over(defaults))};
}

Error in_item(Error error, std::size_t position) {
    error.message = fmt::format("items[{}]: {}", position, error.message);
    return error;
}

Result<void> add_item(const Services& services, const json::value& value, const TaskFields& common,
                      Engine::NewBatch& batch) {
    const json::object* item = value.if_object();
    if (item == nullptr || item->contains("url") == item->contains("media_id")) {
        return std::unexpected(
            bad_value("an item", "an object with either url or media_id, and options of its own"));
    }
    if (item->contains("media_id")) {
        auto again = again_of(services, *item, common);
        if (!again) {
            return std::unexpected(again.error());
        }
        batch.items.emplace_back(std::move(*again));
        return {};
    }
    auto import = import_of(*item, common, services.settings.task_defaults);
    if (!import) {
        return std::unexpected(import.error());
    }
    batch.items.emplace_back(std::move(*import));
    return {};
}

Result<Engine::NewBatch> batch_of(const Services& services, const json::object& body) {
    Engine::NewBatch batch;
    TaskFields common;
    const json::array* items = nullptr;
    for (const auto& [key, value] : body) {
        if (key == "title" && value.is_string()) {
            auto title = checked_title({value.get_string().data(), value.get_string().size()});
            if (!title) {
                return std::unexpected(title.error());
            }
            batch.title = std::move(*title);
        } else if (key == "options" && value.is_object()) {
            auto fields = fields_of(value.get_object());
            if (!fields) {
                return std::unexpected(fields.error());
            }
            common = std::move(*fields);
        } else if (key == "items" && value.is_array()) {
            items = &value.get_array();
        } else {
            return std::unexpected(
                bad_value("The body",
                          "{\"items\": […]}, with \"title\" (text) and \"options\" (an object) "
                          "where wanted"));
        }
    }
    if (items == nullptr || items->empty() || items->size() > ports::kBatchItemsMax) {
        return std::unexpected(
            bad_value("items", fmt::format("a list of 1 to {} items", ports::kBatchItemsMax)));
    }
    for (const json::value& item : *items) {
        if (auto added = add_item(services, item, common, batch); !added) {
            return std::unexpected(in_item(added.error(), batch.items.size()));
        }
    }
    return batch;
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
    const auto id = batch_id_of(request);
    return id ? services.store.batch(*id) : std::unexpected(id.error());
}

}  // namespace

Result<Response> create_batch(const Services& services, const Request& request) {
    const auto body = json_body(request);
    if (!body) {
        return std::unexpected(body.error());
    }
    auto key = idempotency_key_of(request);
    if (!key) {
        return std::unexpected(key.error());
    }
    auto batch = batch_of(services, *body);
    if (!batch) {
        return std::unexpected(batch.error());
    }
    batch->idempotency = std::move(*key);
    const auto made = services.engine.submit_batch(*batch);
    if (!made) {
        return std::unexpected(made.error());
    }
    Response response = json_response(201, batch_shape(*made));
    response.headers.emplace_back("Location", batch_path(made->id));
    if (made->replayed) {
        response.headers.emplace_back("Idempotency-Replayed", "true");
    }
    return response;
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
        const auto retried = services.engine.retry(item.task_id);
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
