// Rows of media, tasks and units as the verbs work on them: read whole, changed in memory, written
// by transitions.cpp. Private to store/sqlite.
#pragma once

#include <optional>
#include <string_view>

#include "durascribe/ports/store.h"
#include "durascribe/store/sqlite/connection.h"

namespace durascribe::store {

// Macros, so that they join the literals of a statement at compile time.
#define DURASCRIBE_MEDIA_COLUMNS                                                      \
    "id, title, filename, source_sha256, source_size, created_at, updated_at, info, " \
    "source_url, revision"
ports::MediaRow read_media(Rows& rows);

#define DURASCRIBE_TASK_COLUMNS                                                                   \
    "id, media_id, run_number, state, current_step, options, progress, retry_count, created_at, " \
    "updated_at, started_at, completed_at, cancel_requested_at, next_attempt_at, error_class, "   \
    "error_code, error_message, engine, model, model_reason, worked_ms"
ports::TaskRow read_task(Rows& rows);

#define DURASCRIBE_UNIT_COLUMNS                                                                 \
    "id, task_id, step, ordinal, span_start_ms, span_end_ms, state, lease, attempts, crashes, " \
    "audio_done_ms, not_before, started_at, completed_at, error_class, error_code, "            \
    "error_message, "                                                                           \
    "model"
ports::UnitRow read_unit(Rows& rows);

// Of a task `t`: whether it has ever delivered. One that is retried keeps what was joined until it
// is joined anew. (A silent one has documents without segments; one that could not be finalized,
// segments without documents.)
#define DURASCRIBE_TASK_DELIVERED                                                     \
    "(t.state = 'completed' OR t.state = 'partial_failure' OR EXISTS (SELECT 1 FROM " \
    "documents WHERE task_id = t.id) OR EXISTS (SELECT 1 FROM segments WHERE "        \
    "task_id = t.id AND unit_id = 0))"

// Of a transcript; the words as they are stored, for those who only pass them on.
struct StoredSegment {
    std::int64_t id = 0;
    int born = 0;
    domain::AudioSpan span;
    std::string text;
    double confidence = 1;
    std::optional<std::string> speaker;
    std::string words;

    ports::TranscriptSegment whole() const;
};
#define DURASCRIBE_EDITED_COLUMNS "id, born, start_ms, end_ms, text, confidence, speaker, words"
StoredSegment read_segment(Rows& rows);

// Three columns: class, code, message.
std::optional<ports::StoredError> read_error(Rows& rows);

// A task with what only the store needs of it.
struct TaskRecord {
    ports::TaskRow row;
    ports::BlobRef pcm;
    Millis audio{0};
    bool delivered = false;
    // The open step: its lane, how many units it has in all.
    domain::Lane lane = domain::Lane::media;
    int step_units = 0;
    // Units of all steps, by state.
    int pending = 0;
    int waiting = 0;    // of the pending: those with a not_before, come or not
    int claimable = 0;  // of the pending: those whose time has come
    int running = 0;
    int completed = 0;
    int failed = 0;
    int cancelled = 0;
    // Its place in the queue (queue_verbs.cpp).
    std::int64_t fair_tag = 0;
    Millis waiting_since{0};
    // Whoever changes its engine, model, model_reason, pcm or audio sets this: they are long, and
    // written only then.
    bool details_changed = false;
    // As it was read, to tell what became claimable.
    int claimable_before = 0;
    domain::Lane lane_before = domain::Lane::media;
    // As it was read, to tell what is to be written.
    struct Ending {
        int run_number = 1;
        int retry_count = 0;
        std::optional<WallTime> completed_at;
        std::optional<WallTime> cancel_requested_at;
        std::optional<WallTime> next_attempt_at;
        bool failed = false;  // it had an error
        bool operator==(const Ending&) const = default;
    } ending_before;

    domain::UnitCounts counts() const;
    Ending ending() const;
};

struct UnitRecord {
    ports::UnitRow row;
    NodeId node;                            // while processing
    std::optional<MonoTime> lease_expires;  // while processing
    std::optional<WallTime> heartbeat_at;   // while processing
    std::optional<MonoTime> not_before_mono;
};

std::optional<TaskRecord> load_task(Connection& db, const TaskId& id);
std::optional<UnitRecord> load_unit(Connection& db, UnitId id);

Error media_not_found(const MediaId& id);
Error task_not_found(const TaskId& id);

}  // namespace durascribe::store
