// What the verbs of the store (store.h) take and give, beside its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/domain/model_choice.h"
#include "durascribe/domain/progress.h"
#include "durascribe/domain/subtitle_formats.h"
#include "durascribe/domain/transcript.h"
#include "durascribe/ports/idempotency.h"
#include "durascribe/ports/store_rows.h"
#include "durascribe/ports/token_store.h"

namespace durascribe::ports {

struct Lease {
    UnitId unit;
    std::int64_t number = 0;  // the fencing token: grows with every claim of the unit
    bool operator==(const Lease&) const = default;
};

// A file of a watched folder, in one of its forms.
struct WatchedFile {
    std::string path;  // absolute, as bytes
    std::int64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t mtime_ns = 0;
    bool operator==(const WatchedFile&) const = default;
};

struct WatchedRow {
    WatchedFile file;
    MediaId media_id;
    TaskId task_id;
    bool written = false;  // what comes of it was put beside it
};

struct NewMedia {
    MediaId id;
    TaskId task_id;
    std::string title;
    std::string filename;
    BlobRef source;        // committed in the blob store; empty where it is to be fetched
    std::string url = {};  // to be fetched from; options.from_url says so, too
    bool titled = true;    // the title was chosen, and is not to follow the name of what is fetched
    domain::TaskOptions options;
    std::optional<IdempotencyKey> idempotency;
    // It comes of this file: kept in the same transaction. Where it was kept before, in this form:
    // what it made then, as replayed, or rows that are empty but for their ids.
    std::optional<WatchedFile> watched = {};
    // Where the same bytes have a task that does the same (same_work) and is not being cancelled:
    // that one, as replayed, and nothing new. The newest that is completed, else that is active,
    // else that has ended.
    bool join = false;
    Charge charge;
};

// An upload that comes in pieces.
struct NewUpload {
    UploadId id;
    MediaId media_id;  // of what it becomes
    TaskId task_id;
    std::optional<std::int64_t> length;  // nullopt: not said yet
    std::string filename;
    std::string title;
    domain::TaskOptions options;
    std::string metadata;  // as the client sent it, to be told again
    std::optional<IdempotencyKey> idempotency;
    Charge charge;  // judged here; what it becomes is then on this account, and is not refused
};

// Of those that are not finished.
struct UploadLimits {
    int count_max = 1'000;
    std::int64_t bytes_max = 0;  // announced, or there where nothing was; 0: no limit
};

struct NewTask {
    MediaId media_id;
    TaskId id;
    domain::TaskOptions options;
    bool force = false;  // cancel the one that is active
    std::optional<IdempotencyKey> idempotency;
    Charge charge;
    // Kept in the task where it begins with transcribe: no extract brings one (ExtractResult).
    domain::ModelChoice choice = {};
};

inline constexpr std::size_t kBatchItemsMax = 1'000;

// What an upload in pieces has become: its media, and the task that was made with it.
struct FromUpload {
    UploadId upload;
};

// Many submissions as one.
struct NewBatch {
    BatchId id;
    std::string title;                                               // for people; may be empty
    std::vector<std::variant<NewMedia, NewTask, FromUpload>> items;  // without keys of their own
    std::optional<IdempotencyKey> idempotency;
};

// The same error, with the item that it is about.
inline Error in_batch_item(Error error, std::size_t position) {
    error.message = "items[" + std::to_string(position) + "]: " + error.message;
    return error;
}

struct BatchRow {
    BatchId id;
    std::string title;
    WallTime created_at;
    struct Item {
        MediaId media_id;
        TaskId task_id;
        // As they are now; none: deleted since.
        std::optional<MediaRow> media;
        std::optional<TaskRow> task;
    };
    std::vector<Item> items;  // in their order
    bool replayed = false;    // made before, under the same key
};

// What a submission made, as it was when it was made.
struct Submission {
    MediaRow media;
    TaskRow task;
    bool source_known = false;  // another media had the same bytes
    bool replayed = false;      // made before: under the same idempotency key or ids, or joined
    std::optional<TaskId> replaced;  // the active task that `force` asked to cancel
    std::vector<Lease> stopping;     // its units that run: to be stopped now
};

struct ClaimRequest {
    NodeId node;
    domain::Lane lane;
    Millis lease_length{30'000};
    std::string model;  // recorded with the attempt
};

struct ClaimedUnit {
    Lease lease;
    TaskId task_id;
    MediaId media_id;
    domain::Step step;
    int ordinal = 0;
    int attempt = 1;
    domain::AudioSpan span;  // of a transcribe unit
    domain::TaskOptions options;
    int run_number = 1;
    std::string engine;        // chosen for the task; empty: not yet (before extract has ended)
    std::string model;         // the unit's own where it has one, else the task's
    Millis worked{0};          // TaskRow::worked
    BlobRef source;            // the media
    BlobRef pcm;               // the decoded audio, once extracted
    Millis media_duration{0};  // once extracted
};

struct ExtractResult {
    domain::MediaInfo info;
    BlobRef pcm;  // committed in the blob store; empty where there is nothing to recognise
    domain::WaveformPeaks peaks;
    std::vector<domain::AudioSpan> chunks;  // become the transcribe units; empty: silence only
    domain::ModelChoice choice;             // for the steps that follow; kept in the task
    std::optional<domain::Poster> poster;   // none: the media has no picture
};

struct ChunkResult {
    std::vector<domain::Segment> segments;
    std::string engine;
    std::string model;
};

struct FinalResult {
    std::vector<domain::Segment> segments;  // joined, replace those of the chunks as what is shown
    std::vector<std::pair<domain::DocumentFormat, std::string>> documents;
};

// How an attempt failed, and what is known to help.
struct FailedAttempt {
    Error error;
    Millis audio_done{0};  // how far it got
    // Until the next attempt: the other side asked for it (class network), or at the latest, where
    // Store::end_wait tells of room before (class storage).
    std::optional<Millis> retry_after;
    std::string smaller_model;  // for the next attempt after class memory; empty: none
    bool for_good = false;      // whatever attempts are left: the task's time is over
};

// What the end of an attempt did.
struct UnitEnd {
    domain::UnitState unit_state;
    domain::TaskState task_state;
    std::optional<WallTime> next_attempt_at;
    bool quarantined = false;
};

struct RenewedLease {
    Lease lease;
    bool lost = false;              // no longer ours: stop at once, the result will be refused
    bool cancel_requested = false;  // stop, then acknowledge_cancelled
};

struct UnitProgress {
    Lease lease;
    Millis audio_done{0};
};

struct TaskPercent {
    TaskId task;
    int run_number = 1;  // of another run: skipped
    double percent = 0;
    Millis worked{0};  // TaskRow::worked; only rises within a run
};

struct RetryOutcome {
    TaskRow task;
    std::vector<std::pair<domain::Step, int>> queued;  // units queued again, by step
    int failed = 0;                                    // of them, those that had failed
    int cancelled = 0;                                 // of them, those that had been cancelled
    bool replayed = false;                             // asked before, under the same key
};

struct CancelOutcome {
    TaskRow task;  // already cancelled where nothing ran
    std::vector<Lease> running;
};

// Where a task that waits stands, in the order of claim().
struct QueuePlace {
    domain::Lane lane{};
    int position = 1;     // among those that wait; 1: the first of them, but for aging
    int units_ahead = 0;  // that will be served before its next unit, those of tasks at work too
    // In the lane media: units of the lane speech that are served before enough of what is decoded
    // is done (kDecodedAhead), if all were as long as those that are decoded.
    int speech_units_ahead = 0;
};

// A waiting task in the order of claim(): those of one lane after the other.
struct QueuedTask {
    TaskRow task;
    QueuePlace place;
};

// What is kept for how long; nullopt: for ever.
struct Retention {
    std::optional<Millis> media;  // after its last task has ended
    std::optional<Millis> events;
    std::optional<Millis> attempts;  // of ended tasks
    std::int64_t events_max = 1'000'000;
    Millis idempotency_keys{24LL * 3600 * 1000};
    Millis uploads{3LL * 24 * 3600 * 1000};  // since their last piece, finished or not
};

struct Pruned {
    int media = 0, events = 0, attempts = 0, idempotency_keys = 0, uploads = 0;
    int deliveries = 0;          // of webhooks, that had ended
    std::vector<BlobRef> blobs;  // that nothing names any more
    bool more = false;           // there is more to prune: call again
};

struct NamedBlob {
    BlobRef blob;
    bool is_source = false;  // of a media; otherwise a task's decoded audio
};

struct TaskCounts {
    int pending = 0, processing = 0, retrying = 0;
    int completed = 0, partial_failure = 0, failed = 0, cancelled = 0;
};

enum class MediaOrder { created, title, duration };

// What is empty does not filter.
struct MediaFilter {
    std::vector<domain::TaskState> states;  // of the newest task: one of these
    bool downloading = false;  // or, beside those: it is active, and the source not there yet
    std::string search;        // as SearchRequest::text, in title or transcript
    std::optional<WallTime> created_from;  // then or later
    std::optional<WallTime> created_before;
    std::string language;  // of the newest task's options
    std::optional<Millis> duration_min;
    std::optional<Millis> duration_max;
    std::optional<bool> has_transcript;  // whether there is a shown_task

    // With `search` the newest come first, whatever these say.
    MediaOrder order = MediaOrder::created;
    bool ascending = false;
};

struct TaskFilter {
    std::optional<domain::TaskState> state;
    std::optional<MediaId> media_id;
    bool active_only = false;
};

}  // namespace durascribe::ports
