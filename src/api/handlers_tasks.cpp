#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

#include "durascribe/api/handlers.h"
#include "durascribe/api/header_values.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"

namespace durascribe::api {
namespace {

constexpr int kQueueMax = 200;

struct StartRequest {
    TaskFields fields;
    bool force = false;
};

// Options come by the query, by a JSON body, or not at all.
Result<StartRequest> parse_start(const Request& request) {
    StartRequest start;
    const auto force = flag_parameter(request, "force");
    if (!force) {
        return std::unexpected(force.error());
    }
    start.force = force->value_or(false);
    if (auto set = start.fields.set_from_query(request); !set) {
        return std::unexpected(set.error());
    }
    if (request.body.empty()) {
        return start;
    }
    const auto body = json_body(request);
    if (!body) {
        return std::unexpected(body.error());
    }
    for (const auto& [key, value] : *body) {
        const std::string name{key.data(), key.size()};
        if (name == "force") {
            if (!value.is_bool()) {
                return std::unexpected(bad_value("force", "true or false"));
            }
            start.force = value.get_bool();
            continue;
        }
        if (name == "title" || !TaskFields::knows(name)) {
            return fail(ErrorClass::request, "bad_value",
                        fmt::format("\"{}\" is not an option. There are: language, engine, model, "
                                    "audio_track, priority and force.",
                                    name));
        }
        if (!value.is_string() && !value.is_int64()) {
            return std::unexpected(bad_value(name, "text or a whole number"));
        }
        const std::string text =
            value.is_string() ? std::string{value.get_string().data(), value.get_string().size()}
                              : std::to_string(value.get_int64());
        if (auto set = start.fields.set(name, text); !set) {
            return std::unexpected(set.error());
        }
    }
    return start;
}

}  // namespace

Result<Response> start_task(const Services& services, const Request& request) {
    const auto id = media_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto start = parse_start(request);
    if (!start) {
        return std::unexpected(start.error());
    }
    const auto before = services.store.newest_task(*id);
    if (!before) {
        return std::unexpected(before.error());
    }
    // What was chosen last time holds until something else is chosen.
    const auto options = start->fields.over(*before ? (*before)->options : domain::TaskOptions{});
    const auto task = services.engine.submit_task(*id, options, start->force);
    if (!task) {
        return std::unexpected(task.error());
    }
    Response response = json_response(
        202, accepted_shape(*task, "Queued. It goes on by itself, also after a restart.",
                            dialect_of(request)));
    response.headers.emplace_back("Location", task_path(task->id));
    return response;
}

Result<Response> get_progress(const Services& services, const Request& request) {
    const auto id = media_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto view = services.engine.view_of_media(*id);
    if (!view) {
        return std::unexpected(view.error());
    }
    if (!*view) {
        if (const auto media = services.store.media(*id); !media) {
            return std::unexpected(media.error());
        }
    }
    return json_response(200, progress_shape(*id, *view, dialect_of(request)));
}

Result<Response> list_tasks(const Services& services, const Request& request) {
    const auto page = page_of(request);
    if (!page) {
        return std::unexpected(page.error());
    }
    const auto state = state_parameter(request);
    if (!state) {
        return std::unexpected(state.error());
    }
    const auto active = flag_parameter(request, "active");
    if (!active) {
        return std::unexpected(active.error());
    }
    const auto media = text_parameter(request, "media_id");
    if (!media) {
        return std::unexpected(media.error());
    }
    ports::TaskFilter filter;
    filter.state = *state;
    filter.active_only = active->value_or(false);
    if (*media) {
        if (!is_uuid(**media)) {
            return std::unexpected(bad_value("media_id", "a UUID"));
        }
        filter.media_id = MediaId{**media};
    }
    const auto found = services.store.list_tasks(filter, *page);
    if (!found) {
        return std::unexpected(found.error());
    }
    json::array items;
    for (const auto& task : found->rows) {
        items.push_back(task_row_shape(task));
    }
    return json_response(200, page_shape(std::move(items), found->next_cursor));
}

Result<Response> get_task(const Services& services, const Request& request) {
    const auto id = task_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto view = services.engine.view(*id);
    if (!view) {
        return std::unexpected(view.error());
    }
    return json_response(200, task_view_shape(*view));
}

Result<Response> cancel_task(const Services& services, const Request& request) {
    const auto id = task_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto task = services.engine.cancel(*id);
    if (!task) {
        return std::unexpected(task.error());
    }
    // 202 says that it is still working: it is "cancelled" when its last worker is dead.
    const bool ended = domain::is_terminal(task->state);
    json::object body = accepted_shape(
        *task,
        ended ? "Cancelled." : "The work is being stopped; the task is cancelled in a moment.",
        dialect_of(request));
    body["cancel_requested"] = true;
    return json_response(ended ? 200 : 202, body);
}

Result<Response> retry_task(const Services& services, const Request& request) {
    const auto id = task_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto outcome = services.engine.retry(*id);
    if (!outcome) {
        return std::unexpected(outcome.error());
    }
    int units = 0;
    json::object queued;
    for (const auto& [step, count] : outcome->queued) {
        const std::string_view name = domain::to_string(step);
        queued[json::string_view{name.data(), name.size()}] = count;
        units += count;
    }
    json::object body =
        accepted_shape(outcome->task,
                       fmt::format("Queued again: {} {}. What was finished is kept.", units,
                                   units == 1 ? "part" : "parts"),
                       dialect_of(request));
    body["run"] = outcome->task.run_number;
    body["queued"] = std::move(queued);
    return json_response(202, body);
}

Result<Response> get_queue(const Services& services, const Request& request) {
    // Lists are newest first: what runs is asked for by itself, or a long queue would push it out.
    const auto at_work = services.store.list_tasks({.state = domain::TaskState::processing},
                                                   ports::Page{kQueueMax, {}});
    const auto active =
        services.store.list_tasks({.active_only = true}, ports::Page{kQueueMax, {}});
    if (!at_work || !active) {
        return std::unexpected(at_work ? active.error() : at_work.error());
    }
    std::vector<ports::TaskRow> rows = at_work->rows;
    std::ranges::copy_if(active->rows, std::back_inserter(rows), [&](const ports::TaskRow& row) {
        return std::ranges::find(at_work->rows, row.id, &ports::TaskRow::id) == at_work->rows.end();
    });
    const auto counts = services.store.counts();
    if (!counts) {
        return std::unexpected(counts.error());
    }
    json::array running;
    std::vector<std::pair<int, json::object>> in_line;  // with their positions
    for (const auto& row : rows) {
        const auto view = services.engine.view(row.id);
        const auto media = services.store.media(row.media_id);
        if (!view || !media) {
            const Error& error = view ? media.error() : view.error();
            if (error.code == "not_found") {
                continue;  // deleted since the list was read
            }
            return std::unexpected(error);
        }
        json::object entry = status_shape(row.media_id, *view, dialect_of(request));
        entry["title"] = media->title;
        entry["priority"] = view->row.options.priority;
        if (view->row.state == domain::TaskState::processing) {
            running.push_back(std::move(entry));
        } else {
            // One that waits for its next attempt has no place in the queue yet.
            const int position = view->queue_position.value_or(std::numeric_limits<int>::max());
            in_line.emplace_back(position, std::move(entry));
        }
    }
    std::ranges::sort(in_line, {}, &std::pair<int, json::object>::first);
    json::array waiting;
    for (auto& [position, entry] : in_line) {
        waiting.push_back(std::move(entry));
    }
    json::object body;
    body["running"] = std::move(running);
    body["waiting"] = std::move(waiting);
    body["counts"] = counts_shape(*counts);
    body["slots"] = slots_shape(services.engine.slots());
    body["truncated"] = !active->next_cursor.empty();
    return json_response(200, body);
}

}  // namespace durascribe::api
