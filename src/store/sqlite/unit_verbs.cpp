// The life of a unit: claimed, kept alive, ended.
#include "durascribe/store/sqlite/verbs.h"

#include <algorithm>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/store/sqlite/json.h"
#include "durascribe/store/sqlite/queries.h"

namespace durascribe::store {
namespace {

namespace json = boost::json;
using domain::Step;
using domain::UnitEvent;

json::string_view view(std::string_view s) {
    return {s.data(), s.size()};
}

Error stale(const ports::Lease& lease) {
    return {ErrorClass::lost, "stale_lease",
            "The unit was given to someone else; this result is dropped.",
            fmt::format("unit {} lease {}", lease.unit.value, lease.number)};
}

// Units whose time has come may be claimed from now on.
void promote_due(WriteTx& tx) {
    std::vector<std::pair<UnitId, TaskId>> due;
    {
        Rows rows =
            tx.db.query("SELECT id, task_id FROM units WHERE not_before_mono <= ?", tx.mono);
        while (rows.step()) {
            const UnitId unit{rows.integer()};
            due.emplace_back(unit, TaskId{rows.text()});
        }
    }
    for (const auto& [unit, task] : due) {
        tx.db.execute("UPDATE units SET not_before_mono = NULL WHERE id = ?", unit);
        TaskRecord t = *load_task(tx.db, task);
        if (++t.claimable == 1) {
            join_queue(tx, t);
        }
        tx.db.execute(
            "UPDATE tasks SET u_claimable = ?, fair_tag = ?, waiting_since = ? WHERE id = ?",
            t.claimable, t.fair_tag, t.waiting_since, task);
        tx.lanes[static_cast<std::size_t>(t.lane)] = true;
    }
}

UnitId first_unit(WriteTx& tx, const TaskId& task) {
    Rows rows = tx.db.query(
        "SELECT id FROM units WHERE task_id = ? AND state = 'pending' AND not_before_mono IS NULL"
        " ORDER BY step, ordinal LIMIT 1",
        task);
    DURASCRIBE_ASSERT(rows.step());  // u_claimable counts them
    return UnitId{rows.integer()};
}

void end_attempt(WriteTx& tx, const UnitRecord& u, const AttemptEnd& end) {
    const auto& e = end.error;
    tx.db.execute(
        "UPDATE attempts SET ended_at = ?, outcome = ?, counted = ?, error_class = ?, error_code = "
        "?,"
        " error_message = ?, audio_done_ms = ? WHERE unit_id = ? AND lease = ?",
        tx.now, end.outcome, end.counted, e ? std::optional{to_string(e->cls)} : std::nullopt,
        e ? std::optional<std::string_view>{e->code} : std::nullopt,
        e ? std::optional<std::string_view>{e->message} : std::nullopt, u.row.audio_done, u.row.id,
        u.row.lease);
}

void write_segments(WriteTx& tx, const TaskId& task, UnitId unit,
                    const std::vector<domain::Segment>& segments) {
    tx.db.execute("DELETE FROM segments WHERE task_id = ? AND unit_id = ?", task, unit);
    int position = 0;
    for (const domain::Segment& s : segments) {
        tx.db.execute(
            "INSERT INTO segments (task_id, unit_id, position, start_ms, end_ms, text, confidence, "
            "speaker, words)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            task, unit, position++, s.span.start, s.span.end, s.text, s.confidence, s.speaker,
            to_json(s.words));
    }
}

bool has_chunks(WriteTx& tx, const TaskRecord& t) {
    return tx.db
        .query("SELECT 1 FROM units WHERE task_id = ? AND step = ? AND state = 'completed' LIMIT 1",
               t.row.id, static_cast<int>(Step::transcribe))
        .step();
}

// In place of a finalize that failed for good: the chunks that were recognised since an earlier run
// was finalized would be hidden behind what that one had joined. Documents are written when they
// are asked for.
Result<void> join_without_finalize(WriteTx& tx, const TaskRecord& t) {
    auto heard = chunk_segments(tx.db, t.row.id);
    if (!heard) {
        return std::unexpected(heard.error());
    }
    const auto joined = domain::join_chunks({std::move(*heard)});
    write_segments(tx, t.row.id, UnitId{0}, joined);
    recognised_again(tx, t, joined);
    tx.db.execute("DELETE FROM documents WHERE task_id = ?", t.row.id);
    return {};
}

domain::RetryHistory history_of(WriteTx& tx, const TaskRecord& t, const UnitRecord& u,
                                ErrorClass cls) {
    Rows rows = tx.db.query(
        "SELECT count(*) FILTER (WHERE error_class = ?), count(*) FROM attempts"
        " WHERE unit_id = ? AND run_number = ? AND outcome = 'failed' AND counted",
        to_string(cls), u.row.id, t.row.run_number);
    DURASCRIBE_ASSERT(rows.step());
    domain::RetryHistory history{.crashes = u.row.crashes};
    history.retries_of_class = rows.small();
    history.retries_total = rows.small();
    return history;
}

}  // namespace

Result<Held> hold(WriteTx& tx, const ports::Lease& lease, std::optional<Step> step) {
    auto unit = load_unit(tx.db, lease.unit);
    if (!unit || unit->row.state != domain::UnitState::processing ||
        unit->row.lease != lease.number) {
        return std::unexpected(stale(lease));
    }
    if (step && unit->row.step != *step) {
        return fail(ErrorClass::internal, "wrong_step",
                    fmt::format("The result is of {}, and the unit of {}. Please report this.",
                                to_string(*step), to_string(unit->row.step)));
    }
    auto task = load_task(tx.db, unit->row.task_id);
    DURASCRIBE_ASSERT(task.has_value());
    return Held{std::move(*task), std::move(*unit)};
}

ports::UnitEnd outcome_of(const TaskRecord& t, const UnitRecord& u, bool quarantined) {
    return {.unit_state = u.row.state,
            .task_state = t.row.state,
            .next_attempt_at = u.row.not_before,
            .quarantined = quarantined};
}

Result<void> complete_unit(WriteTx& tx, Held& h) {
    if (auto changed = change_unit(tx, h.task, h.unit, UnitEvent::finished); !changed) {
        return changed;
    }
    end_attempt(tx, h.unit, {.outcome = "completed"});
    emit_unit(tx, "unit.completed", h.task, h.unit);
    return {};
}

void emit_unit(WriteTx& tx, std::string_view type, const TaskRecord& t, const UnitRecord& u,
               const std::optional<Error>& error) {
    json::object o{{"task_id", t.row.id.value},
                   {"media_id", t.row.media_id.value},
                   {"run_number", t.row.run_number},
                   {"unit_id", u.row.id.value},
                   {"step", view(to_string(u.row.step))},
                   {"ordinal", u.row.ordinal},
                   {"state", view(to_string(u.row.state))},
                   {"attempts", u.row.attempts},
                   {"step_units", t.step_units},
                   {"step_ended", t.step_units - t.pending - t.running},
                   {"progress", t.row.progress}};
    if (u.row.not_before) {
        o["not_before"] = to_rfc3339(*u.row.not_before);
    }
    if (error) {
        o["error"] = json::object{{"class", view(to_string(error->cls))},
                                  {"code", error->code},
                                  {"message", error->message}};
    }
    emit(tx, type, t.row.media_id, t.row.id, json::serialize(o));
}

Result<std::optional<ports::ClaimedUnit>> claim(WriteTx& tx, const ports::ClaimRequest& request) {
    promote_due(tx);
    const auto task_id = next_task(tx, request.lane);
    if (!task_id) {
        return std::nullopt;
    }
    TaskRecord t = *load_task(tx.db, *task_id);
    UnitRecord u = *load_unit(tx.db, first_unit(tx, *task_id));
    auto changed = change_unit(tx, t, u, UnitEvent::claimed,
                               {.node = request.node, .lease_length = request.lease_length});
    if (!changed) {
        return std::unexpected(changed.error());
    }
    charge_claim(tx, t, u.row.span);
    tx.db.execute(
        "INSERT INTO attempts (unit_id, lease, task_id, run_number, step, ordinal, node, model, "
        "started_at, outcome)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'running')",
        u.row.id, u.row.lease, t.row.id, t.row.run_number, static_cast<int>(u.row.step),
        u.row.ordinal, request.node,
        !u.row.model.empty()   ? u.row.model
        : !t.row.model.empty() ? t.row.model
                               : request.model,
        tx.now);
    if (auto settled = settle_task(tx, t, to_string(u.row.step)); !settled) {
        return std::unexpected(settled.error());
    }
    ports::ClaimedUnit claimed{.lease = {u.row.id, u.row.lease},
                               .task_id = t.row.id,
                               .media_id = t.row.media_id,
                               .step = u.row.step,
                               .ordinal = u.row.ordinal,
                               .attempt = u.row.attempts,
                               .span = u.row.span,
                               .options = t.row.options,
                               .run_number = t.row.run_number,
                               .engine = t.row.engine,
                               .model = u.row.model.empty() ? t.row.model : u.row.model,
                               .worked = t.row.worked,
                               .pcm = t.pcm,
                               .media_duration = t.audio};
    Rows source =
        tx.db.query("SELECT source_sha256, source_size FROM media WHERE id = ?", t.row.media_id);
    DURASCRIBE_ASSERT(source.step());
    claimed.source.sha256 = source.text();
    claimed.source.size_bytes = source.integer();
    return claimed;
}

Result<std::vector<ports::RenewedLease>> renew_leases(WriteTx& tx, const NodeId& node,
                                                      std::span<const ports::Lease> leases,
                                                      Millis lease_length) {
    std::vector<ports::RenewedLease> renewed;
    renewed.reserve(leases.size());
    for (const ports::Lease& lease : leases) {
        const int rows = tx.db.execute(
            "UPDATE units SET lease_expires_mono = ?, heartbeat_at = ?"
            " WHERE id = ? AND state = 'processing' AND lease = ? AND node = ?",
            tx.mono + lease_length, tx.now, lease.unit, lease.number, node);
        ports::RenewedLease answer{.lease = lease, .lost = rows == 0};
        if (!answer.lost) {
            answer.cancel_requested =
                tx.db
                    .query(
                        "SELECT 1 FROM tasks WHERE id = (SELECT task_id FROM units WHERE id = ?)"
                        " AND cancel_requested_at IS NOT NULL",
                        lease.unit)
                    .step();
        }
        renewed.push_back(answer);
    }
    return renewed;
}

Result<void> report_progress(WriteTx& tx, std::span<const ports::UnitProgress> units,
                             std::span<const ports::TaskPercent> tasks) {
    for (const ports::UnitProgress& p : units) {
        tx.db.execute(
            "UPDATE units SET audio_done_ms = max(audio_done_ms, ?)"
            " WHERE id = ? AND state = 'processing' AND lease = ?",
            p.audio_done, p.lease.unit, p.lease.number);
    }
    for (const ports::TaskPercent& p : tasks) {
        const int rows = tx.db.execute(
            "UPDATE tasks SET progress = max(progress, min(?, 100.0)),"
            " worked_ms = max(worked_ms, ?), updated_at = ?"
            " WHERE id = ? AND run_number = ? AND state IN ('pending', 'processing', 'retrying')",
            p.percent, p.worked, tx.now, p.task, p.run_number);
        if (rows > 0) {
            emit_task(tx, "task.progress", *load_task(tx.db, p.task));
        }
    }
    return {};
}

Result<ports::UnitEnd> finish_extract(WriteTx& tx, const ports::Lease& lease,
                                      const ports::ExtractResult& result) {
    auto held = hold(tx, lease, Step::extract);
    if (!held) {
        return std::unexpected(held.error());
    }
    TaskRecord& t = held->task;
    t.pcm = result.pcm;
    t.audio = result.info.duration;
    t.row.engine = result.choice.engine;
    t.row.model = result.choice.model;
    t.row.model_reason = result.choice.reason;
    t.details_changed = true;
    tx.db.execute("UPDATE media SET info = ?, duration_ms = ?, updated_at = ? WHERE id = ?",
                  to_json(result.info), result.info.duration, tx.now, t.row.media_id);
    tx.db.execute(
        "INSERT OR REPLACE INTO media_peaks (media_id, bucket_ms, min_max) VALUES (?, ?, ?)",
        t.row.media_id, result.peaks.bucket, std::span<const std::int8_t>(result.peaks.min_max));
    tx.db.execute("DELETE FROM media_posters WHERE media_id = ?", t.row.media_id);
    if (result.poster) {
        const std::string& bytes = result.poster->bytes;
        tx.db.execute("INSERT INTO media_posters (media_id, mime_type, picture) VALUES (?, ?, ?)",
                      t.row.media_id, result.poster->mime_type,
                      std::span(reinterpret_cast<const std::int8_t*>(bytes.data()), bytes.size()));
    }
    if (auto completed = complete_unit(tx, *held); !completed) {
        return std::unexpected(completed.error());
    }
    emit(tx, "media.updated", t.row.media_id, {},
         json::serialize(
             json::object{{"media_id", t.row.media_id.value}, {"duration_ms", t.audio.count()}}));
    if (result.chunks.empty()) {
        open_step(tx, t, domain::steps_for(t.row.options).back(),
                  {domain::AudioSpan{Millis{0}, t.audio}});
    } else {
        open_step(tx, t, Step::transcribe, result.chunks);
    }
    if (auto settled = settle_task(tx, t); !settled) {
        return std::unexpected(settled.error());
    }
    return outcome_of(t, held->unit);
}

Result<ports::UnitEnd> finish_chunk(WriteTx& tx, const ports::Lease& lease,
                                    const ports::ChunkResult& result) {
    auto held = hold(tx, lease, Step::transcribe);
    if (!held) {
        return std::unexpected(held.error());
    }
    TaskRecord& t = held->task;
    // The smaller model of one chunk that ran out of memory is not that of the others: it is the
    // task's only where there are none.
    const bool of_the_task = held->unit.row.model.empty() || t.step_units == 1;
    if (of_the_task && (t.row.engine != result.engine || t.row.model != result.model)) {
        t.row.engine = result.engine;
        t.row.model = result.model;
        t.details_changed = true;
    }
    write_segments(tx, t.row.id, lease.unit, result.segments);
    if (auto completed = complete_unit(tx, *held); !completed) {
        return std::unexpected(completed.error());
    }
    follow_step(tx, t, Step::transcribe);
    if (auto settled = settle_task(tx, t); !settled) {
        return std::unexpected(settled.error());
    }
    return outcome_of(t, held->unit);
}

Result<ports::UnitEnd> finish_final(WriteTx& tx, const ports::Lease& lease,
                                    const ports::FinalResult& result) {
    auto held = hold(tx, lease, Step::finalize);
    if (!held) {
        return std::unexpected(held.error());
    }
    TaskRecord& t = held->task;
    write_segments(tx, t.row.id, UnitId{0}, result.segments);
    recognised_again(tx, t, result.segments);
    for (const auto& [format, content] : result.documents) {
        tx.db.execute(
            "INSERT OR REPLACE INTO documents (task_id, format, content) VALUES (?, ?, ?)",
            t.row.id, to_string(format), content);
    }
    t.delivered = true;
    if (t.failed == 0 && !t.pcm.empty()) {
        t.pcm = {};  // nothing of this task needs the decoded audio again
        t.details_changed = true;
    }
    if (auto completed = complete_unit(tx, *held); !completed) {
        return std::unexpected(completed.error());
    }
    if (auto settled = settle_task(tx, t); !settled) {
        return std::unexpected(settled.error());
    }
    return outcome_of(t, held->unit);
}

Result<ports::UnitEnd> fail_unit(WriteTx& tx, const ports::Lease& lease,
                                 const ports::FailedAttempt& failed,
                                 const domain::RetryLimits& limits, double random01) {
    auto held = hold(tx, lease);
    if (!held) {
        return std::unexpected(held.error());
    }
    auto& [t, u] = *held;
    Error error = failed.error;
    u.row.audio_done = std::max(u.row.audio_done, failed.audio_done);
    domain::RetryDecision decision = domain::decide_retry(
        error.cls, history_of(tx, t, u, error.cls), limits, random01, failed.retry_after);
    if (failed.for_good) {
        decision = {};
    }
    if (decision.retry && (error.cls == ErrorClass::lost || t.row.cancel_requested_at)) {
        return hand_back(tx, t, u,
                         {.outcome = error.cls == ErrorClass::lost ? "lost" : "failed",
                          .error = error,
                          .counted = decision.counts_as_attempt});
    }
    if (!decision.counts_as_attempt) {
        --u.row.attempts;
    }
    if (error.cls == ErrorClass::crash || error.cls == ErrorClass::memory) {
        ++u.row.crashes;
    }
    if (decision.smaller_model && !failed.smaller_model.empty()) {
        u.row.model = failed.smaller_model;
    }
    if (!decision.retry) {
        error.message += domain::advice_at_the_end(error.cls);
    }
    const UnitEvent event = decision.retry ? UnitEvent::attempt_failed : UnitEvent::failed_for_good;
    if (auto changed = change_unit(tx, t, u, event, {.error = error, .delay = decision.delay});
        !changed) {
        return std::unexpected(changed.error());
    }
    end_attempt(tx, u,
                {.outcome = "failed", .error = error, .counted = decision.counts_as_attempt});
    emit_unit(tx, decision.retry ? "unit.retry" : "unit.failed", t, u, error);
    if (!decision.retry) {
        follow_step(tx, t, u.row.step);
        // The transcript is there in its chunks, whatever was to be done with it afterwards.
        if (u.row.step > Step::transcribe && has_chunks(tx, t)) {
            t.delivered = true;
            if (u.row.step == Step::finalize) {
                if (auto joined = join_without_finalize(tx, t); !joined) {
                    return std::unexpected(joined.error());
                }
            }
        }
    }
    if (auto settled = settle_task(tx, t); !settled) {
        return std::unexpected(settled.error());
    }
    return outcome_of(t, u, decision.quarantined);
}

Result<void> end_wait(WriteTx& tx, UnitId unit) {
    const int waited = tx.db.execute(
        "UPDATE units SET not_before = ?, not_before_mono = ? WHERE id = ? AND state = 'pending'"
        " AND not_before_mono IS NOT NULL",
        tx.now, tx.mono, unit);
    if (waited > 0) {
        tell_next_attempt(tx, unit);
        promote_due(tx);
    }
    return {};
}

Result<ports::UnitEnd> hand_back(WriteTx& tx, TaskRecord& t, UnitRecord& u, const AttemptEnd& end,
                                 std::optional<MonoTime> expired_by) {
    const bool cancel = t.row.cancel_requested_at.has_value();
    if (!end.counted) {
        --u.row.attempts;
    }
    auto changed = change_unit(tx, t, u, cancel ? UnitEvent::cancelled : UnitEvent::returned,
                               {.expired_by = expired_by});
    if (!changed) {
        return std::unexpected(changed.error());
    }
    end_attempt(tx, u, end);
    if (!cancel) {
        emit_unit(tx, "unit.retry", t, u, end.error);
    }
    if (auto settled = settle_task(tx, t); !settled) {
        return std::unexpected(settled.error());
    }
    return outcome_of(t, u);
}

Result<ports::UnitEnd> return_unit(WriteTx& tx, const ports::Lease& lease,
                                   const std::string& reason) {
    auto held = hold(tx, lease);
    if (!held) {
        return std::unexpected(held.error());
    }
    return hand_back(tx, held->task, held->unit,
                     {.outcome = "returned",
                      .error = Error{ErrorClass::lost, "returned", reason, {}},
                      .counted = false});
}

Result<ports::UnitEnd> acknowledge_cancelled(WriteTx& tx, const ports::Lease& lease) {
    auto held = hold(tx, lease);
    if (!held) {
        return std::unexpected(held.error());
    }
    auto& [t, u] = *held;
    if (!t.row.cancel_requested_at) {
        return fail(ErrorClass::internal, "not_cancelled",
                    "Nobody asked to cancel this task. Please report this.", t.row.id.value);
    }
    return hand_back(tx, t, u, {.outcome = "cancelled", .counted = true});
}

}  // namespace durascribe::store
