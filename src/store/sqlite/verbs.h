// The verbs that write, each within the writer's transaction. What they promise: ports/store.h.
// Private to store/sqlite.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "durascribe/store/sqlite/transitions.h"

namespace durascribe::store {

// intake_verbs.cpp
Result<ports::Submission> submit(WriteTx& tx, const ports::NewMedia& media);
Result<ports::Submission> submit_task(WriteTx& tx, const ports::NewTask& task);
Result<ports::MediaRow> rename_media(WriteTx& tx, const MediaId& id, const std::string& title,
                                     const std::optional<std::vector<int>>& if_revision);
Result<std::vector<ports::BlobRef>> delete_media(
    WriteTx& tx, const MediaId& id, const std::optional<std::vector<int>>& if_revision = {});
// What a request with this key was answered, if it was; request "idempotency_key_reused" where it
// asked for something else.
Result<std::optional<std::string>> first_answer(WriteTx& tx, const ports::IdempotencyKey& key);
void keep_answer(WriteTx& tx, const ports::IdempotencyKey& key, const std::string& answer);
// The active task of a media, of which there is at most one; else one that is still stopping.
std::optional<TaskId> active_task(Connection& db, const MediaId& media);
Error task_running(const TaskId& running);

// upload_verbs.cpp
Result<ports::UploadRow> create_upload(WriteTx& tx, const ports::NewUpload& upload,
                                       const ports::UploadLimits& limits);
Result<ports::UploadRow> record_upload(WriteTx& tx, const UploadId& id, std::int64_t offset,
                                       std::optional<std::int64_t> length,
                                       const ports::UploadLimits& limits, std::int64_t storage_max);
Result<ports::UploadRow> seal_upload(WriteTx& tx, const UploadId& id, const ports::BlobRef& source);
Result<ports::Submission> finish_upload(WriteTx& tx, const UploadId& id);
Result<void> delete_upload(WriteTx& tx, const UploadId& id);
Result<ports::UploadRow> upload(Connection& db, const UploadId& id);
Result<std::vector<UploadId>> sealed_uploads(Connection& db);

// watch_verbs.cpp
// What this form of the file has made before; nullopt: it was not there.
std::optional<ports::Submission> taken_before(WriteTx& tx, const ports::WatchedFile& file);
void keep_watched(WriteTx& tx, const ports::WatchedFile& file, const MediaId& media,
                  const TaskId& task);
Result<void> mark_written(WriteTx& tx, const ports::WatchedFile& file);

// batch_verbs.cpp
Result<ports::BatchRow> submit_batch(WriteTx& tx, const ports::NewBatch& batch);

// import_verbs.cpp
Result<void> record_import(WriteTx& tx, const ports::Lease& lease, const ports::ImportRow& import);
Result<ports::UnitEnd> finish_acquire(WriteTx& tx, const ports::Lease& lease);

// A unit that a lease holds, and its task. Errors: lost "stale_lease"; internal "wrong_step".
struct Held {
    TaskRecord task;
    UnitRecord unit;
};
Result<Held> hold(WriteTx& tx, const ports::Lease& lease,
                  std::optional<domain::Step> step = std::nullopt);
// It has ended well: its row, its attempt and the event.
Result<void> complete_unit(WriteTx& tx, Held& h);
ports::UnitEnd outcome_of(const TaskRecord& t, const UnitRecord& u, bool quarantined = false);

// unit_verbs.cpp
Result<std::optional<ports::ClaimedUnit>> claim(WriteTx& tx, const ports::ClaimRequest& request);
Result<std::vector<ports::RenewedLease>> renew_leases(WriteTx& tx, const NodeId& node,
                                                      std::span<const ports::Lease> leases,
                                                      Millis lease_length);
Result<void> report_progress(WriteTx& tx, std::span<const ports::UnitProgress> units,
                             std::span<const ports::TaskPercent> tasks);
Result<ports::UnitEnd> finish_extract(WriteTx& tx, const ports::Lease& lease,
                                      const ports::ExtractResult& result);
Result<ports::UnitEnd> finish_chunk(WriteTx& tx, const ports::Lease& lease,
                                    const ports::ChunkResult& result);
Result<ports::UnitEnd> finish_final(WriteTx& tx, const ports::Lease& lease,
                                    const ports::FinalResult& result);
Result<ports::UnitEnd> fail_unit(WriteTx& tx, const ports::Lease& lease,
                                 const ports::FailedAttempt& failed,
                                 const domain::RetryLimits& limits, double random01);
Result<void> end_wait(WriteTx& tx, UnitId unit);
Result<ports::UnitEnd> return_unit(WriteTx& tx, const ports::Lease& lease,
                                   const std::string& reason);
Result<ports::UnitEnd> acknowledge_cancelled(WriteTx& tx, const ports::Lease& lease);

// "unit.completed", "unit.failed" and "unit.retry"; `error`: of the attempt that ended.
void emit_unit(WriteTx& tx, std::string_view type, const TaskRecord& t, const UnitRecord& u,
               const std::optional<Error>& error = std::nullopt);

// How an attempt ended; `counted`: whether it was spent.
struct AttemptEnd {
    std::string_view outcome;
    std::optional<Error> error;
    bool counted = true;
};
// Ends the attempt of a unit that is processing, back to pending without spending it; cancelled
// instead where its task was asked to cancel. For return_unit and the rescues.
Result<ports::UnitEnd> hand_back(WriteTx& tx, TaskRecord& t, UnitRecord& u, const AttemptEnd& end,
                                 std::optional<MonoTime> expired_by = std::nullopt);

// task_verbs.cpp
Result<ports::CancelOutcome> request_cancel(WriteTx& tx, const TaskId& id);
Result<ports::RetryOutcome> retry(WriteTx& tx, const TaskId& id,
                                  const std::optional<ports::IdempotencyKey>& idempotency,
                                  const ports::Charge& charge);
Result<ports::TaskRow> expire_task(WriteTx& tx, const TaskId& id, int run_number,
                                   const Error& error);

// edit_verbs.cpp
Result<ports::EditedTranscript> edit_transcript(WriteTx& tx, const ports::TranscriptEdit& edit);
// The task has written its result once more: what is new of it comes beside what was edited.
void recognised_again(WriteTx& tx, const TaskRecord& t,
                      const std::vector<domain::Segment>& segments);

// search_index.cpp
Result<bool> index_more(WriteTx& tx, int media);

// queue_verbs.cpp
QueueClock start_queue_clock(Connection& db, MonoTime mono);
// The task has units to claim and had none in this lane before: it stands beside those that wait.
void join_queue(WriteTx& tx, TaskRecord& t);
// Whose unit goes next, as ports::Store::claim says; nullopt: nobody's, or the queue is paused.
std::optional<TaskId> next_task(WriteTx& tx, domain::Lane lane);
// A unit of it was claimed.
void charge_claim(WriteTx& tx, TaskRecord& t, const domain::AudioSpan& span);
Result<ports::TaskRow> set_priority(WriteTx& tx, const TaskId& id, int priority);
Result<void> set_paused(WriteTx& tx, bool paused);

// housekeeping_verbs.cpp
Result<ports::Pruned> prune(WriteTx& tx, const ports::Retention& retention, int batch_rows);

// recovery_verbs.cpp
Result<int> recover(WriteTx& tx, const NodeId& self);
Result<int> rescue_expired(WriteTx& tx, std::span<const ports::Lease> running);
Result<void> learn(WriteTx& tx, domain::Step step, const std::string& engine,
                   const std::string& model, double seconds_per_audio_second);
std::vector<domain::StepSpeed> speeds(Connection& db);

}  // namespace durascribe::store
