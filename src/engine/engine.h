// The durable engine: claims units, runs them on workers, records their ends, and goes on after a
// crash from what the store says. It knows neither HTTP nor SQL nor how a worker is made.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/domain/chunk_plan.h"
#include "durascribe/domain/model_choice.h"
#include "durascribe/domain/retry_policy.h"
#include "durascribe/engine/event_feed.h"
#include "durascribe/engine/observer.h"
#include "durascribe/engine/task_view.h"
#include "durascribe/ports/blob_store.h"
#include "durascribe/ports/clock.h"
#include "durascribe/ports/store.h"
#include "durascribe/ports/worker.h"

namespace durascribe::engine {

class ResumableUploads;  // resumable_uploads.h

inline constexpr Millis kLeastTaskTimeout{1'800'000};

struct EngineSettings {
    int speech_slots = 2;  // MAX_CONCURRENT_TRANSCRIPTIONS: warm speech workers, one each
    int media_slots = 2;
    int fetch_slots = 2;
    std::int64_t fetch_limit_bytes = 0;       // of one file; 0: none
    Millis fetch_timeout{6LL * 3600 * 1000};  // of one attempt
    Millis fetch_stall{30'000};               // without a byte: the attempt ends, class network
    Millis lease_length{30'000};
    // TRANSCRIPTION_TIMEOUT: how long units of one task may run in all, in one run of it, but for
    // downloads and finalizing. None: kLeastTaskTimeout, or deadline_factor times what is
    // predicted, where that is more. One unit gets no more either.
    std::optional<Millis> task_timeout;
    double deadline_factor = 4;
    Millis stall_floor{30'000};  // a unit without progress for so long is killed …
    double stall_factor = 4;     // … or for so many times its predicted length, where that is more
    Millis longest_media{24LL * 3600 * 1000};
    Millis cancel_patience{2'000};  // within which a cancelled unit's worker is dead
    int chunks_per_worker = 500;    // then a speech worker is replaced
    std::int64_t worker_growth_bytes = 512LL << 20;  // more than when it was warm: replaced
    domain::RetryLimits retry;
    ports::Retention retention;
    ports::UploadLimits uploads;  // of those that come in pieces
    Millis housekeeping_interval{24LL * 3600 * 1000};
    domain::ChunkLimits chunks;
    // What the speech workers load before their first unit; the model also for the attempt records.
    std::string engine;
    std::string model;
    std::string language;
    // The models installed, for "auto" and after a failure of class memory; asked anew each time.
    std::function<std::vector<domain::ModelCandidate>()> models;
    // The same without waiting for it: empty while it is not known.
    std::function<std::vector<domain::ModelCandidate>()> models_known;
    std::int64_t memory_limit_bytes = 0;  // MAX_MEMORY_PER_TRANSCRIPTION; 0: none
    // What one more worker could take now without pushing others out; none: not limited.
    std::function<std::int64_t()> free_memory_bytes;
    // That a speech worker needs, where neither its model says it nor one was measured.
    std::int64_t worker_memory_bytes = 0;
    NodeId node_name{"local"};     // of the machine: learned speeds are kept under it
    Observer* observer = nullptr;  // not owned
};

// Engine::check_request.
using CheckRequest = std::function<Result<void>(const domain::TaskOptions&,
                                                const std::optional<ports::IdempotencyKey>&)>;

// A file on its way in. Dropped without finish(), nothing of it stays. One thread at a time.
class Upload {
  public:
    virtual ~Upload() = default;
    // Errors: storage; request "body_too_large" past the limit given to begin_upload.
    virtual Result<void> write(std::span<const std::byte> bytes) = 0;
    virtual std::int64_t size_bytes() const = 0;

    struct Submitted {
        ports::MediaRow media;
        ports::TaskRow task;
        bool stored_before = false;  // the same bytes were there: kept once
        bool replayed = false;       // made before: the first answer to this key, or joined
    };
    // Bytes, media and task are on disk when it returns. Errors: input "empty_file"; storage.
    // What was uploaded is added to the key's fingerprint. Error also: request
    // "idempotency_key_reused". With `join`, and no key, a task that did or does the same with
    // these bytes is given instead of a new one, as replayed (ports::NewMedia::join). Errors also:
    // those of the account (ports::Store::submit).
    virtual Result<Submitted> finish(const std::string& filename, const std::string& title,
                                     const domain::TaskOptions& options,
                                     std::optional<ports::IdempotencyKey> idempotency = {},
                                     bool join = false,
                                     std::optional<ports::WatchedFile> watched = {}) = 0;

    // In place of finish(), for what Engine::submit_batch names: the bytes are on disk when it
    // returns, and stay while this object lives; then they go, unless a row names them. Errors:
    // input "empty_file"; storage.
    virtual Result<ports::BlobRef> keep() = 0;
    // Whether a row names what was kept will be known after the next start: it stays until then.
    virtual void leave_in_doubt() = 0;
};

// Owner: the composition (apps/). Every method is thread-safe. Threads: one for each slot, the
// supervisor (leases, persisted progress, retry times), the lease watch and the housekeeper; all
// end in stop(). What is asked after that is answered from the store, and what is submitted waits
// there.
class Engine {
  public:
    // The references must outlive the engine; it becomes the store's listener.
    Engine(ports::Store& store, ports::BlobStore& blobs, ports::WorkerFactory& workers,
           const ports::Clock& clock, EngineSettings settings);
    ~Engine();  // stop()
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Recovers what an earlier run left, then starts the slots and, beside them, the housekeeper.
    // Returns before the workers are warm. Errors: the store's.
    Result<void> start();

    // No unit is claimed any more (but by a claim that is under way, whose unit is handed back),
    // and draining() is true. What runs goes on. Returns at once.
    void stop_claiming();

    // The same, gives running units `grace` to end, then kills their workers and hands the units
    // back with no attempt spent. Returns when every worker is dead. Idempotent.
    void stop(Millis grace = Millis{0});

    // Whether a task with these options can be done here, or this key has its answer already. The
    // submissions below check it themselves; ask before a large upload is taken. Errors: input
    // "unknown_engine", "unknown_model", "unsupported_language" (each names what is installed; none
    // where nothing is to be recognised anew), "no_diarizer"; the store's.
    Result<void> check_request(const domain::TaskOptions& options,
                               const std::optional<ports::IdempotencyKey>& idempotency);

    // The models installed.
    std::vector<domain::ModelCandidate> models() const;

    // `limit_bytes` 0: no limit. `expected_bytes` 0: not known. Errors: storage, request
    // "body_too_large"; of its finish() also those of check_request. What comes of it is on the
    // account of `charge`.
    Result<std::unique_ptr<Upload>> begin_upload(std::int64_t expected_bytes,
                                                 std::int64_t limit_bytes,
                                                 const ports::Charge& charge = {});

    // A media whose bytes a task fetches, as its first step. Errors: as check_request and
    // ports::Store::submit. What the address may be is the caller's to check (net/).
    struct NewImport {
        std::string url;
        std::string filename;
        std::string title;  // empty: of what is fetched, as soon as its name is known; until then:
        std::string title_until_known;
        domain::TaskOptions options;
        std::optional<ports::IdempotencyKey> idempotency;
        ports::Charge charge;
    };
    Result<ports::Submission> import(const NewImport& import);

    // Many as one: all items or none. Errors: those of import() and submit_task(), of
    // Upload::keep(), and of ports::Store::submit_batch for what came in pieces.
    struct NewBatch {
        std::string title;
        struct Again {  // a new task over a media that is there
            MediaId media;
            domain::TaskOptions options;
        };
        struct File {  // a new media
            std::unique_ptr<Upload> upload;
            std::string filename;
            std::string title;
            domain::TaskOptions options;
        };
        // In their order; what came in pieces is there with its task already.
        std::vector<std::variant<NewImport, Again, File, ports::FromUpload>> items;
        std::optional<ports::IdempotencyKey> idempotency;
        ports::Charge charge;  // of every item
    };
    Result<ports::BatchRow> submit_batch(const NewBatch& batch);

    // A new task over a media that is there; errors as ports::Store::submit_task and check_request.
    Result<ports::Submission> submit_task(
        const MediaId& media, const domain::TaskOptions& options, bool force,
        const std::optional<ports::IdempotencyKey>& idempotency = {},
        const ports::Charge& charge = {});

    // Requested when this returns: the row says cancel_requested_at, or cancelled where nothing
    // ran. The workers on it are dead within cancel_patience. Errors: request "not_found",
    // "task_ended".
    Result<ports::TaskRow> cancel(const TaskId& task);

    // Errors: as ports::Store::retry.
    Result<ports::RetryOutcome> retry(const TaskId& task,
                                      const std::optional<ports::IdempotencyKey>& idempotency = {},
                                      const ports::Charge& charge = {});

    // Removes rows, then the files that nothing names any more. Errors: as
    // ports::Store::delete_media.
    Result<void> delete_media(const MediaId& media,
                              const std::optional<std::vector<int>>& if_revision = {});

    // The task with live progress, stage, time left and queue position. Errors: request
    // "not_found".
    Result<TaskView> view(const TaskId& task);
    // Of a media's newest task; nullopt: it never had one.
    Result<std::optional<TaskView>> view_of_media(const MediaId& media);
    // Of one that was read already; the caller holds the read_view() in which that was.
    Result<std::optional<TaskView>> view_of_media(const ports::MediaRow& media);

    // The result in one of the formats: as it was finalized, or written anew from how it was edited
    // or from what there is so far. `revision` as of ports::Store::transcript.
    Result<std::string> document(const TaskId& task, domain::DocumentFormat format,
                                 std::optional<int> revision = {});

    // Those that come in pieces. Options are checked by who creates one.
    ResumableUploads& uploads();

    EventFeed& feed();

    struct SlotStatus {
        domain::Lane lane;
        int pid = 0;  // of the slot's worker; 0: none now
        bool warm = false;
        std::optional<TaskId> task;  // it works on
        std::optional<domain::Step> step;
        std::int64_t resident_bytes = 0;
    };
    std::vector<SlotStatus> slots();
    bool draining() const;

    // What the last look at files and rows has found (reconcile.h).
    struct Housekeeping {
        std::optional<WallTime> reconciled_at;  // none: not since the start
        int sources_missing = 0;
        int audio_missing = 0;
    };
    Housekeeping housekeeping();

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace durascribe::engine
