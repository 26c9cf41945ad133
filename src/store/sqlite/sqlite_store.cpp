#include "durascribe/store/sqlite/sqlite_store.h"

#include <algorithm>
#include <cstdint>
#include <system_error>

#include <fmt/format.h>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/log.h"
#include "durascribe/store/sqlite/data_directory.h"
#include "durascribe/store/sqlite/migrations.h"
#include "durascribe/store/sqlite/queries.h"
#include "durascribe/store/sqlite/readers.h"
#include "durascribe/store/sqlite/sqlite_webhooks.h"
#include "durascribe/store/sqlite/token_verbs.h"
#include "durascribe/store/sqlite/verbs.h"
#include "durascribe/store/sqlite/writer.h"

namespace durascribe::store {

namespace {

// 16 MiB of log on a disk of 16 MiB would leave no room for anything else.
int checkpoint_pages_on(const std::filesystem::path& directory, int wanted) {
    constexpr std::uintmax_t kPageBytes = 4'096;
    constexpr std::uintmax_t kShare = 16;
    std::error_code unknown;
    const std::filesystem::space_info disk = std::filesystem::space(directory, unknown);
    if (unknown) {
        return wanted;
    }
    const auto pages = std::clamp<std::uintmax_t>(disk.capacity / kShare / kPageBytes, 1, 1 << 20);
    return std::min(wanted, static_cast<int>(pages));
}

}  // namespace

// Ended in the reverse order: the writer stops, the readers close, the last checkpoint is the
// writing connection's, and then the lock goes.
struct SqliteStore::Parts {
    Parts(DataDirectory d, const ports::Clock& c, const SqliteOptions& options)
        : directory(std::move(d)),
          clock(c),
          connection(directory.database_file(), Connection::Mode::writer),
          options_(options) {}

    ~Parts() {
        writer.reset();
        readers.reset();
        DURASCRIBE_FAILPOINT("store.writer_ended");
        try {
            connection.checkpoint(true);
            DURASCRIBE_FAILPOINT("store.log_emptied");
        } catch (const SqliteError& e) {
            // Nothing is lost: the next start reads the log.
            log::warning("{}", to_error(e, "move the log into the database file").message);
        }
    }

    Result<void> prepare() {
        if (auto migrated = migrate_to_newest(); !migrated) {
            return migrated;
        }
        readers = std::make_unique<Readers>(directory.database_file(), options_.readers);
        const QueueClock queue = start_queue_clock(connection, clock.mono());
        queue_ahead = queue.ahead;
        writer = std::make_unique<Writer>(connection, clock, options_, queue);
        webhooks = std::make_unique<SqliteWebhooks>(*writer, *readers, clock);
        return {};
    }

    Result<void> migrate_to_newest() {
        // Before anything is set, so that a database of a newer version stays untouched.
        if (auto known = migrate(connection, embedded_migrations(), MigrationMode::check_only);
            !known) {
            return known;
        }
        connection.execute("PRAGMA journal_mode = WAL");
        DURASCRIBE_FAILPOINT("store.log_begun");
        connection.execute(options_.power_safe ? "PRAGMA synchronous = FULL"
                                               : "PRAGMA synchronous = OFF");
        connection.execute("PRAGMA foreign_keys = ON");
        connection.execute("PRAGMA temp_store = MEMORY");
        connection.execute(fmt::format("PRAGMA cache_size = -{}", options_.cache_kib));
        if (auto migrated = migrate(connection, embedded_migrations()); !migrated) {
            return migrated;
        }
        return directory.make_durable();  // the names of the database and its log
    }

    DataDirectory directory;
    const ports::Clock& clock;
    Connection connection;
    const SqliteOptions options_;
    Millis queue_ahead{0};  // of the queue's clock, before the monotonic one
    std::unique_ptr<Readers> readers;
    std::unique_ptr<Writer> writer;
    std::unique_ptr<SqliteWebhooks> webhooks;
};

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::filesystem::path& data_directory,
                                                       const ports::Clock& clock,
                                                       SqliteOptions options) {
    auto directory = DataDirectory::open(data_directory);
    if (!directory) {
        return std::unexpected(directory.error());
    }
    if (auto made = directory->make_database_file(); !made) {
        return std::unexpected(made.error());
    }
    options.checkpoint_pages = checkpoint_pages_on(data_directory, options.checkpoint_pages);
    const std::string doing = fmt::format("open {}", directory->database_file().string());
    try {
        make_log_durable(directory->database_file());
        auto parts = std::make_unique<Parts>(std::move(*directory), clock, options);
        if (auto ready = parts->prepare(); !ready) {
            return std::unexpected(ready.error());
        }
        return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(parts)));
    } catch (const SqliteError& e) {
        return std::unexpected(to_error(e, doing));
    }
}

SqliteStore::SqliteStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
SqliteStore::~SqliteStore() = default;

void SqliteStore::set_listener(ports::CommitListener* listener) {
    parts_->writer->set_listener(listener);
}

ports::WebhookStore& SqliteStore::webhooks() {
    return *parts_->webhooks;
}

// ---- verbs that write: the caller waits, so that its arguments outlive the call -----------------

Result<ports::Submission> SqliteStore::submit(const ports::NewMedia& media) {
    return parts_->writer->run([&](WriteTx& tx) { return store::submit(tx, media); });
}

Result<ports::Submission> SqliteStore::submit_task(const ports::NewTask& task) {
    return parts_->writer->run([&](WriteTx& tx) { return store::submit_task(tx, task); });
}

Result<void> SqliteStore::mark_written(const ports::WatchedFile& file) {
    return parts_->writer->run([&](WriteTx& tx) { return store::mark_written(tx, file); });
}

Result<ports::BatchRow> SqliteStore::submit_batch(const ports::NewBatch& batch) {
    return parts_->writer->run([&](WriteTx& tx) { return store::submit_batch(tx, batch); });
}

Result<void> SqliteStore::record_import(const ports::Lease& lease, const ports::ImportRow& import) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::record_import(tx, lease, import); });
}

Result<ports::UnitEnd> SqliteStore::finish_acquire(const ports::Lease& lease) {
    return parts_->writer->run([&](WriteTx& tx) { return store::finish_acquire(tx, lease); });
}

Result<ports::MediaRow> SqliteStore::rename_media(
    const MediaId& id, const std::string& title,
    const std::optional<std::vector<int>>& if_revision) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::rename_media(tx, id, title, if_revision); });
}

Result<std::vector<ports::BlobRef>> SqliteStore::delete_media(
    const MediaId& id, const std::optional<std::vector<int>>& if_revision) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::delete_media(tx, id, if_revision); });
}

Result<ports::UploadRow> SqliteStore::create_upload(const ports::NewUpload& upload,
                                                    const ports::UploadLimits& limits) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::create_upload(tx, upload, limits); });
}

Result<ports::UploadRow> SqliteStore::record_upload(const UploadId& id, std::int64_t offset,
                                                    std::optional<std::int64_t> length,
                                                    const ports::UploadLimits& limits,
                                                    std::int64_t storage_max) {
    return parts_->writer->run([&](WriteTx& tx) {
        return store::record_upload(tx, id, offset, length, limits, storage_max);
    });
}

Result<ports::UploadRow> SqliteStore::seal_upload(const UploadId& id,
                                                  const ports::BlobRef& source) {
    return parts_->writer->run([&](WriteTx& tx) { return store::seal_upload(tx, id, source); });
}

Result<ports::Submission> SqliteStore::finish_upload(const UploadId& id) {
    return parts_->writer->run([&](WriteTx& tx) { return store::finish_upload(tx, id); });
}

Result<void> SqliteStore::delete_upload(const UploadId& id) {
    return parts_->writer->run([&](WriteTx& tx) { return store::delete_upload(tx, id); });
}

Result<std::optional<ports::ClaimedUnit>> SqliteStore::claim(const ports::ClaimRequest& request) {
    return parts_->writer->run([&](WriteTx& tx) { return store::claim(tx, request); });
}

Result<std::vector<ports::RenewedLease>> SqliteStore::renew_leases(
    const NodeId& node, std::span<const ports::Lease> leases, Millis lease_length) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::renew_leases(tx, node, leases, lease_length); });
}

Result<void> SqliteStore::report_progress(std::span<const ports::UnitProgress> units,
                                          std::span<const ports::TaskPercent> tasks) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::report_progress(tx, units, tasks); });
}

Result<ports::UnitEnd> SqliteStore::finish_extract(const ports::Lease& lease,
                                                   const ports::ExtractResult& result) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::finish_extract(tx, lease, result); });
}

Result<ports::UnitEnd> SqliteStore::finish_chunk(const ports::Lease& lease,
                                                 const ports::ChunkResult& result) {
    return parts_->writer->run([&](WriteTx& tx) { return store::finish_chunk(tx, lease, result); });
}

Result<ports::UnitEnd> SqliteStore::finish_final(const ports::Lease& lease,
                                                 const ports::FinalResult& result) {
    return parts_->writer->run([&](WriteTx& tx) { return store::finish_final(tx, lease, result); });
}

Result<ports::UnitEnd> SqliteStore::fail_unit(const ports::Lease& lease,
                                              const ports::FailedAttempt& failed,
                                              const domain::RetryLimits& limits, double random01) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::fail_unit(tx, lease, failed, limits, random01); });
}

Result<void> SqliteStore::end_wait(UnitId unit) {
    return parts_->writer->run([&](WriteTx& tx) { return store::end_wait(tx, unit); });
}

Result<ports::UnitEnd> SqliteStore::return_unit(const ports::Lease& lease,
                                                const std::string& reason) {
    return parts_->writer->run([&](WriteTx& tx) { return store::return_unit(tx, lease, reason); });
}

Result<ports::UnitEnd> SqliteStore::acknowledge_cancelled(const ports::Lease& lease) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::acknowledge_cancelled(tx, lease); });
}

Result<ports::CancelOutcome> SqliteStore::request_cancel(const TaskId& id) {
    return parts_->writer->run([&](WriteTx& tx) { return store::request_cancel(tx, id); });
}

Result<ports::RetryOutcome> SqliteStore::retry(
    const TaskId& id, const std::optional<ports::IdempotencyKey>& idempotency,
    const ports::Charge& charge) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::retry(tx, id, idempotency, charge); });
}

Result<ports::TaskRow> SqliteStore::expire_task(const TaskId& id, int run_number,
                                                const Error& error) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::expire_task(tx, id, run_number, error); });
}

Result<ports::EditedTranscript> SqliteStore::edit_transcript(const ports::TranscriptEdit& edit) {
    return parts_->writer->run([&](WriteTx& tx) { return store::edit_transcript(tx, edit); });
}

Result<ports::TaskRow> SqliteStore::set_priority(const TaskId& id, int priority) {
    return parts_->writer->run([&](WriteTx& tx) { return store::set_priority(tx, id, priority); });
}

Result<void> SqliteStore::set_paused(bool paused) {
    return parts_->writer->run([&](WriteTx& tx) { return store::set_paused(tx, paused); });
}

Result<ports::Pruned> SqliteStore::prune(const ports::Retention& retention, int batch_rows) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::prune(tx, retention, batch_rows); });
}

Result<bool> SqliteStore::index_more(int media) {
    return parts_->writer->run([&](WriteTx& tx) { return store::index_more(tx, media); });
}

Result<int> SqliteStore::recover(const NodeId& self) {
    return parts_->writer->run([&](WriteTx& tx) { return store::recover(tx, self); });
}

Result<int> SqliteStore::rescue_expired(std::span<const ports::Lease> running) {
    return parts_->writer->run([&](WriteTx& tx) { return store::rescue_expired(tx, running); });
}

// The node is not told apart: one database, one machine.
Result<void> SqliteStore::learn(domain::Step step, const std::string& engine,
                                const std::string& model, const NodeId& /*node*/,
                                double seconds_per_audio_second) {
    return parts_->writer->run([&](WriteTx& tx) {
        return store::learn(tx, step, engine, model, seconds_per_audio_second);
    });
}

Result<ports::TokenRow> SqliteStore::create_token(
    const ports::NewToken& token, const std::optional<ports::IdempotencyKey>& idempotency) {
    return parts_->writer->run(
        [&](WriteTx& tx) { return store::create_token(tx, token, idempotency); });
}

Result<void> SqliteStore::revoke_token(const TokenId& id) {
    return parts_->writer->run([&](WriteTx& tx) { return store::revoke_token(tx, id); });
}

Result<void> SqliteStore::note_token_use(std::span<const ports::TokenUse> uses) {
    return parts_->writer->run([&](WriteTx& tx) { return store::note_token_use(tx, uses); });
}

Result<void> SqliteStore::open_session(const ports::SessionRow& session) {
    return parts_->writer->run([&](WriteTx& tx) { return store::open_session(tx, session); });
}

Result<void> SqliteStore::end_session(const std::string& secret_sha256) {
    return parts_->writer->run([&](WriteTx& tx) { return store::end_session(tx, secret_sha256); });
}

// ---- reads --------------------------------------------------------------------------------------

Result<std::optional<WallTime>> SqliteStore::next_wake_up() {
    return parts_->readers->run(
        [&](Connection& db) { return store::next_wake_up(db, parts_->clock); });
}

Result<std::vector<ports::TokenRow>> SqliteStore::tokens() {
    return parts_->readers->run([](Connection& db) { return store::tokens(db); });
}

Result<std::vector<ports::SessionRow>> SqliteStore::sessions() {
    return parts_->readers->run([](Connection& db) { return store::sessions(db); });
}

Result<void> SqliteStore::check_charge(const ports::Charge& charge, std::int64_t more_bytes) {
    return parts_->readers->run(
        [&](Connection& db) { return store::check_charge(db, charge, more_bytes); });
}

Result<std::vector<domain::StepSpeed>> SqliteStore::speeds() {
    return parts_->readers->run(
        [](Connection& db) { return Result<std::vector<domain::StepSpeed>>(store::speeds(db)); });
}

std::unique_ptr<ports::ReadView> SqliteStore::read_view() {
    return std::make_unique<Readers::View>(*parts_->readers);
}

Result<ports::MediaRow> SqliteStore::media(const MediaId& id) {
    return parts_->readers->run([&](Connection& db) { return store::media(db, id); });
}

Result<ports::PageOf<ports::MediaRow>> SqliteStore::list_media(const ports::MediaFilter& filter,
                                                               const ports::Page& page) {
    return parts_->readers->run(
        [&](Connection& db) { return store::list_media(db, filter, page); });
}

Result<ports::SearchAnswer> SqliteStore::search(const ports::SearchRequest& request,
                                                const ports::Page& page) {
    return parts_->readers->run([&](Connection& db) { return store::search(db, request, page); });
}

Result<std::optional<ports::MediaRow>> SqliteStore::newest_media_of(const ports::BlobRef& source) {
    return parts_->readers->run([&](Connection& db) { return store::newest_media_of(db, source); });
}

Result<std::optional<ports::MediaRow>> SqliteStore::newest_media_from(const std::string& url) {
    return parts_->readers->run([&](Connection& db) { return store::newest_media_from(db, url); });
}

Result<std::optional<ports::WatchedRow>> SqliteStore::watched_file(const std::string& path) {
    return parts_->readers->run([&](Connection& db) { return store::watched_file(db, path); });
}

Result<std::vector<ports::WatchedRow>> SqliteStore::unwritten_files(int limit) {
    return parts_->readers->run([&](Connection& db) { return store::unwritten_files(db, limit); });
}

Result<ports::BatchRow> SqliteStore::batch(const BatchId& id) {
    return parts_->readers->run([&](Connection& db) { return store::batch(db, id); });
}

Result<ports::PageOf<ports::BatchRow>> SqliteStore::list_batches(const ports::Page& page) {
    return parts_->readers->run([&](Connection& db) { return store::list_batches(db, page); });
}

Result<std::optional<ports::ImportRow>> SqliteStore::import_of(const MediaId& media) {
    return parts_->readers->run([&](Connection& db) { return store::import_of(db, media); });
}

Result<ports::TaskRow> SqliteStore::task(const TaskId& id) {
    return parts_->readers->run([&](Connection& db) { return store::task(db, id); });
}

Result<std::optional<ports::TaskRow>> SqliteStore::newest_task(const MediaId& media) {
    return parts_->readers->run([&](Connection& db) { return store::newest_task(db, media); });
}

Result<std::optional<ports::TaskRow>> SqliteStore::shown_task(const MediaId& media) {
    return parts_->readers->run([&](Connection& db) { return store::shown_task(db, media); });
}

Result<ports::PageOf<ports::TaskRow>> SqliteStore::list_tasks(const ports::TaskFilter& filter,
                                                              const ports::Page& page) {
    return parts_->readers->run(
        [&](Connection& db) { return store::list_tasks(db, filter, page); });
}

Result<std::vector<ports::UnitRow>> SqliteStore::units(const TaskId& task) {
    return parts_->readers->run([&](Connection& db) { return store::units(db, task); });
}

Result<std::vector<ports::AttemptRow>> SqliteStore::attempts(const TaskId& task) {
    return parts_->readers->run([&](Connection& db) { return store::attempts(db, task); });
}

Result<std::vector<domain::Segment>> SqliteStore::segments(const TaskId& task) {
    return parts_->readers->run([&](Connection& db) { return store::segments(db, task); });
}

Result<std::vector<domain::Segment>> SqliteStore::chunk_segments(const TaskId& task) {
    return parts_->readers->run([&](Connection& db) { return store::chunk_segments(db, task); });
}

Result<ports::TranscriptText> SqliteStore::transcript(const TaskId& task,
                                                      std::optional<int> revision) {
    return parts_->readers->run(
        [&](Connection& db) { return store::transcript(db, task, revision); });
}

Result<ports::PageOf<ports::TranscriptRevision>> SqliteStore::revisions(const TaskId& task,
                                                                        const ports::Page& page) {
    return parts_->readers->run([&](Connection& db) { return store::revisions(db, task, page); });
}

Result<std::vector<domain::Gap>> SqliteStore::gaps(const TaskId& task) {
    return parts_->readers->run([&](Connection& db) { return store::gaps(db, task); });
}

Result<std::optional<std::string>> SqliteStore::document(const TaskId& task,
                                                         domain::DocumentFormat format) {
    return parts_->readers->run([&](Connection& db) { return store::document(db, task, format); });
}

Result<std::optional<domain::WaveformPeaks>> SqliteStore::peaks(const MediaId& media) {
    return parts_->readers->run([&](Connection& db) { return store::peaks(db, media); });
}

Result<std::optional<domain::Poster>> SqliteStore::poster(const MediaId& media) {
    return parts_->readers->run([&](Connection& db) { return store::poster(db, media); });
}

Result<std::optional<ports::BlobRef>> SqliteStore::decoded_audio(const MediaId& media) {
    return parts_->readers->run([&](Connection& db) { return store::decoded_audio(db, media); });
}

Result<std::vector<ports::Event>> SqliteStore::events_after(std::int64_t seq, int limit) {
    return parts_->readers->run(
        [&](Connection& db) { return store::events_after(db, seq, limit); });
}

Result<std::vector<ports::Event>> SqliteStore::task_events(const TaskId& task, int limit) {
    return parts_->readers->run(
        [&](Connection& db) { return store::task_events(db, task, limit); });
}

Result<int> SqliteStore::processing_but(std::span<const TaskId> known, WallTime since) {
    return parts_->readers->run(
        [&](Connection& db) { return store::processing_but(db, known, since); });
}

Result<ports::TaskCounts> SqliteStore::counts() {
    return parts_->readers->run([](Connection& db) { return store::counts(db); });
}

Result<std::pair<std::int64_t, std::int64_t>> SqliteStore::event_range() {
    return parts_->readers->run([](Connection& db) { return store::event_range(db); });
}

Result<std::optional<ports::QueuePlace>> SqliteStore::queue_place(const TaskId& task) {
    return parts_->readers->run([&](Connection& db) { return store::queue_place(db, task); });
}

Result<std::optional<Millis>> SqliteStore::longest_wait() {
    const Millis now = parts_->clock.mono().since_boot + parts_->queue_ahead;
    return parts_->readers->run([now](Connection& db) { return store::longest_wait(db, now); });
}

Result<int> SqliteStore::units_before_end(const TaskId& task) {
    return parts_->readers->run([&](Connection& db) { return store::units_before_end(db, task); });
}

Result<std::vector<ports::QueuedTask>> SqliteStore::queue(int limit) {
    return parts_->readers->run([&](Connection& db) { return store::queue(db, limit); });
}

Result<bool> SqliteStore::paused() {
    return parts_->readers->run([](Connection& db) { return store::paused(db); });
}

Result<bool> SqliteStore::key_known(const ports::IdempotencyKey& key) {
    return parts_->readers->run([&](Connection& db) { return store::key_known(db, key); });
}

Result<ports::UploadRow> SqliteStore::upload(const UploadId& id) {
    return parts_->readers->run([&](Connection& db) { return store::upload(db, id); });
}

Result<std::vector<UploadId>> SqliteStore::sealed_uploads() {
    return parts_->readers->run([](Connection& db) { return store::sealed_uploads(db); });
}

Result<bool> SqliteStore::blob_referenced(const std::string& sha256) {
    return parts_->readers->run([&](Connection& db) { return store::blob_referenced(db, sha256); });
}

Result<std::vector<ports::NamedBlob>> SqliteStore::named_blobs(const std::string& after,
                                                               int limit) {
    return parts_->readers->run(
        [&](Connection& db) { return store::named_blobs(db, after, limit); });
}

}  // namespace durascribe::store
