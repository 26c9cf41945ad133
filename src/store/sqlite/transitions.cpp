#include "durascribe/store/sqlite/transitions.h"

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/store/sqlite/search_index.h"
#include "durascribe/store/sqlite/verbs.h"

namespace durascribe::store {
namespace {

namespace json = boost::json;
using domain::Field;
using domain::TaskEvent;
using domain::TaskState;
using domain::UnitEvent;
using domain::UnitState;

bool delivers(TaskState state) {
    return state == TaskState::completed || state == TaskState::partial_failure;
}

json::string_view view(std::string_view s) {
    return {s.data(), s.size()};
}

std::optional<std::string_view> class_of(const std::optional<ports::StoredError>& e) {
    return e ? std::optional{to_string(e->cls)} : std::nullopt;
}
std::optional<std::string_view> code_of(const std::optional<ports::StoredError>& e) {
    return e ? std::optional<std::string_view>{e->code} : std::nullopt;
}
std::optional<std::string_view> message_of(const std::optional<ports::StoredError>& e) {
    return e ? std::optional<std::string_view>{e->message} : std::nullopt;
}

// What changes with each unit. Its own statement, because SQLite touches every index of which a
// column is named, changed or not.
int write_task_motion(WriteTx& tx, const TaskRecord& t, TaskState from) {
    const ports::TaskRow& r = t.row;
    return tx.db.execute(
        "UPDATE tasks SET state = ?, current_step = ?, progress = ?, updated_at = ?, started_at = "
        "?, delivered = ?, lane = ?, step_units = ?, u_pending = ?, u_waiting = ?, u_claimable = "
        "?, u_running = ?, u_completed = ?, u_failed = ?, u_cancelled = ?, fair_tag = ?, "
        "waiting_since = ? WHERE id = ? AND state = ?",
        to_string(r.state), r.current_step, r.progress, r.updated_at, r.started_at, t.delivered,
        static_cast<int>(t.lane), t.step_units, t.pending, t.waiting, t.claimable, t.running,
        t.completed, t.failed, t.cancelled, t.fair_tag, t.waiting_since, r.id, to_string(from));
}

// What changes when it ends, or is to go on.
int write_task_ending(WriteTx& tx, const TaskRecord& t, TaskState from) {
    const ports::TaskRow& r = t.row;
    return tx.db.execute(
        "UPDATE tasks SET state = ?, current_step = ?, progress = ?, updated_at = ?, started_at = "
        "?, delivered = ?, lane = ?, step_units = ?, u_pending = ?, u_waiting = ?, u_claimable = "
        "?, u_running = ?, u_completed = ?, u_failed = ?, u_cancelled = ?, fair_tag = ?, "
        "waiting_since = ?, run_number = ?, retry_count = ?, completed_at = ?, cancel_requested_at "
        "= ?, next_attempt_at = ?, error_class = ?, error_code = ?, error_message = ?, worked_ms = "
        "? WHERE id = ? AND state = ?",
        to_string(r.state), r.current_step, r.progress, r.updated_at, r.started_at, t.delivered,
        static_cast<int>(t.lane), t.step_units, t.pending, t.waiting, t.claimable, t.running,
        t.completed, t.failed, t.cancelled, t.fair_tag, t.waiting_since, r.run_number,
        r.retry_count, r.completed_at, r.cancel_requested_at, r.next_attempt_at, class_of(r.error),
        code_of(r.error), message_of(r.error), r.worked, r.id, to_string(from));
}

void write_task_details(WriteTx& tx, const TaskRecord& t) {
    tx.db.execute(
        "UPDATE tasks SET engine = ?, model = ?, model_reason = ?, pcm_sha256 = ?, pcm_size = ?, "
        "audio_ms = ? WHERE id = ?",
        t.row.engine, t.row.model, t.row.model_reason, t.pcm.sha256, t.pcm.size_bytes, t.audio,
        t.row.id);
}

// Writes everything about a task that has changed.
Result<void> write_task(WriteTx& tx, TaskRecord& t, TaskState from) {
    t.row.updated_at = tx.now;
    if (t.claimable > 0 && (t.claimable_before == 0 || t.lane != t.lane_before)) {
        join_queue(tx, t);
    }
    const ports::TaskRow& r = t.row;
    const bool ends = r.error || t.ending() != t.ending_before;
    const int rows = ends ? write_task_ending(tx, t, from) : write_task_motion(tx, t, from);
    if (t.details_changed) {
        write_task_details(tx, t);
    }
    if (rows != 1) {
        return fail(ErrorClass::internal, "task_changed",
                    "The task changed under its own transaction. Please report this.", r.id.value);
    }
    if (t.claimable > 0 && (t.claimable > t.claimable_before || t.lane != t.lane_before)) {
        tx.lanes[static_cast<std::size_t>(t.lane)] = true;
    }
    // Room for one more that is decoded ahead (ports::kDecodedAhead).
    if (t.lane_before == domain::Lane::speech && t.claimable_before > 0 &&
        (t.claimable == 0 || t.lane != t.lane_before)) {
        tx.lanes[static_cast<std::size_t>(domain::Lane::media)] = true;
    }
    return {};
}

// Why a task whose units have all ended did not succeed: by what failed in the last step that did.
ports::StoredError reason_of_failure(WriteTx& tx, const TaskRecord& t) {
    Rows rows = tx.db.query(
        "SELECT step, error_class, error_code, error_message,"
        " (SELECT count(*) FROM units n WHERE n.task_id = u.task_id AND n.step = u.step AND "
        "n.state = 'failed'),"
        " (SELECT count(*) FROM units n WHERE n.task_id = u.task_id AND n.step = u.step)"
        " FROM units u WHERE task_id = ? AND state = 'failed' ORDER BY step DESC, ordinal LIMIT 1",
        t.row.id);
    if (!rows.step()) {
        return {ErrorClass::internal, "nothing_delivered",
                "The task ended without a transcript. Retry it."};
    }
    const auto step = static_cast<domain::Step>(rows.small());
    ports::StoredError error = *read_error(rows);
    const int failed = rows.small();
    const int all = rows.small();
    if (step != domain::Step::transcribe || all == 1) {
        return error;
    }
    error.code = "parts_failed";
    error.message = failed == all ? fmt::format("None of the {} parts could be transcribed: {}",
                                                all, error.message)
                                  : fmt::format("{} of {} parts could not be transcribed: {}",
                                                failed, all, error.message);
    return error;
}

struct NextAttempt {
    WallTime at;
    ports::StoredError error;
};

NextAttempt next_attempt(WriteTx& tx, const TaskRecord& t) {
    Rows rows = tx.db.query(
        "SELECT not_before, error_class, error_code, error_message FROM units"
        " WHERE task_id = ? AND state = 'pending' AND not_before IS NOT NULL ORDER BY not_before "
        "LIMIT 1",
        t.row.id);
    DURASCRIBE_ASSERT(rows.step());
    const WallTime at = rows.wall();
    return {at, *read_error(rows)};
}

void set_task_fields(WriteTx& tx, TaskRecord& t, TaskEvent event, Field sets,
                     std::string_view step_name) {
    ports::TaskRow& r = t.row;
    if (has(sets, Field::started_at) && !r.started_at) {
        r.started_at = tx.now;
    }
    if (has(sets, Field::completed_at)) {
        r.completed_at = tx.now;
    }
    if (has(sets, Field::cancel_requested_at) && !r.cancel_requested_at) {
        r.cancel_requested_at = tx.now;
    }
    if (has(sets, Field::next_attempt_at)) {
        NextAttempt next = next_attempt(tx, t);
        r.next_attempt_at = next.at;
        r.error = std::move(next.error);
    } else if (has(sets, Field::error)) {
        r.error = event == TaskEvent::cancelled
                      ? ports::StoredError{ErrorClass::request, "cancelled", "Cancelled by user."}
                      : reason_of_failure(tx, t);
    }
    if (has(sets, Field::retry_count)) {
        ++r.retry_count;
    }
    if (has(sets, Field::progress_full)) {
        r.progress = 100;
    }
    if (has(sets, Field::current_step) && !step_name.empty()) {
        r.current_step = step_name;
    }
    if (has(sets, Field::run_number)) {
        ++r.run_number;
    }
}

void clear_task_fields(ports::TaskRow& r, Field clears) {
    if (has(clears, Field::completed_at)) {
        r.completed_at.reset();
    }
    if (has(clears, Field::error)) {
        r.error.reset();
    }
    if (has(clears, Field::cancel_requested_at)) {
        r.cancel_requested_at.reset();
    }
    if (has(clears, Field::next_attempt_at)) {
        r.next_attempt_at.reset();
    }
    if (has(clears, Field::retry_count)) {
        r.retry_count = 0;
    }
}

// ---- units ----

void set_unit_fields(WriteTx& tx, const TaskRecord& t, UnitRecord& u, Field sets,
                     const UnitChange& change) {
    ports::UnitRow& r = u.row;
    if (has(sets, Field::started_at) && !r.started_at) {
        r.started_at = tx.now;
    }
    if (has(sets, Field::completed_at)) {
        r.completed_at = tx.now;
    }
    if (has(sets, Field::error)) {
        DURASCRIBE_ASSERT(change.error.has_value());
        r.error = ports::StoredError{change.error->cls, change.error->code, change.error->message};
    }
    if (has(sets, Field::next_attempt_at) && change.delay && *change.delay > Millis{0}) {
        r.not_before = tx.now + *change.delay;
        u.not_before_mono = tx.mono + *change.delay;
    }
    if (has(sets, Field::lease)) {
        ++r.lease;
        ++r.attempts;
        r.audio_done = Millis{0};
        u.node = change.node;
        u.lease_expires = tx.mono + change.lease_length;
        u.heartbeat_at = tx.now;
    }
    if (has(sets, Field::progress_full)) {
        r.audio_done = r.step == domain::Step::transcribe ? r.span.length() : t.audio;
    }
}

void clear_unit_fields(UnitRecord& u, Field clears) {
    ports::UnitRow& r = u.row;
    if (has(clears, Field::completed_at)) {
        r.completed_at.reset();
    }
    if (has(clears, Field::error)) {
        r.error.reset();
    }
    if (has(clears, Field::next_attempt_at)) {
        r.not_before.reset();
        u.not_before_mono.reset();
    }
    if (has(clears, Field::lease)) {
        u.node.value.clear();
        u.lease_expires.reset();
        u.heartbeat_at.reset();
    }
    if (has(clears, Field::retry_count)) {
        r.attempts = 0;
        r.crashes = 0;
        r.model.clear();
        r.audio_done = Millis{0};
    }
}

Result<void> write_unit(WriteTx& tx, const UnitRecord& u, UnitState from, std::int64_t lease,
                        std::optional<MonoTime> expired_by) {
    const ports::UnitRow& r = u.row;
    const std::optional<NodeId> node = u.node.value.empty() ? std::nullopt : std::optional{u.node};
    const int rows = tx.db.execute(
        "UPDATE units SET state = ?, lease = ?, node = ?, lease_expires_mono = ?, heartbeat_at = "
        "?, attempts = ?,"
        " crashes = ?, audio_done_ms = ?, not_before = ?, not_before_mono = ?, started_at = ?, "
        "completed_at = ?,"
        " error_class = ?, error_code = ?, error_message = ?, model = ?"
        " WHERE id = ?17 AND state = ?18 AND lease = ?19 AND (?20 IS NULL OR lease_expires_mono <= "
        "?20)",
        to_string(r.state), r.lease, node, u.lease_expires, u.heartbeat_at, r.attempts, r.crashes,
        r.audio_done, r.not_before, u.not_before_mono, r.started_at, r.completed_at,
        class_of(r.error), code_of(r.error), message_of(r.error), r.model, r.id, to_string(from),
        lease, expired_by);
    if (rows != 1) {
        return fail(ErrorClass::lost, "stale_lease",
                    "The unit was given to someone else; this result is dropped.",
                    fmt::format("unit {} lease {}", r.id.value, lease));
    }
    return {};
}

// +1 or -1 for the state in which the unit stands.
void count_unit(TaskRecord& t, const UnitRecord& u, int by) {
    switch (u.row.state) {
        case UnitState::pending:
            t.pending += by;
            t.waiting += u.row.not_before ? by : 0;
            t.claimable += u.not_before_mono ? 0 : by;
            break;
        case UnitState::processing:
            t.running += by;
            break;
        case UnitState::completed:
            t.completed += by;
            break;
        case UnitState::failed:
            t.failed += by;
            break;
        case UnitState::cancelled:
            t.cancelled += by;
            break;
    }
}

}  // namespace

// ---- events -----------------------------------------------------------------------------------

void emit(WriteTx& tx, std::string_view type, const MediaId& media, const TaskId& task,
          std::string payload) {
    tx.db.execute(
        "INSERT INTO events (at, type, media_id, task_id, payload) VALUES (?, ?, ?, ?, ?)", tx.now,
        type, media, task, payload);
    tx.events.push_back({.seq = tx.db.last_insert_rowid(),
                         .at = tx.now,
                         .type = std::string(type),
                         .media_id = media,
                         .task_id = task,
                         .payload = std::move(payload)});
}

void emit_task(WriteTx& tx, std::string_view type, const TaskRecord& t,
               std::optional<TaskState> previous) {
    const ports::TaskRow& r = t.row;
    json::object o{{"task_id", r.id.value},
                   {"media_id", r.media_id.value},
                   {"state", view(to_string(r.state))},
                   {"current_step", r.current_step},
                   {"progress", r.progress},
                   {"run_number", r.run_number},
                   {"retry_count", r.retry_count}};
    if (type == "task.updated") {
        o["priority"] = r.options.priority;
    }
    if (previous) {
        o["previous_state"] = view(to_string(*previous));
    }
    if (r.cancel_requested_at) {
        o["cancel_requested"] = true;
    }
    if (r.next_attempt_at) {
        o["next_attempt_at"] = to_rfc3339(*r.next_attempt_at);
    }
    if (r.error) {
        o["error"] = json::object{{"class", view(to_string(r.error->cls))},
                                  {"code", r.error->code},
                                  {"message", r.error->message}};
    }
    emit(tx, type, r.media_id, r.id, json::serialize(o));
}

// ---- units ------------------------------------------------------------------------------------

Result<void> change_unit(WriteTx& tx, TaskRecord& t, UnitRecord& u, UnitEvent event,
                         const UnitChange& change) {
    const UnitState from = u.row.state;
    const std::int64_t lease = u.row.lease;
    const auto transition = domain::unit_transition(from, event);
    if (!transition) {
        return fail(ErrorClass::internal, "illegal_transition",
                    fmt::format("A unit that is {} cannot be {}. Please report this.",
                                to_string(from), to_string(event)));
    }
    count_unit(t, u, -1);
    u.row.state = transition->to;
    clear_unit_fields(u, transition->clears);
    set_unit_fields(tx, t, u, transition->sets, change);
    count_unit(t, u, +1);
    return write_unit(tx, u, from, lease, change.expired_by);
}

void open_step(WriteTx& tx, TaskRecord& t, domain::Step step,
               const std::vector<domain::AudioSpan>& spans) {
    const bool cancelled = t.row.cancel_requested_at.has_value();
    int ordinal = 0;
    for (const domain::AudioSpan& span : spans) {
        tx.db.execute(
            "INSERT INTO units (task_id, step, ordinal, span_start_ms, span_end_ms, state, "
            "completed_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            t.row.id, static_cast<int>(step), ordinal++, span.start, span.end,
            to_string(cancelled ? UnitState::cancelled : UnitState::pending),
            cancelled ? std::optional{tx.now} : std::nullopt);
    }
    t.lane = domain::lane_of(step);
    t.step_units = ordinal;
    (cancelled ? t.cancelled : t.pending) += ordinal;
    t.claimable += cancelled ? 0 : ordinal;
}

void tell_next_attempt(WriteTx& tx, UnitId unit) {
    tx.db.execute(
        "UPDATE tasks SET next_attempt_at ="
        " (SELECT min(not_before) FROM units WHERE units.task_id = tasks.id AND state = 'pending')"
        " WHERE id = (SELECT task_id FROM units WHERE id = ?) AND state = 'retrying'",
        unit);
}

void follow_step(WriteTx& tx, TaskRecord& t, domain::Step step) {
    if (t.pending > 0 || t.running > 0) {
        return;
    }
    const auto next = domain::next_step(t.row.options, step);
    Rows rows = tx.db.query(
        "SELECT count(*) FILTER (WHERE state = 'completed'), count(*) FILTER (WHERE state = "
        "'cancelled')"
        " FROM units WHERE task_id = ? AND step = ?",
        t.row.id, static_cast<int>(step));
    DURASCRIBE_ASSERT(rows.step());
    const int completed = rows.small();
    const int cancelled = rows.small();
    // Without speaker names the text is still worth having, so that diarize may fail.
    if (next && cancelled == 0 && (completed > 0 || step == domain::Step::diarize)) {
        open_step(tx, t, *next, {domain::AudioSpan{Millis{0}, t.audio}});
    }
}

// ---- tasks ------------------------------------------------------------------------------------

Result<void> change_task(WriteTx& tx, TaskRecord& t, TaskEvent event, std::string_view step_name) {
    const TaskState from = t.row.state;
    const auto transition = domain::task_transition(from, event);
    if (!transition) {
        return fail(ErrorClass::internal, "illegal_transition",
                    fmt::format("A task that is {} cannot take {}. Please report this.",
                                to_string(from), to_string(event)));
    }
    t.row.state = transition->to;
    clear_task_fields(t.row, transition->clears);
    set_task_fields(tx, t, event, transition->sets, step_name);
    if (auto written = write_task(tx, t, from); !written) {
        return written;
    }
    if (from != t.row.state || event == TaskEvent::cancel_requested) {
        emit_task(tx, "task.state", t, from);
    }
    if (from != t.row.state && (delivers(from) || delivers(t.row.state))) {
        index_transcript(tx, t.row.media_id);  // another one is shown, or the same with more in it
    }
    return {};
}

Result<void> settle_task(WriteTx& tx, TaskRecord& t, std::string_view step_name) {
    return change_task(tx, t, domain::task_event_for(t.counts()), step_name);
}

}  // namespace durascribe::store
