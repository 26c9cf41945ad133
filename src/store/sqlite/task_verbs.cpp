// What a person asks of a task: cancel it, or do again what did not work.
#include "durascribe/store/sqlite/verbs.h"

#include <algorithm>

#include <fmt/format.h>

#include "durascribe/store/sqlite/json.h"
#include "durascribe/store/sqlite/token_verbs.h"

namespace durascribe::store {
namespace {

using domain::Step;
using domain::TaskEvent;
using domain::UnitEvent;

std::vector<UnitRecord> units_in(WriteTx& tx, const TaskId& task, std::string_view state) {
    std::vector<UnitId> ids;
    {
        Rows rows = tx.db.query(
            "SELECT id FROM units WHERE task_id = ? AND state = ? ORDER BY step, ordinal", task,
            state);
        while (rows.step()) {
            ids.push_back(UnitId{rows.integer()});
        }
    }
    std::vector<UnitRecord> units;
    units.reserve(ids.size());
    for (const UnitId id : ids) {
        units.push_back(*load_unit(tx.db, id));
    }
    return units;
}

// Steps after `step` start anew when it has ended: their units go (their attempts stay on record),
// and the counters forget them.
void forget_steps_after(WriteTx& tx, TaskRecord& t, Step step) {
    Rows rows = tx.db.query("DELETE FROM units WHERE task_id = ? AND step > ? RETURNING state",
                            t.row.id, static_cast<int>(step));
    while (rows.step()) {
        switch (*domain::unit_state_from(rows.text())) {
            case domain::UnitState::completed:
                --t.completed;
                break;
            case domain::UnitState::failed:
                --t.failed;
                break;
            case domain::UnitState::cancelled:
                --t.cancelled;
                break;
            case domain::UnitState::pending:
            case domain::UnitState::processing:
                DURASCRIBE_ASSERT(false && "an ended task has only ended units");
        }
    }
}

// What the units that stay finished are worth: the new run starts there, and not at 0.
double progress_at_retry(WriteTx& tx, const TaskRecord& t) {
    std::vector<domain::StepFacts> facts;
    for (const Step step : domain::steps_for(t.row.options)) {
        domain::StepFacts f{.step = step, .audio_total = t.audio};
        Rows rows = tx.db.query(
            "SELECT count(*), count(*) FILTER (WHERE state = 'completed'), total(span_end_ms - "
            "span_start_ms),"
            " total(span_end_ms - span_start_ms) FILTER (WHERE state = 'completed')"
            " FROM units WHERE task_id = ? AND step = ?",
            t.row.id, static_cast<int>(step));
        DURASCRIBE_ASSERT(rows.step());
        f.units_total = rows.small();
        f.units_completed = rows.small();
        const Millis total{rows.integer()};
        const Millis done{rows.integer()};
        f.ended = f.units_total > 0 && f.units_completed == f.units_total;
        if (step == Step::transcribe && f.units_total > 0) {
            f.audio_total = total;
            f.audio_done = done;
        } else if (f.ended) {
            f.audio_done = t.audio;
        }
        facts.push_back(f);
    }
    const auto duration = t.audio > Millis{0} ? std::optional{t.audio} : std::nullopt;
    return std::clamp(
        domain::compute_progress(t.row.options, facts, duration, speeds(tx.db), 1).percent, 0.0,
        99.0);
}

}  // namespace

Result<ports::CancelOutcome> request_cancel(WriteTx& tx, const TaskId& id) {
    auto t = load_task(tx.db, id);
    if (!t) {
        return std::unexpected(task_not_found(id));
    }
    if (domain::is_terminal(t->row.state)) {
        return fail(ErrorClass::request, "task_ended",
                    fmt::format("The task {} has ended already: it is {}.", id.value,
                                to_string(t->row.state)));
    }
    for (UnitRecord& u : units_in(tx, id, "pending")) {
        if (auto changed = change_unit(tx, *t, u, UnitEvent::cancelled); !changed) {
            return std::unexpected(changed.error());
        }
    }
    const bool repeated = t->row.cancel_requested_at.has_value();
    if (!repeated) {
        const TaskEvent event = t->running > 0 ? TaskEvent::cancel_requested : TaskEvent::cancelled;
        if (auto changed = change_task(tx, *t, event); !changed) {
            return std::unexpected(changed.error());
        }
    }
    ports::CancelOutcome outcome{.task = t->row};
    for (const UnitRecord& u : units_in(tx, id, "processing")) {
        outcome.running.push_back({u.row.id, u.row.lease});
    }
    return outcome;
}

Result<ports::RetryOutcome> retry(WriteTx& tx, const TaskId& id,
                                  const std::optional<ports::IdempotencyKey>& idempotency,
                                  const ports::Charge& charge) {
    if (idempotency) {
        auto first = first_answer(tx, *idempotency);
        if (!first) {
            return std::unexpected(first.error());
        }
        if (*first) {
            ports::RetryOutcome outcome = retry_outcome_from_json(**first);
            outcome.replayed = true;
            return outcome;
        }
    }
    auto t = load_task(tx.db, id);
    if (!t) {
        return std::unexpected(task_not_found(id));
    }
    if (!domain::task_transition(t->row.state, TaskEvent::retry_requested)) {
        return fail(
            ErrorClass::request, "not_retryable",
            fmt::format(
                "The task {} is {}: only a cancelled, failed or partly failed task can be retried.",
                id.value, to_string(t->row.state)));
    }
    if (const auto running = active_task(tx.db, t->row.media_id)) {
        return std::unexpected(task_running(*running));
    }
    std::vector<UnitRecord> again = units_in(tx, id, "failed");
    for (UnitRecord& u : units_in(tx, id, "cancelled")) {
        again.push_back(std::move(u));
    }
    if (again.empty()) {
        return fail(
            ErrorClass::request, "not_retryable",
            fmt::format("The task {} has nothing left to do again. Start a new task.", id.value));
    }
    if (auto allowed = check_charge(tx.db, charge, 0); !allowed) {
        return std::unexpected(allowed.error());
    }
    tx.db.execute("UPDATE tasks SET token_id = ? WHERE id = ?", charge.token, id);
    const Step step =
        std::ranges::min(again, {}, [](const UnitRecord& u) { return u.row.step; }).row.step;
    forget_steps_after(tx, *t, step);
    std::erase_if(again, [&](const UnitRecord& u) { return u.row.step != step; });

    const int failed = static_cast<int>(std::ranges::count(
        again, domain::UnitState::failed, [](const UnitRecord& u) { return u.row.state; }));
    t->row.worked = Millis{0};
    t->delivered = false;
    t->row.cancel_requested_at
        .reset();  // the transition clears it, too; a unit's change looks at it
    for (UnitRecord& u : again) {
        if (auto changed = change_unit(tx, *t, u, UnitEvent::retry_requested); !changed) {
            return std::unexpected(changed.error());
        }
    }
    t->lane = domain::lane_of(step);
    t->lane_before = t->lane;
    Rows units = tx.db.query("SELECT count(*) FROM units WHERE task_id = ? AND step = ?", id,
                             static_cast<int>(step));
    DURASCRIBE_ASSERT(units.step());
    t->step_units = units.small();
    t->row.progress = progress_at_retry(tx, *t);
    if (auto changed = change_task(tx, *t, TaskEvent::retry_requested, "retry_queued"); !changed) {
        return std::unexpected(changed.error());
    }
    ports::RetryOutcome outcome{.task = t->row,
                                .queued = {{step, static_cast<int>(again.size())}},
                                .failed = failed,
                                .cancelled = static_cast<int>(again.size()) - failed};
    if (idempotency) {
        keep_answer(tx, *idempotency, to_json(outcome));
    }
    return outcome;
}

Result<ports::TaskRow> expire_task(WriteTx& tx, const TaskId& id, int run_number,
                                   const Error& error) {
    auto t = load_task(tx.db, id);
    if (!t) {
        return std::unexpected(task_not_found(id));
    }
    std::optional<Step> expired;
    if (!domain::is_terminal(t->row.state) && t->row.run_number == run_number) {
        for (UnitRecord& u : units_in(tx, id, "pending")) {
            if (u.row.step == Step::finalize) {
                continue;
            }
            expired = u.row.step;
            if (auto changed = change_unit(tx, *t, u, UnitEvent::failed_for_good, {.error = error});
                !changed) {
                return std::unexpected(changed.error());
            }
            emit_unit(tx, "unit.failed", *t, u, error);
        }
    }
    if (expired) {
        follow_step(tx, *t, *expired);
        if (auto settled = settle_task(tx, *t); !settled) {
            return std::unexpected(settled.error());
        }
    }
    return t->row;
}

}  // namespace durascribe::store
