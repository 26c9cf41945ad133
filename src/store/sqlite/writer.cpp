#include "durascribe/store/sqlite/writer.h"

#include <algorithm>

#include <pthread.h>
#include <sqlite3.h>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/log.h"

namespace durascribe::store {
namespace {

constexpr std::string_view kDoing = "save the change";

void roll_back(Connection& db) {
    try {
        if (db.in_transaction()) {
            db.execute("ROLLBACK");
        }
    } catch (const SqliteError& e) {
        log::error("SQLite could not roll back: {}",
                   e.what());  // the next BEGIN tells whether it goes on
    }
}

Error unexpected_exception(const std::exception& e) {
    return {ErrorClass::internal, "store_exception", "The store failed. Please report this.",
            e.what()};
}

}  // namespace

Writer::Writer(Connection& db, const ports::Clock& clock, const SqliteOptions& options,
               QueueClock queue)
    : db_(db), clock_(clock), options_(options), queue_clock_(queue), thread_([this] { loop(); }) {}

Writer::~Writer() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    work_.notify_one();
    thread_.join();
}

void Writer::set_listener(ports::CommitListener* listener) {
    const std::lock_guard lock(mutex_);
    listener_ = listener;
}

void Writer::submit_and_wait(Job& job) {
    {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [&] { return queue_.size() < options_.queue_limit; });
        queue_.push_back(&job);
    }
    work_.notify_one();
    std::unique_lock lock(job.mutex);
    job.answered.wait(lock, [&] { return job.done; });
}

void Writer::loop() {
    pthread_setname_np(pthread_self(), "store writer");
    std::vector<Job*> batch;
    for (;;) {
        batch.clear();
        {
            std::unique_lock lock(mutex_);
            work_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
            if (queue_.empty()) {
                return;
            }
            const std::size_t take =
                options_.group_commit ? std::min(queue_.size(), options_.batch_limit) : 1;
            const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(take);
            batch.assign(queue_.begin(), end);
            queue_.erase(queue_.begin(), end);
        }
        room_.notify_all();
        run_batch(batch);
        answer(batch);
        DURASCRIBE_FAILPOINT("store.answered");
        checkpoint_if_due();
    }
}

void Writer::run_batch(std::vector<Job*>& batch) {
    events_.clear();
    lanes_.fill(false);
    if (const auto error = commit(batch)) {
        for (Job* job : batch) {
            job->set_error(*error);
        }
        return;
    }
    ports::CommitListener* listener = nullptr;
    {
        const std::lock_guard lock(mutex_);
        listener = listener_;
    }
    const bool any_lane = std::ranges::any_of(lanes_, [](bool lane) { return lane; });
    if (listener != nullptr && (any_lane || !events_.empty())) {
        listener->on_commit(events_, lanes_);
        DURASCRIBE_FAILPOINT("store.listener_told");
    }
}

// The error that every job of the batch gets, where the transaction as a whole failed.
std::optional<Error> Writer::commit(std::vector<Job*>& batch) {
    bool committing = false;
    const QueueClock queue_before = queue_clock_;
    try {
        db_.execute("BEGIN IMMEDIATE");
        DURASCRIBE_FAILPOINT("store.begun");
        if (!run_plainly(batch)) {
            db_.execute("ROLLBACK");
            events_.clear();
            lanes_.fill(false);
            queue_clock_ = queue_before;
            db_.execute("BEGIN IMMEDIATE");
            for (Job* job : batch) {
                run_in_savepoint(*job);
            }
        }
        committing = true;
        db_.execute("COMMIT");
        DURASCRIBE_FAILPOINT("store.committed");
        return std::nullopt;
    } catch (const SqliteError& e) {
        roll_back(db_);
        queue_clock_ = queue_before;
        Error error = to_error(e, kDoing);
        // What failed before the last frame was written is certainly undone: a write, or no room
        // for one. Of whatever else fails in a commit that is not known.
        const bool whole_in_log =
            committing && (e.code() & 0xff) != SQLITE_FULL && e.code() != SQLITE_IOERR_WRITE;
        if (whole_in_log && !overwrite_failed_commit()) {
            error.code = "in_doubt";
            error.message += " Whether it was done will be known after the next start.";
        }
        return error;
    }
}

// Nearly every verb that fails does so before its first write, so that there is nothing to undo.
// False: one failed after it, and the batch is to be run anew with a savepoint each.
bool Writer::run_plainly(std::vector<Job*>& batch) {
    for (Job* job : batch) {
        const std::int64_t changes_before = db_.total_changes();
        const std::size_t events_before = events_.size();
        run_job(*job);
        if (!job->succeeded) {
            if (db_.total_changes() != changes_before) {
                return false;
            }
            events_.resize(events_before);
        }
    }
    return true;
}

// The log goes on where the last good commit ended: the next one takes the failed one's place, and
// its own sync covers all that it wrote. What was acknowledged before lies before that place, and
// its sync had not failed.
bool Writer::overwrite_failed_commit() {
    try {
        // Writes the first page whether or not it changes; nothing here reads this number.
        db_.execute("PRAGMA user_version = 1");
        return true;
    } catch (const SqliteError& e) {
        log::error("A commit that failed could not be undone: {}", e.what());
        roll_back(db_);
        return false;
    }
}

void Writer::run_in_savepoint(Job& job) {
    const std::size_t events_before = events_.size();
    db_.execute("SAVEPOINT verb");
    run_job(job);
    if (!job.succeeded) {
        db_.execute("ROLLBACK TO verb");
        events_.resize(events_before);
    }
    db_.execute("RELEASE verb");
}

void Writer::run_job(Job& job) {
    try {
        WriteTx tx{db_, options_, clock_.wall(), clock_.mono(), events_, lanes_, queue_clock_};
        job.succeeded = job.run(tx);
        DURASCRIBE_FAILPOINT("store.verb_run");
    } catch (const SqliteError& e) {
        if (!db_.in_transaction()) {
            throw;  // a full disk and the like: SQLite undid the transaction, and so the whole
                    // batch
        }
        job.succeeded = false;
        job.set_error(to_error(e, kDoing));
    } catch (const std::exception& e) {
        job.succeeded = false;
        job.set_error(unexpected_exception(e));
    }
}

void Writer::answer(std::vector<Job*>& batch) {
    for (Job* job : batch) {
        // Under the lock: the job is gone as soon as its caller has seen `done`.
        const std::lock_guard lock(job->mutex);
        job->done = true;
        job->answered.notify_one();
    }
}

// After the answers, so that no caller waits for it.
void Writer::checkpoint_if_due() {
    if (db_.wal_pages() < options_.checkpoint_pages) {
        return;
    }
    try {
        db_.checkpoint(false);
        DURASCRIBE_FAILPOINT("store.checkpointed");
    } catch (const SqliteError& e) {
        log::warning("{}", to_error(e, "move the log into the database file").message);
    }
}

}  // namespace durascribe::store
