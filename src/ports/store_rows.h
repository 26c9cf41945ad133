// What the store (store.h) keeps, as its reads give it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "durascribe/base/error.h"
#include "durascribe/base/ids.h"
#include "durascribe/base/time.h"
#include "durascribe/domain/media_info.h"
#include "durascribe/domain/pipeline.h"
#include "durascribe/domain/states.h"
#include "durascribe/ports/blob_store.h"

namespace durascribe::ports {

struct MediaRow {
    MediaId id;
    std::string title;
    std::string filename;    // as uploaded: any UTF-8, for showing only
    BlobRef source;          // empty until it is fetched, where it comes from a URL
    std::string source_url;  // empty: it was uploaded
    WallTime created_at;
    WallTime updated_at;
    std::optional<domain::MediaInfo> info;  // known once extracted
    int revision = 1;                       // grows with every change of the title
};

struct StoredError {
    ErrorClass cls;
    std::string code;
    std::string message;
};

struct TaskRow {
    TaskId id;
    MediaId media_id;
    int run_number = 1;  // grows with every retry
    domain::TaskState state = domain::TaskState::pending;
    std::string current_step;  // a step's name, or "queued", "retry_queued"
    domain::TaskOptions options;
    double progress = 0;  // 0 to 100, as last persisted; never falls within a run
    int retry_count = 0;
    WallTime created_at;
    WallTime updated_at;
    std::optional<WallTime> started_at;
    std::optional<WallTime> completed_at;
    std::optional<WallTime> cancel_requested_at;
    std::optional<WallTime> next_attempt_at;
    std::optional<StoredError> error;
    std::string engine;  // that does the work, once chosen
    std::string model;
    std::string model_reason;  // why these were chosen, for a person; empty: as asked for
    Millis worked{0};          // time in which units of it ran, in this run; as last persisted
};

struct UnitRow {
    UnitId id;
    TaskId task_id;
    domain::Step step;
    int ordinal = 0;  // within its step, from 0
    domain::AudioSpan span;
    domain::UnitState state = domain::UnitState::pending;
    std::int64_t lease = 0;
    int attempts = 0;  // claims that counted
    int crashes = 0;
    std::string model;     // smaller than the task's, after it ran out of memory; empty: the task's
    Millis audio_done{0};  // of the running or last attempt
    std::optional<WallTime> not_before;
    std::optional<WallTime> started_at;  // of the first attempt
    std::optional<WallTime> completed_at;
    std::optional<StoredError> error;
};

struct UploadRow {
    UploadId id;
    MediaId media_id;  // of what it becomes
    TaskId task_id;
    std::optional<std::int64_t> length;  // nullopt: not said yet
    std::int64_t offset = 0;             // that is durable; the length once whole, and only then
    std::string filename;
    std::string title;
    domain::TaskOptions options;
    std::string metadata;
    WallTime created_at;
    WallTime updated_at;    // when a piece came last
    BlobRef source;         // once it is whole
    bool finished = false;  // media and task are made
};

// What has come so far of a media that is fetched from a URL; its bytes lie in the partial blob of
// the media's id.
struct ImportRow {
    MediaId media_id;
    std::string url;
    std::string etag;             // of what has come, as the other side said; perhaps none
    std::string last_modified;    // the same
    std::int64_t bytes_done = 0;  // that are durable
    std::optional<std::int64_t> bytes_total;
    std::string filename;  // as the other side calls it; empty: it does not
    BlobRef source;        // once all of it is there: it counts as referenced
};

struct AttemptRow {
    UnitId unit_id;
    domain::Step step{};
    int ordinal = 0;
    int run_number = 1;  // of the task
    int number = 0;      // from 1, per unit
    std::int64_t lease = 0;
    std::string node;
    std::string model;
    WallTime started_at;
    std::optional<WallTime> ended_at;
    std::string outcome;  // "running", "completed", "failed", "returned", "cancelled", "lost"
    std::optional<StoredError> error;
    Millis audio_done{0};
};

struct Event {
    std::int64_t seq = 0;  // grows by commit order, never reused
    WallTime at;
    std::string type;  // "task.created", "task.state", "task.updated" (its priority),
                       // "task.progress", "unit.completed", "unit.failed", "unit.retry",
                       // "media.created", "media.updated", "media.deleted",
                       // "transcript.updated", "queue.paused", "queue.resumed"
    MediaId media_id;
    TaskId task_id;       // empty where the event is of no task
    std::string payload;  // a JSON object
};

}  // namespace durascribe::ports
