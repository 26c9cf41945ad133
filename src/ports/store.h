// The durable record of media, tasks, units, attempts and events. Its methods are the verbs of the
// state machine (domain/states.h), never generic updates. One contract suite
// (tests/contract/store_contract.h) runs against every implementation.
//
// Rules that hold for every verb:
//  * It returns after the commit: what it reports is on disk (SQLite: synchronous=FULL). An error
//    means that nothing changed, except code "in_doubt": the commit's outcome is not known.
//  * The rows, their cleared fields, and the events are one transaction. The listener is called
//    after the commit, in commit order, from one thread.
//  * Verbs that end or report an attempt carry its Lease and change nothing when it is stale:
//    class lost, code "stale_lease".
//  * They block the calling thread and are thread-safe; concurrent calls share commits.
//  * Errors beyond those named: storage (disk full, I/O), internal.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "durascribe/domain/retry_policy.h"
#include "durascribe/ports/page.h"
#include "durascribe/ports/store_rows.h"
#include "durascribe/ports/store_values.h"
#include "durascribe/ports/token_store.h"
#include "durascribe/ports/transcripts.h"

namespace durascribe::ports {

// Aging (Store::claim): every kAgedShare-th claim of a lane goes to the task that has waited
// unserved longest, whatever its priority, once it has waited for kAgingAfter.
inline constexpr Millis kAgingAfter{120'000};
// So many tasks are decoded and wait for a speech slot before no further one of their size and
// priority is decoded (Store::claim).
inline constexpr int kDecodedAhead = 32;
inline constexpr int kAgedShare = 4;

// ---- the listener -----------------------------------------------------------------------------

// Called on the store's own thread after each commit: must be quick, must not call the store.
class CommitListener {
  public:
    virtual ~CommitListener() = default;
    // `events` in order of seq. `lanes[i]`: a unit of lane i may have become claimable.
    virtual void on_commit(std::span<const Event> events,
                           std::span<const bool, domain::kLanes> lanes) noexcept = 0;
};

// ---- the store --------------------------------------------------------------------------------

// See Store::read_view.
class ReadView {
  public:
    virtual ~ReadView() = default;
};

class WebhookStore;  // webhook_store.h

class Store : public TokenStore {
  public:
    // Lives as long as the store.
    virtual WebhookStore& webhooks() = 0;

    // At most one, set before the first verb; not owned.
    virtual void set_listener(CommitListener* listener) = 0;

    // -- intake --

    // One media, its first task, the task's first units, their events. Idempotent in the ids: the
    // same media id and task id again returns the rows as they are; so does NewMedia::join, with
    // the task that it finds. Errors: request "idempotency_key_reused"; request
    // "too_many_jobs", "storage_quota" past what NewMedia::charge allows, judged in the same
    // transaction.
    virtual Result<Submission> submit(const NewMedia& media) = 0;

    // -- uploads in pieces: an empty one, offsets as they become durable, whole, finished --

    // The same key again: the row that was made then (its id is another than the one given).
    // Errors: request "too_many_uploads" beyond `limits`; request "too_many_jobs", "storage_quota"
    // beyond NewUpload::charge; request "idempotency_key_reused"; request
    // "not_found" where what the key had made is gone.
    virtual Result<UploadRow> create_upload(const NewUpload& upload,
                                            const UploadLimits& limits) = 0;

    // So much of it is durable; it may be less than before (a piece was lost). `length`, where
    // given, is said with it. Requires an offset below the length. What grows by it, beyond what
    // was announced, is judged as if it were created now. Errors: request "not_found", also where
    // it is whole; "too_many_uploads" beyond the limits; "storage_quota" where its account would
    // have more than `storage_max` (0: no limit).
    virtual Result<UploadRow> record_upload(const UploadId& id, std::int64_t offset,
                                            std::optional<std::int64_t> length = {},
                                            const UploadLimits& limits = {},
                                            std::int64_t storage_max = 0) = 0;

    // All of it is durable, and these are its address and length. Until it is finished, the blob
    // counts as referenced. Idempotent. Errors: request "not_found".
    virtual Result<UploadRow> seal_upload(const UploadId& id, const BlobRef& source) = 0;

    // As submit(), of what a whole upload becomes, and the upload is finished, in one transaction.
    // Idempotent, also where the media is gone again: then no rows are made, and the answer's are
    // empty but for their ids. Errors: request "not_found", also where it is not whole.
    virtual Result<Submission> finish_upload(const UploadId& id) = 0;

    // In whatever state; what it became stays. Errors: request "not_found".
    virtual Result<void> delete_upload(const UploadId& id) = 0;

    // -- what is fetched from a URL: NewMedia::url makes the row --

    // How far it has come, as `import` says, from the attempt that fetches it. With a source: all
    // of it is there. Errors: lost "stale_lease".
    virtual Result<void> record_import(const Lease& lease, const ImportRow& import) = 0;
    // The unit of acquire has ended: the media has the source that record_import() gave, and the
    // name of what was fetched; where another task has brought it its source, it stays as it is.
    // Errors: lost "stale_lease"; internal "not_whole".
    virtual Result<UnitEnd> finish_acquire(const Lease& lease) = 0;
    // nullopt: all of it is there, or it was uploaded.
    virtual Result<std::optional<ImportRow>> import_of(const MediaId& media) = 0;
    // The newest media that was or is fetched from there.
    virtual Result<std::optional<MediaRow>> newest_media_from(const std::string& url) = 0;

    // A new task over a media that is there. Where it has no source yet, that is fetched first.
    // With TaskOptions::from_step it takes over what the media's newest task of the same audio
    // track that has it left: of the decoded audio and its chunks (transcribe; the model is then
    // NewTask::choice), of the recognised chunks (diarize, finalize; with the model that did them);
    // where that is gone it starts as early as it must, and the row's from_step says so. Errors:
    // request "not_found", "idempotency_key_reused"; request "task_running" where an active task
    // exists (one active task per media), whose id is Error::detail. With `force` that one is asked
    // to cancel in the same transaction; it may still be stopping while the new one waits or runs.
    // Errors also: request "too_many_jobs".
    virtual Result<Submission> submit_task(const NewTask& task) = 0;

    // -- files of watched folders: NewMedia::watched makes the row --

    virtual Result<std::optional<WatchedRow>> watched_file(const std::string& path) = 0;
    // Those of which nothing was written, and whose task has delivered; at most `limit`. One that
    // has failed or was cancelled is not among them: it may be retried.
    virtual Result<std::vector<WatchedRow>> unwritten_files(int limit) = 0;
    // Where the row is still of this form.
    virtual Result<void> mark_written(const WatchedFile& file) = 0;

    // All items or none. Errors: those of submit() and submit_task(), and of an upload: request
    // "not_found", also where its media is gone; request "upload_not_finished".
    virtual Result<BatchRow> submit_batch(const NewBatch& batch) = 0;
    virtual Result<BatchRow> batch(const BatchId& id) = 0;  // errors: request "not_found"
    // Newest first, without their items.
    virtual Result<PageOf<BatchRow>> list_batches(const Page& page) = 0;

    // Where revisions are given, one of them must be MediaRow::revision. While the media is being
    // fetched: the name of what comes does not take the title's place any more. Errors: request
    // "not_found", "precondition_failed".
    virtual Result<MediaRow> rename_media(
        const MediaId& id, const std::string& title,
        const std::optional<std::vector<int>>& if_revision = {}) = 0;

    // Removes the media, its tasks and all that hangs on them. Where revisions are given, one of
    // them must be MediaRow::revision. Errors: request "not_found", "precondition_failed"; request
    // "task_running" while a task is active. Returns the blobs that nothing names any more.
    virtual Result<std::vector<BlobRef>> delete_media(
        const MediaId& id, const std::optional<std::vector<int>>& if_revision = {}) = 0;

    // -- units --

    // The best claimable unit of a lane, or nullopt: pending, its time come, its task not asked to
    // cancel; none while the queue is paused. Order: priority; within a priority start-time fair
    // queueing, by the audio each was served, so that a task that comes in is served within a unit
    // of each other; in the lane media, where each has one unit, the smaller source, by powers of 2
    // from 1 MiB on, and one above 32 MiB only while no other is being loaded, so that a slot is
    // left for what is short; then age, ordinal. There none goes while kDecodedAhead tasks of its
    // priority or above, and of its size or smaller, have units of the lane speech to claim: so
    // decoded audio does not fill the disk, and of many that come together the first are done long
    // before the last. Aging is the exception: every kAgedShare-th claim goes to the task that has
    // waited unserved longest, if for kAgingAfter (in the lane media only those of its priority or
    // below keep it from that). So the lowest priority starts within kAgingAfter and kAgedShare
    // claims open to it, for itself and each before it.
    virtual Result<std::optional<ClaimedUnit>> claim(const ClaimRequest& request) = 0;

    // Extends the leases of this node, all in one write, and tells which are lost or to be stopped.
    virtual Result<std::vector<RenewedLease>> renew_leases(const NodeId& node,
                                                           std::span<const Lease> leases,
                                                           Millis lease_length) = 0;

    // Persists how far units and their tasks are; entries with a stale lease are skipped. Task
    // percentages only rise within a run. One "task.progress" event per task.
    virtual Result<void> report_progress(std::span<const UnitProgress> units,
                                         std::span<const TaskPercent> tasks) = 0;

    // Each ends an attempt with its result and, where it was the last of its step, opens the next
    // step, or ends the task.
    virtual Result<UnitEnd> finish_extract(const Lease& lease, const ExtractResult& result) = 0;
    virtual Result<UnitEnd> finish_chunk(const Lease& lease, const ChunkResult& result) = 0;
    virtual Result<UnitEnd> finish_final(const Lease& lease, const FinalResult& result) = 0;

    // Ends an attempt with an error; domain::decide_retry says what follows.
    virtual Result<UnitEnd> fail_unit(const Lease& lease, const FailedAttempt& failed,
                                      const domain::RetryLimits& limits, double random01) = 0;

    // What a unit waits for has come: it may be claimed from now on, whatever time its next attempt
    // was given. Nothing where it waits for none.
    virtual Result<void> end_wait(UnitId unit) = 0;

    // Hands a unit back, no attempt spent (drain, lost worker). `reason` is kept with the attempt.
    virtual Result<UnitEnd> return_unit(const Lease& lease, const std::string& reason) = 0;

    // The last process on this unit is dead after a cancel: unit cancelled, and the task with the
    // last.
    virtual Result<UnitEnd> acknowledge_cancelled(const Lease& lease) = 0;

    // -- tasks --

    // Errors: request "not_found"; request "task_ended" where it is terminal already.
    virtual Result<CancelOutcome> request_cancel(const TaskId& id) = 0;

    // Queues again every failed or cancelled unit; finished ones keep their results. Errors:
    // request "not_found"; request "not_retryable" unless cancelled, failed or partial_failure;
    // request "task_running" where another task of the media is active; request
    // "idempotency_key_reused", "too_many_jobs". The task is then on the account of `charge`.
    virtual Result<RetryOutcome> retry(const TaskId& id,
                                       const std::optional<IdempotencyKey>& idempotency = {},
                                       const Charge& charge = {}) = 0;

    // The time of this run of the task is over: its waiting units fail for good with `error`, and
    // what was finished is delivered once the running ones have ended (the caller stops them and
    // fails them for good). Does nothing to a task that has ended, is finalizing, or is at another
    // run. Returns the task as it is then. Errors: request "not_found".
    virtual Result<TaskRow> expire_task(const TaskId& id, int run_number, const Error& error) = 0;

    // -- transcripts --

    // One edit of the transcript of a task that has ended; a new revision, and an event
    // "transcript.updated". What was recognised stays as revision 0. An edit that a retry of the
    // task meets stays: only what the retry recognised anew comes beside it. Errors: request
    // "not_found" (media, task, segment, speaker, revision), "transcript_not_final" while the task
    // has not ended, "precondition_failed"; input "segments_overlap", "bad_split",
    // "nothing_to_merge".
    virtual Result<EditedTranscript> edit_transcript(const TranscriptEdit& edit) = 0;

    // -- the queue --

    // Where the task stands among those that wait, from the next claim on: as one that comes in now
    // with that priority, but for the time it has waited. Emits "task.updated" where it changes.
    // Errors: request "not_found"; request "task_ended" where it is terminal.
    virtual Result<TaskRow> set_priority(const TaskId& id, int priority) = 0;

    // While paused no unit is claimed; what runs goes on. Committed; survives a restart.
    virtual Result<void> set_paused(bool paused) = 0;
    virtual Result<bool> paused() = 0;

    // -- recovery --

    // At start: every processing unit of any other node run goes back to pending (the data
    // directory's lock says that its server is dead); tasks that were asked to cancel end
    // cancelled. What waits for room on the disk looks for it at once. Returns how many units.
    virtual Result<int> recover(const NodeId& self) = 0;
    // Units whose lease has run out, judged by the clock the store was given: back to pending, and
    // counted as lost. The condition is repeated in the write. `running` are those that the caller
    // works on right now: the caller knows better than their leases, which ran out while it slept.
    virtual Result<int> rescue_expired(std::span<const Lease> running = {}) = 0;
    // When the next pending unit of any lane becomes claimable; nullopt: none waits for a time.
    virtual Result<std::optional<WallTime>> next_wake_up() = 0;

    // -- learned speeds --

    virtual Result<void> learn(domain::Step step, const std::string& engine,
                               const std::string& model, const NodeId& node,
                               double seconds_per_audio_second) = 0;
    // One for each (step, engine, model).
    virtual Result<std::vector<domain::StepSpeed>> speeds() = 0;

    // -- housekeeping --

    // Deletes what is older than `retention` allows, about `batch_rows` rows at most in one
    // transaction, so that no other verb waits long. A media goes with its tasks, and with an event
    // "media.deleted"; one with an active task stays. Events and attempts go without an event, and
    // no event goes before it has become a webhook's delivery. To be called daily, and at start: an
    // age is counted in the days on which it was called, so that neither a wall clock that jumps
    // nor a machine that was off for months deletes anything.
    virtual Result<Pruned> prune(const Retention& retention, int batch_rows) = 0;

    // Takes media into the search that were there before there was one: at most `media` of them,
    // the newest first. Returns whether there are more. To be called at start until there are none;
    // whatever comes or changes later is taken in by its own verb.
    virtual Result<bool> index_more(int media) = 0;

    // -- reading: a consistent view of the last commit, never waiting for the writer --

    // While it lives, everything that the calling thread reads is of one moment: that of its first
    // read. One within another adds nothing. Not to be kept while waiting, and not to be given to
    // another thread.
    virtual std::unique_ptr<ReadView> read_view() = 0;
    virtual Result<MediaRow> media(const MediaId& id) = 0;  // errors: request "not_found"
    // In the order that the filter says. One call looks at a bounded number of rows, so that a page
    // may have fewer rows than asked for, even none, while next_cursor says that there are more.
    virtual Result<PageOf<MediaRow>> list_media(const MediaFilter& filter, const Page& page) = 0;
    // Best first where there are few hits, else by media, newest first. Stays in its order while
    // rows come in. Errors: request "bad_cursor", "bad_limit".
    virtual Result<SearchAnswer> search(const SearchRequest& request, const Page& page) = 0;
    virtual Result<std::optional<MediaRow>> newest_media_of(const BlobRef& source) = 0;
    virtual Result<TaskRow> task(const TaskId& id) = 0;  // errors: request "not_found"
    virtual Result<std::optional<TaskRow>> newest_task(const MediaId& media) = 0;
    // The one whose result is shown: the newest that was completed or partly so, also while it is
    // retried; nullopt: there is none yet.
    virtual Result<std::optional<TaskRow>> shown_task(const MediaId& media) = 0;
    virtual Result<PageOf<TaskRow>> list_tasks(const TaskFilter& filter,
                                               const Page& page) = 0;    // newest first
    virtual Result<std::vector<UnitRow>> units(const TaskId& task) = 0;  // by step and ordinal
    virtual Result<std::vector<AttemptRow>> attempts(const TaskId& task) = 0;
    // What was recognised so far, by time: the joined segments once finalized (or once that failed
    // for good), the chunks' until then.
    virtual Result<std::vector<domain::Segment>> segments(const TaskId& task) = 0;
    // What the chunks that have ended well hold, by time, whether it was joined before or not: what
    // finalize joins. While a task is retried that is more than segments(), which are still as they
    // were joined the last time.
    virtual Result<std::vector<domain::Segment>> chunk_segments(const TaskId& task) = 0;
    // The same as it was edited; `revision`: none is the newest, 0 as it was recognised. Errors:
    // request "not_found" where there is no such revision.
    virtual Result<TranscriptText> transcript(const TaskId& task,
                                              std::optional<int> revision = {}) = 0;
    // Newest first. Errors: request "bad_cursor", "bad_limit".
    virtual Result<PageOf<TranscriptRevision>> revisions(const TaskId& task, const Page& page) = 0;
    virtual Result<std::vector<domain::Gap>> gaps(const TaskId& task) = 0;
    // As finalize wrote it, before any edit; nullopt until then.
    virtual Result<std::optional<std::string>> document(const TaskId& task,
                                                        domain::DocumentFormat format) = 0;
    virtual Result<std::optional<domain::WaveformPeaks>> peaks(const MediaId& media) = 0;
    virtual Result<std::optional<domain::Poster>> poster(const MediaId& media) = 0;
    // The decoded audio of the newest task that still has it: 16 kHz, mono, signed 16 bit, little
    // endian. nullopt: none is kept.
    virtual Result<std::optional<BlobRef>> decoded_audio(const MediaId& media) = 0;
    // By seq; after 0: from the oldest that is kept. Errors: request "events_pruned" where some
    // after `seq` are no longer kept: the reader looks at what there is now, and goes on from the
    // newest.
    virtual Result<std::vector<Event>> events_after(std::int64_t seq, int limit) = 0;
    // What is kept of the task's events but its progress, the newest `limit` of them, by seq.
    // Errors: request "not_found".
    virtual Result<std::vector<Event>> task_events(const TaskId& task, int limit) = 0;
    // The oldest event that is still there and the newest that ever was; 0, 0 where none was.
    virtual Result<std::pair<std::int64_t, std::int64_t>> event_range() = 0;
    virtual Result<TaskCounts> counts() = 0;
    // How many tasks are processing that are none of those, and have not been changed since.
    virtual Result<int> processing_but(std::span<const TaskId> known, WallTime since) = 0;
    // For how long the task has waited that has waited unserved longest; nullopt: none waits. By a
    // clock that never goes back and stands still while no server runs.
    virtual Result<std::optional<Millis>> longest_wait() = 0;
    // How many units of other tasks will be served before the last of this one that may be claimed
    // now, by fair turns. Errors: request "not_found".
    virtual Result<int> units_before_end(const TaskId& task) = 0;
    // nullopt: it does not wait for a slot. Errors: request "not_found".
    virtual Result<std::optional<QueuePlace>> queue_place(const TaskId& task) = 0;
    // The first `limit` (1 to 1000) that wait in each lane. Fewer of a lane: no more wait there.
    virtual Result<std::vector<QueuedTask>> queue(int limit) = 0;
    // Whether a request with this Idempotency-Key was answered, and is kept: the same one again
    // gets that answer, another is refused.
    virtual Result<bool> key_known(const IdempotencyKey& key) = 0;
    virtual Result<UploadRow> upload(const UploadId& id) = 0;  // errors: request "not_found"
    // Whole, and not finished.
    virtual Result<std::vector<UploadId>> sealed_uploads() = 0;
    // Whether any row names this blob.
    virtual Result<bool> blob_referenced(const std::string& sha256) = 0;
    // The blobs that rows name, by address: the first `limit` (1 or more) after `after` (empty:
    // from the first). One that is a source and decoded audio, too, comes as a source.
    virtual Result<std::vector<NamedBlob>> named_blobs(const std::string& after, int limit) = 0;
};

}  // namespace durascribe::ports
