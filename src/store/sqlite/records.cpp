#include "durascribe/store/sqlite/records.h"

#include <fmt/format.h>

#include "durascribe/store/sqlite/json.h"

namespace durascribe::store {
namespace {

// What the database holds was written by this layer under CHECK constraints.
template <typename T>
T known(std::optional<T> value) {
    DURASCRIBE_ASSERT(value.has_value());
    return *value;
}

}  // namespace

std::optional<ports::StoredError> read_error(Rows& rows) {
    if (rows.null()) {
        rows.skip();
        rows.skip();
        rows.skip();
        return std::nullopt;
    }
    ports::StoredError error{};
    error.cls = known(error_class_from(rows.bytes()));
    error.code = rows.text();
    error.message = rows.text();
    return error;
}

ports::MediaRow read_media(Rows& rows) {
    ports::MediaRow m;
    m.id.value = rows.text();
    m.title = rows.text();
    m.filename = rows.text();
    m.source.sha256 = rows.text();
    m.source.size_bytes = rows.integer();
    m.created_at = rows.wall();
    m.updated_at = rows.wall();
    if (!rows.null()) {
        m.info = media_info_from_json(rows.bytes());
    } else {
        rows.skip();
    }
    m.source_url = rows.text();
    m.revision = rows.small();
    return m;
}

StoredSegment read_segment(Rows& rows) {
    StoredSegment s;
    s.id = rows.integer();
    s.born = rows.small();
    s.span.start = rows.millis();
    s.span.end = rows.millis();
    s.text = rows.text();
    s.confidence = rows.real();
    s.speaker = rows.maybe_text();
    s.words = rows.text();
    return s;
}

ports::TranscriptSegment StoredSegment::whole() const {
    return {.id = id,
            .revision = born,
            .segment = {.span = span,
                        .text = text,
                        .confidence = confidence,
                        .words = words_from_json(words),
                        .speaker = speaker}};
}

ports::TaskRow read_task(Rows& rows) {
    ports::TaskRow t;
    t.id.value = rows.text();
    t.media_id.value = rows.text();
    t.run_number = rows.small();
    t.state = known(domain::task_state_from(rows.bytes()));
    t.current_step = rows.text();
    t.options = task_options_from_json(rows.bytes());
    t.progress = rows.real();
    t.retry_count = rows.small();
    t.created_at = rows.wall();
    t.updated_at = rows.wall();
    t.started_at = rows.maybe_wall();
    t.completed_at = rows.maybe_wall();
    t.cancel_requested_at = rows.maybe_wall();
    t.next_attempt_at = rows.maybe_wall();
    t.error = read_error(rows);
    t.engine = rows.text();
    t.model = rows.text();
    t.model_reason = rows.text();
    t.worked = rows.millis();
    return t;
}

ports::UnitRow read_unit(Rows& rows) {
    ports::UnitRow u;
    u.id.value = rows.integer();
    u.task_id.value = rows.text();
    u.step = static_cast<domain::Step>(rows.small());
    u.ordinal = rows.small();
    u.span.start = rows.millis();
    u.span.end = rows.millis();
    u.state = known(domain::unit_state_from(rows.bytes()));
    u.lease = rows.integer();
    u.attempts = rows.small();
    u.crashes = rows.small();
    u.audio_done = rows.millis();
    u.not_before = rows.maybe_wall();
    u.started_at = rows.maybe_wall();
    u.completed_at = rows.maybe_wall();
    u.error = read_error(rows);
    u.model = rows.text();
    return u;
}

domain::UnitCounts TaskRecord::counts() const {
    return {.pending_ready = pending - waiting,
            .pending_waiting = waiting,
            .processing = running,
            .completed = completed,
            .failed = failed,
            .cancelled = cancelled,
            .delivered = delivered,
            .cancel_requested = row.cancel_requested_at.has_value()};
}

TaskRecord::Ending TaskRecord::ending() const {
    return {.run_number = row.run_number,
            .retry_count = row.retry_count,
            .completed_at = row.completed_at,
            .cancel_requested_at = row.cancel_requested_at,
            .next_attempt_at = row.next_attempt_at,
            .failed = row.error.has_value()};
}

std::optional<TaskRecord> load_task(Connection& db, const TaskId& id) {
    Rows rows = db.query(
        "SELECT " DURASCRIBE_TASK_COLUMNS
        ", pcm_sha256, pcm_size, audio_ms, delivered, lane, step_units, u_pending, u_waiting, "
        "u_claimable, u_running, u_completed, u_failed, u_cancelled, fair_tag, waiting_since FROM "
        "tasks WHERE id = ?",
        id);
    if (!rows.step()) {
        return std::nullopt;
    }
    TaskRecord t;
    t.row = read_task(rows);
    t.pcm.sha256 = rows.text();
    t.pcm.size_bytes = rows.integer();
    t.audio = rows.millis();
    t.delivered = rows.flag();
    t.lane = static_cast<domain::Lane>(rows.small());
    t.step_units = rows.small();
    t.pending = rows.small();
    t.waiting = rows.small();
    t.claimable = rows.small();
    t.running = rows.small();
    t.completed = rows.small();
    t.failed = rows.small();
    t.cancelled = rows.small();
    t.fair_tag = rows.integer();
    t.waiting_since = rows.millis();
    t.claimable_before = t.claimable;
    t.lane_before = t.lane;
    t.ending_before = t.ending();
    return t;
}

std::optional<UnitRecord> load_unit(Connection& db, UnitId id) {
    Rows rows = db.query(
        "SELECT " DURASCRIBE_UNIT_COLUMNS
        ", node, lease_expires_mono, heartbeat_at, not_before_mono FROM units WHERE id = ?",
        id);
    if (!rows.step()) {
        return std::nullopt;
    }
    UnitRecord u;
    u.row = read_unit(rows);
    u.node.value = rows.text();  // empty where null
    if (const auto ms = rows.maybe_integer()) {
        u.lease_expires = MonoTime{Millis{*ms}};
    }
    u.heartbeat_at = rows.maybe_wall();
    if (const auto ms = rows.maybe_integer()) {
        u.not_before_mono = MonoTime{Millis{*ms}};
    }
    return u;
}

Error media_not_found(const MediaId& id) {
    return {ErrorClass::request, "not_found", fmt::format("There is no media {}.", id.value), {}};
}

Error task_not_found(const TaskId& id) {
    return {ErrorClass::request, "not_found", fmt::format("There is no task {}.", id.value), {}};
}

}  // namespace durascribe::store
