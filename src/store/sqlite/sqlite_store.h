// The store in one SQLite file (WAL, synchronous=FULL): the embedded default of one machine.
//
// Threads: one writer thread owns the one connection that writes and checkpoints; verbs queue for
// it and share commits (writer.h). Reads run on the caller's thread over a pool of read-only
// connections (readers.h) and never wait for the writer.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>

#include "durascribe/ports/clock.h"
#include "durascribe/ports/store.h"

namespace durascribe::store {

struct SqliteOptions {
    bool group_commit = true;  // false: a commit for every verb, to measure what sharing gives
    std::size_t queue_limit = 1'024;  // verbs that wait; further callers wait for a place
    std::size_t batch_limit = 256;    // verbs that share one commit
    std::size_t readers = 4;
    // Of WAL, before it is moved into the database file; fewer where these would be more than a
    // sixteenth of a small disk.
    int checkpoint_pages = 4'000;
    int cache_kib = 32'768;  // of pages, at most, that the writing connection keeps
    // false: PRAGMA synchronous = OFF, and a power cut loses what was answered. For the test that
    // must notice it.
    bool power_safe = true;
    // Told of each commit, on the writer's thread: how long it took with all its verbs, and how
    // many these were. Must be quick. May be empty.
    std::function<void(std::chrono::nanoseconds took, std::size_t verbs)> on_commit;
    // The longest that a unit may wait for its next attempt after a restart, whatever the wall
    // clock says: it may have jumped, and the monotonic one started anew.
    Millis longest_wait_after_restart{300'000};
};

class SqliteStore final : public ports::Store {
  public:
    // Opens the store in `data_directory` (made, mode 0700, where missing), locks the directory,
    // and brings the schema up to date. `clock` must outlive the store. Errors: request
    // "data_directory_in_use", "database_too_new"; storage "data_directory_not_writable",
    // "database_corrupt", "disk_full"; internal "migration_changed".
    static Result<std::unique_ptr<SqliteStore>> open(const std::filesystem::path& data_directory,
                                                     const ports::Clock& clock,
                                                     SqliteOptions options = {});

    // Finishes the verbs that wait, checkpoints, closes and unlocks. No verb may be running.
    ~SqliteStore() override;

    void set_listener(ports::CommitListener* listener) override;
    ports::WebhookStore& webhooks() override;

    Result<ports::Submission> submit(const ports::NewMedia& media) override;
    Result<ports::Submission> submit_task(const ports::NewTask& task) override;
    Result<std::optional<ports::WatchedRow>> watched_file(const std::string& path) override;
    Result<std::vector<ports::WatchedRow>> unwritten_files(int limit) override;
    Result<void> mark_written(const ports::WatchedFile& file) override;
    Result<ports::BatchRow> submit_batch(const ports::NewBatch& batch) override;
    Result<ports::BatchRow> batch(const BatchId& id) override;
    Result<ports::PageOf<ports::BatchRow>> list_batches(const ports::Page& page) override;
    Result<void> record_import(const ports::Lease& lease, const ports::ImportRow& import) override;
    Result<ports::UnitEnd> finish_acquire(const ports::Lease& lease) override;
    Result<std::optional<ports::ImportRow>> import_of(const MediaId& media) override;
    Result<std::optional<ports::MediaRow>> newest_media_from(const std::string& url) override;
    Result<ports::MediaRow> rename_media(
        const MediaId& id, const std::string& title,
        const std::optional<std::vector<int>>& if_revision = {}) override;
    Result<std::vector<ports::BlobRef>> delete_media(
        const MediaId& id, const std::optional<std::vector<int>>& if_revision = {}) override;

    Result<ports::UploadRow> create_upload(const ports::NewUpload& upload,
                                           const ports::UploadLimits& limits) override;
    Result<ports::UploadRow> record_upload(const UploadId& id, std::int64_t offset,
                                           std::optional<std::int64_t> length = {},
                                           const ports::UploadLimits& limits = {},
                                           std::int64_t storage_max = 0) override;
    Result<ports::UploadRow> seal_upload(const UploadId& id, const ports::BlobRef& source) override;
    Result<ports::Submission> finish_upload(const UploadId& id) override;
    Result<void> delete_upload(const UploadId& id) override;

    Result<std::optional<ports::ClaimedUnit>> claim(const ports::ClaimRequest& request) override;
    Result<std::vector<ports::RenewedLease>> renew_leases(const NodeId& node,
                                                          std::span<const ports::Lease> leases,
                                                          Millis lease_length) override;
    Result<void> report_progress(std::span<const ports::UnitProgress> units,
                                 std::span<const ports::TaskPercent> tasks) override;
    Result<ports::UnitEnd> finish_extract(const ports::Lease& lease,
                                          const ports::ExtractResult& result) override;
    Result<ports::UnitEnd> finish_chunk(const ports::Lease& lease,
                                        const ports::ChunkResult& result) override;
    Result<ports::UnitEnd> finish_final(const ports::Lease& lease,
                                        const ports::FinalResult& result) override;
    Result<ports::UnitEnd> fail_unit(const ports::Lease& lease, const ports::FailedAttempt& failed,
                                     const domain::RetryLimits& limits, double random01) override;
    Result<void> end_wait(UnitId unit) override;
    Result<ports::UnitEnd> return_unit(const ports::Lease& lease,
                                       const std::string& reason) override;
    Result<ports::UnitEnd> acknowledge_cancelled(const ports::Lease& lease) override;

    Result<ports::CancelOutcome> request_cancel(const TaskId& id) override;
    Result<ports::RetryOutcome> retry(const TaskId& id,
                                      const std::optional<ports::IdempotencyKey>& idempotency = {},
                                      const ports::Charge& charge = {}) override;
    Result<ports::TaskRow> expire_task(const TaskId& id, int run_number,
                                       const Error& error) override;
    Result<ports::EditedTranscript> edit_transcript(const ports::TranscriptEdit& edit) override;
    Result<ports::TaskRow> set_priority(const TaskId& id, int priority) override;
    Result<void> set_paused(bool paused) override;
    Result<bool> paused() override;

    Result<int> recover(const NodeId& self) override;
    Result<int> rescue_expired(std::span<const ports::Lease> running = {}) override;
    Result<std::optional<WallTime>> next_wake_up() override;

    Result<void> learn(domain::Step step, const std::string& engine, const std::string& model,
                       const NodeId& node, double seconds_per_audio_second) override;
    Result<std::vector<domain::StepSpeed>> speeds() override;

    Result<ports::Pruned> prune(const ports::Retention& retention, int batch_rows) override;
    Result<bool> index_more(int media) override;

    Result<ports::TokenRow> create_token(
        const ports::NewToken& token,
        const std::optional<ports::IdempotencyKey>& idempotency = {}) override;
    Result<void> revoke_token(const TokenId& id) override;
    Result<void> note_token_use(std::span<const ports::TokenUse> uses) override;
    Result<void> open_session(const ports::SessionRow& session) override;
    Result<void> end_session(const std::string& secret_sha256) override;
    Result<std::vector<ports::TokenRow>> tokens() override;
    Result<std::vector<ports::SessionRow>> sessions() override;
    Result<void> check_charge(const ports::Charge& charge, std::int64_t more_bytes) override;

    std::unique_ptr<ports::ReadView> read_view() override;
    Result<ports::MediaRow> media(const MediaId& id) override;
    Result<ports::PageOf<ports::MediaRow>> list_media(const ports::MediaFilter& filter,
                                                      const ports::Page& page) override;
    Result<ports::SearchAnswer> search(const ports::SearchRequest& request,
                                       const ports::Page& page) override;
    Result<std::optional<ports::MediaRow>> newest_media_of(const ports::BlobRef& source) override;
    Result<ports::TaskRow> task(const TaskId& id) override;
    Result<std::optional<ports::TaskRow>> newest_task(const MediaId& media) override;
    Result<std::optional<ports::TaskRow>> shown_task(const MediaId& media) override;
    Result<ports::PageOf<ports::TaskRow>> list_tasks(const ports::TaskFilter& filter,
                                                     const ports::Page& page) override;
    Result<std::vector<ports::UnitRow>> units(const TaskId& task) override;
    Result<std::vector<ports::AttemptRow>> attempts(const TaskId& task) override;
    Result<std::vector<domain::Segment>> segments(const TaskId& task) override;
    Result<std::vector<domain::Segment>> chunk_segments(const TaskId& task) override;
    Result<ports::TranscriptText> transcript(const TaskId& task,
                                             std::optional<int> revision = {}) override;
    Result<ports::PageOf<ports::TranscriptRevision>> revisions(const TaskId& task,
                                                               const ports::Page& page) override;
    Result<std::vector<domain::Gap>> gaps(const TaskId& task) override;
    Result<std::optional<std::string>> document(const TaskId& task,
                                                domain::DocumentFormat format) override;
    Result<std::optional<domain::WaveformPeaks>> peaks(const MediaId& media) override;
    Result<std::optional<domain::Poster>> poster(const MediaId& media) override;
    Result<std::optional<ports::BlobRef>> decoded_audio(const MediaId& media) override;
    Result<std::vector<ports::Event>> events_after(std::int64_t seq, int limit) override;
    Result<std::pair<std::int64_t, std::int64_t>> event_range() override;
    Result<ports::TaskCounts> counts() override;
    Result<int> processing_but(std::span<const TaskId> known, WallTime since) override;
    Result<std::vector<ports::Event>> task_events(const TaskId& task, int limit) override;
    Result<std::optional<Millis>> longest_wait() override;
    Result<int> units_before_end(const TaskId& task) override;
    Result<std::optional<ports::QueuePlace>> queue_place(const TaskId& task) override;
    Result<std::vector<ports::QueuedTask>> queue(int limit) override;
    Result<bool> key_known(const ports::IdempotencyKey& key) override;
    Result<ports::UploadRow> upload(const UploadId& id) override;
    Result<std::vector<UploadId>> sealed_uploads() override;
    Result<bool> blob_referenced(const std::string& sha256) override;
    Result<std::vector<ports::NamedBlob>> named_blobs(const std::string& after, int limit) override;

  private:
    struct Parts;
    explicit SqliteStore(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace durascribe::store
