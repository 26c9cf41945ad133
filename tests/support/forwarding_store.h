// A store that hands every verb on to another, for tests that change what becomes of one of them:
// they override that verb.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "durascribe/ports/store.h"

namespace durascribe::testing {

class ForwardingStore : public ports::Store {
  public:
    explicit ForwardingStore(ports::Store& store) : store_(store) {}

    Result<ports::TokenRow> create_token(
        const ports::NewToken& token,
        const std::optional<ports::IdempotencyKey>& idempotency) override {
        return store_.create_token(token, idempotency);
    }
    Result<void> revoke_token(const TokenId& id) override { return store_.revoke_token(id); }
    Result<void> note_token_use(std::span<const ports::TokenUse> uses) override {
        return store_.note_token_use(uses);
    }
    Result<void> open_session(const ports::SessionRow& session) override {
        return store_.open_session(session);
    }
    Result<void> end_session(const std::string& secret_sha256) override {
        return store_.end_session(secret_sha256);
    }
    Result<std::vector<ports::TokenRow>> tokens() override { return store_.tokens(); }
    Result<std::vector<ports::SessionRow>> sessions() override { return store_.sessions(); }
    Result<void> check_charge(const ports::Charge& charge, std::int64_t more_bytes) override {
        return store_.check_charge(charge, more_bytes);
    }
    ports::WebhookStore& webhooks() override { return store_.webhooks(); }
    void set_listener(ports::CommitListener* listener) override {
        return store_.set_listener(listener);
    }
    Result<ports::Submission> submit(const ports::NewMedia& media) override {
        return store_.submit(media);
    }
    Result<ports::UploadRow> create_upload(const ports::NewUpload& upload,
                                           const ports::UploadLimits& limits) override {
        return store_.create_upload(upload, limits);
    }
    Result<ports::UploadRow> record_upload(const UploadId& id, std::int64_t offset,
                                           std::optional<std::int64_t> length,
                                           const ports::UploadLimits& limits,
                                           std::int64_t storage_max) override {
        return store_.record_upload(id, offset, length, limits, storage_max);
    }
    Result<ports::UploadRow> seal_upload(const UploadId& id,
                                         const ports::BlobRef& source) override {
        return store_.seal_upload(id, source);
    }
    Result<ports::Submission> finish_upload(const UploadId& id) override {
        return store_.finish_upload(id);
    }
    Result<void> delete_upload(const UploadId& id) override { return store_.delete_upload(id); }
    Result<void> record_import(const ports::Lease& lease, const ports::ImportRow& import) override {
        return store_.record_import(lease, import);
    }
    Result<ports::UnitEnd> finish_acquire(const ports::Lease& lease) override {
        return store_.finish_acquire(lease);
    }
    Result<std::optional<ports::ImportRow>> import_of(const MediaId& media) override {
        return store_.import_of(media);
    }
    Result<std::optional<ports::MediaRow>> newest_media_from(const std::string& url) override {
        return store_.newest_media_from(url);
    }
    Result<ports::Submission> submit_task(const ports::NewTask& task) override {
        return store_.submit_task(task);
    }
    Result<std::optional<ports::WatchedRow>> watched_file(const std::string& path) override {
        return store_.watched_file(path);
    }
    Result<std::vector<ports::WatchedRow>> unwritten_files(int limit) override {
        return store_.unwritten_files(limit);
    }
    Result<void> mark_written(const ports::WatchedFile& file) override {
        return store_.mark_written(file);
    }
    Result<ports::BatchRow> submit_batch(const ports::NewBatch& batch) override {
        return store_.submit_batch(batch);
    }
    Result<ports::BatchRow> batch(const BatchId& id) override { return store_.batch(id); }
    Result<ports::PageOf<ports::BatchRow>> list_batches(const ports::Page& page) override {
        return store_.list_batches(page);
    }
    Result<ports::MediaRow> rename_media(
        const MediaId& id, const std::string& title,
        const std::optional<std::vector<int>>& if_revision) override {
        return store_.rename_media(id, title, if_revision);
    }
    Result<std::vector<ports::BlobRef>> delete_media(
        const MediaId& id, const std::optional<std::vector<int>>& if_revision) override {
        return store_.delete_media(id, if_revision);
    }
    Result<std::optional<ports::ClaimedUnit>> claim(const ports::ClaimRequest& request) override {
        return store_.claim(request);
    }
    Result<std::vector<ports::RenewedLease>> renew_leases(const NodeId& node,
                                                          std::span<const ports::Lease> leases,
                                                          Millis lease_length) override {
        return store_.renew_leases(node, leases, lease_length);
    }
    Result<void> report_progress(std::span<const ports::UnitProgress> units,
                                 std::span<const ports::TaskPercent> tasks) override {
        return store_.report_progress(units, tasks);
    }
    Result<ports::UnitEnd> finish_extract(const ports::Lease& lease,
                                          const ports::ExtractResult& result) override {
        return store_.finish_extract(lease, result);
    }
    Result<ports::UnitEnd> finish_chunk(const ports::Lease& lease,
                                        const ports::ChunkResult& result) override {
        return store_.finish_chunk(lease, result);
    }
    Result<ports::UnitEnd> finish_final(const ports::Lease& lease,
                                        const ports::FinalResult& result) override {
        return store_.finish_final(lease, result);
    }
    Result<ports::UnitEnd> fail_unit(const ports::Lease& lease, const ports::FailedAttempt& failed,
                                     const domain::RetryLimits& limits, double random01) override {
        return store_.fail_unit(lease, failed, limits, random01);
    }
    Result<void> end_wait(UnitId unit) override { return store_.end_wait(unit); }
    Result<ports::UnitEnd> return_unit(const ports::Lease& lease,
                                       const std::string& reason) override {
        return store_.return_unit(lease, reason);
    }
    Result<ports::UnitEnd> acknowledge_cancelled(const ports::Lease& lease) override {
        return store_.acknowledge_cancelled(lease);
    }
    Result<ports::CancelOutcome> request_cancel(const TaskId& id) override {
        return store_.request_cancel(id);
    }
    Result<ports::RetryOutcome> retry(const TaskId& id,
                                      const std::optional<ports::IdempotencyKey>& idempotency,
                                      const ports::Charge& charge) override {
        return store_.retry(id, idempotency, charge);
    }
    Result<ports::TaskRow> expire_task(const TaskId& id, int run_number,
                                       const Error& error) override {
        return store_.expire_task(id, run_number, error);
    }
    Result<ports::EditedTranscript> edit_transcript(const ports::TranscriptEdit& edit) override {
        return store_.edit_transcript(edit);
    }
    Result<ports::TaskRow> set_priority(const TaskId& id, int priority) override {
        return store_.set_priority(id, priority);
    }
    Result<void> set_paused(bool paused) override { return store_.set_paused(paused); }
    Result<bool> paused() override { return store_.paused(); }
    Result<int> recover(const NodeId& self) override { return store_.recover(self); }
    Result<int> rescue_expired(std::span<const ports::Lease> running) override {
        return store_.rescue_expired(running);
    }
    Result<std::optional<WallTime>> next_wake_up() override { return store_.next_wake_up(); }
    Result<void> learn(domain::Step step, const std::string& engine, const std::string& model,
                       const NodeId& node, double seconds_per_audio_second) override {
        return store_.learn(step, engine, model, node, seconds_per_audio_second);
    }
    Result<std::vector<domain::StepSpeed>> speeds() override { return store_.speeds(); }
    Result<ports::Pruned> prune(const ports::Retention& retention, int batch_rows) override {
        return store_.prune(retention, batch_rows);
    }
    Result<bool> index_more(int media) override { return store_.index_more(media); }
    std::unique_ptr<ports::ReadView> read_view() override { return store_.read_view(); }
    Result<ports::MediaRow> media(const MediaId& id) override { return store_.media(id); }
    Result<ports::PageOf<ports::MediaRow>> list_media(const ports::MediaFilter& filter,
                                                      const ports::Page& page) override {
        return store_.list_media(filter, page);
    }
    Result<ports::SearchAnswer> search(const ports::SearchRequest& request,
                                       const ports::Page& page) override {
        return store_.search(request, page);
    }
    Result<std::optional<ports::MediaRow>> newest_media_of(const ports::BlobRef& source) override {
        return store_.newest_media_of(source);
    }
    Result<ports::TaskRow> task(const TaskId& id) override { return store_.task(id); }
    Result<std::optional<ports::TaskRow>> newest_task(const MediaId& media) override {
        return store_.newest_task(media);
    }
    Result<std::optional<ports::TaskRow>> shown_task(const MediaId& media) override {
        return store_.shown_task(media);
    }
    Result<ports::PageOf<ports::TaskRow>> list_tasks(const ports::TaskFilter& filter,
                                                     const ports::Page& page) override {
        return store_.list_tasks(filter, page);
    }
    Result<std::vector<ports::UnitRow>> units(const TaskId& task) override {
        return store_.units(task);
    }
    Result<std::vector<ports::AttemptRow>> attempts(const TaskId& task) override {
        return store_.attempts(task);
    }
    Result<std::vector<domain::Segment>> segments(const TaskId& task) override {
        return store_.segments(task);
    }
    Result<std::vector<domain::Segment>> chunk_segments(const TaskId& task) override {
        return store_.chunk_segments(task);
    }
    Result<ports::TranscriptText> transcript(const TaskId& task,
                                             std::optional<int> revision) override {
        return store_.transcript(task, revision);
    }
    Result<ports::PageOf<ports::TranscriptRevision>> revisions(const TaskId& task,
                                                               const ports::Page& page) override {
        return store_.revisions(task, page);
    }
    Result<std::vector<domain::Gap>> gaps(const TaskId& task) override { return store_.gaps(task); }
    Result<std::optional<std::string>> document(const TaskId& task,
                                                domain::DocumentFormat format) override {
        return store_.document(task, format);
    }
    Result<std::optional<domain::WaveformPeaks>> peaks(const MediaId& media) override {
        return store_.peaks(media);
    }
    Result<std::optional<domain::Poster>> poster(const MediaId& media) override {
        return store_.poster(media);
    }
    Result<std::optional<ports::BlobRef>> decoded_audio(const MediaId& media) override {
        return store_.decoded_audio(media);
    }
    Result<std::vector<ports::Event>> events_after(std::int64_t seq, int limit) override {
        return store_.events_after(seq, limit);
    }
    Result<std::vector<ports::Event>> task_events(const TaskId& task, int limit) override {
        return store_.task_events(task, limit);
    }
    Result<std::pair<std::int64_t, std::int64_t>> event_range() override {
        return store_.event_range();
    }
    Result<ports::TaskCounts> counts() override { return store_.counts(); }
    Result<int> processing_but(std::span<const TaskId> known, WallTime since) override {
        return store_.processing_but(known, since);
    }
    Result<std::optional<Millis>> longest_wait() override { return store_.longest_wait(); }
    Result<int> units_before_end(const TaskId& task) override {
        return store_.units_before_end(task);
    }
    Result<std::optional<ports::QueuePlace>> queue_place(const TaskId& task) override {
        return store_.queue_place(task);
    }
    Result<std::vector<ports::QueuedTask>> queue(int limit) override { return store_.queue(limit); }
    Result<bool> key_known(const ports::IdempotencyKey& key) override {
        return store_.key_known(key);
    }
    Result<ports::UploadRow> upload(const UploadId& id) override { return store_.upload(id); }
    Result<std::vector<UploadId>> sealed_uploads() override { return store_.sealed_uploads(); }
    Result<bool> blob_referenced(const std::string& sha256) override {
        return store_.blob_referenced(sha256);
    }
    Result<std::vector<ports::NamedBlob>> named_blobs(const std::string& after,
                                                      int limit) override {
        return store_.named_blobs(after, limit);
    }

  protected:
    ports::Store& store_;
};

}  // namespace durascribe::testing
