#include <fmt/format.h>

#include <algorithm>
#include <array>
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

constexpr int kQueueMax = 200;  // of each kind, where nothing else is asked for
constexpr int kLaneMax = 500;
constexpr int kLogMax = 500;

struct StartRequest {
    TaskFields fields = TaskFields::of_known_media();
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
                                    "audio_track, diarize, priority, from_step and force.",
                                    name));
        }
        const bool default_track = name == "audio_track" && value.is_null();
        if (auto set = start.fields.set_json(name, default_track ? json::value("auto") : value);
            !set) {
            return std::unexpected(set.error());
        }
    }
    return start;
}

// Where the tracks are known, a wrong one is refused at once, and not when it is loaded.
Result<void> check_track(const Services& services, const MediaId& id,
                         const domain::TaskOptions& options) {
    if (!options.audio_track) {
        return {};
    }
    const auto media = services.store.media(id);
    if (!media || !media->info || media->info->audio_tracks.empty()) {
        return {};  // not there: the submission says so
    }
    const auto& tracks = media->info->audio_tracks;
    if (std::cmp_less(*options.audio_track, tracks.size())) {
        return {};
    }
    return fail(ErrorClass::input, "no_such_audio_track",
                fmt::format("There is no audio track {}. This file has: {}. Choose one of them, or "
                            "auto for the file's default.",
                            *options.audio_track, domain::describe_tracks(tracks)));
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
    const auto options =
        start->fields.over(*before ? (*before)->options : services.settings.task_defaults);
    const auto key = idempotency_key_of(request);
    if (!key) {
        return std::unexpected(key.error());
    }
    if (auto checked = check_track(services, *id, options); !checked) {
        // Asked before, when the tracks were not known: the first answer stands.
        const bool known = *key && services.store.key_known(**key).value_or(false);
        if (!known) {
            return std::unexpected(checked.error());
        }
    }
    // A late start may do without what ran before, but what is asked for now must be there.
    if (auto there = services.engine.check_request(start->fields.chosen(), *key); !there) {
        return std::unexpected(there.error());
    }
    auto made = services.engine.submit_task(*id, options, start->force, *key, request.who.charge);
    if (!made) {
        if (made.error().code == "task_running" && !start->force) {
            made.error().message +=
                " With force=true it is cancelled, and this one takes its place.";
        }
        return std::unexpected(made.error());
    }
    Response response = json_response(
        202, accepted_shape(made->task, "Queued. It goes on by itself, also after a restart.",
                            media_path(*id) + "/reprocess", dialect_of(request)));
    response.headers.emplace_back("Location", task_path(made->task.id));
    if (made->replayed) {
        response.headers.emplace_back("Idempotency-Replayed", "true");
    }
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
    auto media = id_parameter(request, "media_id");
    if (!media) {
        return std::unexpected(media.error());
    }
    ports::TaskFilter filter;
    filter.state = *state;
    filter.active_only = active->value_or(false);
    if (*media) {
        filter.media_id = MediaId{std::move(**media)};
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

// The priority is the one thing of a task that can be changed.
Result<Response> change_task(const Services& services, const Request& request) {
    const auto id = task_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto body = json_body(request);
    if (!body) {
        return std::unexpected(body.error());
    }
    const json::value* priority = body->if_contains("priority");
    if (priority == nullptr || body->size() != 1) {
        return std::unexpected(bad_value("The body", "{\"priority\": …} and nothing else"));
    }
    if (!priority->is_int64() || priority->get_int64() < -100 || priority->get_int64() > 100) {
        return std::unexpected(bad_value("priority", "a whole number from -100 to 100"));
    }
    const auto changed = services.store.set_priority(*id, static_cast<int>(priority->get_int64()));
    if (!changed) {
        return std::unexpected(changed.error());
    }
    return get_task(services, request);
}

namespace {

json::object unit_shape(const ports::UnitRow& unit) {
    const auto seconds = [](Millis t) { return static_cast<double>(t.count()) / 1000.0; };
    const auto text = [](std::string_view s) { return json::string_view{s.data(), s.size()}; };
    json::object out;
    out["step"] = text(domain::to_string(unit.step));
    out["ordinal"] = unit.ordinal;
    out["status"] = text(domain::to_string(unit.state));
    out["start"] = seconds(unit.span.start);
    out["end"] = seconds(unit.span.end);
    out["attempts"] = unit.attempts;
    out["model"] = unit.model.empty() ? json::value(nullptr) : json::value(unit.model);
    out["audio_done_seconds"] = seconds(unit.audio_done);
    out["next_attempt_at"] = time_or_null(unit.not_before);
    out["started_at"] = time_or_null(unit.started_at);
    out["completed_at"] = time_or_null(unit.completed_at);
    out["error"] = error_or_null(unit.error);
    return out;
}

}  // namespace

Result<Response> get_units(const Services& services, const Request& request) {
    const auto id = task_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    if (const auto task = services.store.task(*id); !task) {
        return std::unexpected(task.error());
    }
    const auto units = services.store.units(*id);
    if (!units) {
        return std::unexpected(units.error());
    }
    json::array items;
    for (const auto& unit : *units) {
        items.push_back(unit_shape(unit));
    }
    return json_response(200, json::object{{"task_id", id->value}, {"items", std::move(items)}});
}

Result<Response> get_task_log(const Services& services, const Request& request) {
    const auto id = task_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto limit = number_parameter(request, "limit", 1, kLogMax);
    if (!limit) {
        return std::unexpected(limit.error());
    }
    const auto events = services.store.task_events(*id, limit->value_or(kLogMax));
    if (!events) {
        return std::unexpected(events.error());
    }
    json::array items;
    for (const auto& event : *events) {
        items.push_back(json::object{{"seq", event.seq},
                                     {"at", to_rfc3339(event.at)},
                                     {"type", event.type},
                                     {"data", json::parse(event.payload)}});
    }
    return json_response(200, json::object{{"task_id", id->value}, {"items", std::move(items)}});
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
        task_path(*id), dialect_of(request));
    body["cancel_requested"] = true;
    return json_response(ended ? 200 : 202, std::move(body));
}

Result<Response> retry_task(const Services& services, const Request& request) {
    const auto id = task_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto key = idempotency_key_of(request);
    if (!key) {
        return std::unexpected(key.error());
    }
    const auto outcome = services.engine.retry(*id, *key, request.who.charge);
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
                       task_path(*id), dialect_of(request));
    body["run"] = outcome->task.run_number;
    body["queued"] = std::move(queued);
    body["failed"] = outcome->failed;
    body["cancelled"] = outcome->cancelled;
    Response response = json_response(202, std::move(body));
    if (outcome->replayed) {
        response.headers.emplace_back("Idempotency-Replayed", "true");
    }
    return response;
}

Result<Response> get_attempts(const Services& services, const Request& request) {
    const auto id = task_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    if (const auto task = services.store.task(*id); !task) {
        return std::unexpected(task.error());
    }
    const auto attempts = services.store.attempts(*id);
    if (!attempts) {
        return std::unexpected(attempts.error());
    }
    json::array items;
    for (const auto& attempt : *attempts) {
        items.push_back(attempt_shape(attempt));
    }
    return json_response(200, json::object{{"task_id", id->value}, {"items", std::move(items)}});
}

namespace {

// nullopt: deleted since the list was read.
Result<std::optional<json::object>> queue_entry(const Services& services, const TaskId& task,
                                                Dialect dialect) {
    const auto view = services.engine.view(task);
    if (!view) {
        return view.error().code == "not_found" ? Result<std::optional<json::object>>(std::nullopt)
                                                : std::unexpected(view.error());
    }
    const auto media = services.store.media(view->row.media_id);
    if (!media) {
        return media.error().code == "not_found" ? Result<std::optional<json::object>>(std::nullopt)
                                                 : std::unexpected(media.error());
    }
    json::object entry = status_shape(view->row.media_id, *view, dialect);
    entry["title"] = media->title;
    entry["priority"] = view->row.options.priority;
    return entry;
}

}  // namespace

Result<Response> get_queue(const Services& services, const Request& request) {
    const auto asked = number_parameter(request, "limit", 1, kLaneMax);
    if (!asked) {
        return std::unexpected(asked.error());
    }
    const int limit = asked->value_or(kQueueMax);
    const ports::Page page{std::min(limit, kQueueMax), {}};
    const auto at_work = services.store.list_tasks({.state = domain::TaskState::processing}, page);
    const auto in_line = services.store.queue(limit + 1);  // one more: whether there are more
    // Those that wait for their next attempt have no place in the line yet.
    const auto later = services.store.list_tasks({.state = domain::TaskState::retrying}, page);
    const auto counts = services.store.counts();
    const auto paused = services.store.paused();
    for (const Error* error :
         {at_work ? nullptr : &at_work.error(), in_line ? nullptr : &in_line.error(),
          later ? nullptr : &later.error(), counts ? nullptr : &counts.error(),
          paused ? nullptr : &paused.error()}) {
        if (error != nullptr) {
            return std::unexpected(*error);
        }
    }
    std::vector<TaskId> running_ids;
    std::vector<TaskId> waiting_ids;
    for (const auto& row : at_work->rows) {
        running_ids.push_back(row.id);
    }
    bool truncated = !at_work->next_cursor.empty() || !later->next_cursor.empty();
    std::array<int, domain::kLanes> listed{};
    for (const auto& queued : *in_line) {
        if (++listed.at(static_cast<std::size_t>(queued.place.lane)) > limit) {
            truncated = true;
            continue;
        }
        waiting_ids.push_back(queued.task.id);
    }
    for (const auto& row : later->rows) {
        waiting_ids.push_back(row.id);
    }
    json::object body;
    for (const auto& [name, ids] :
         {std::pair{"running", &running_ids}, {"waiting", &waiting_ids}}) {
        json::array entries;
        for (const TaskId& id : *ids) {
            auto entry = queue_entry(services, id, dialect_of(request));
            if (!entry) {
                return std::unexpected(entry.error());
            }
            if (*entry) {
                entries.push_back(std::move(**entry));
            }
        }
        body[name] = std::move(entries);
    }
    body["paused"] = *paused;
    body["counts"] = counts_shape(*counts);
    body["slots"] = slots_shape(services.engine.slots());
    body["truncated"] = truncated;
    return json_response(200, std::move(body));
}

namespace {

Result<Response> set_paused(const Services& services, bool paused) {
    if (auto set = services.store.set_paused(paused); !set) {
        return std::unexpected(set.error());
    }
    return json_response(
        200, json::object{{"paused", paused},
                          {"message", paused ? "Nothing new is started. What runs goes on."
                                             : "Waiting tasks are started again."}});
}

}  // namespace

Result<Response> pause_queue(const Services& services, const Request&) {
    return set_paused(services, true);
}
Result<Response> resume_queue(const Services& services, const Request&) {
    return set_paused(services, false);
}

}  // namespace durascribe::api
