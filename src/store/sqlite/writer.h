// The one thread that writes: group commit. Private to store/sqlite.
//
// Callers queue a verb each and wait. The thread takes what is queued, up to a bound, runs it in
// one transaction, commits once, tells the listener, then answers all callers.
//  * A verb that fails changes nothing, and does not touch the others: where it had written
//    already, the transaction is rolled back and the batch runs once more, each verb in a savepoint
//    (which costs a copy of every page that it changes). So a verb may run twice; it must not
//    change its arguments.
//  * A transaction or commit that fails gives every caller of the batch class storage and changes
//    nothing; the next batch tries anew, so that the store goes on when there is room.
//  * A commit whose sync failed may stand whole in the log, where the next start would find it. A
//    commit over it undoes it for good before the callers are answered; where that fails too, they
//    get in_doubt.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "durascribe/ports/clock.h"
#include "durascribe/store/sqlite/transitions.h"

namespace durascribe::store {

class Writer {
  public:
    // `db` is used by the writer's thread alone until this object is gone.
    Writer(Connection& db, const ports::Clock& clock, const SqliteOptions& options,
           QueueClock queue);
    // Runs what is queued, then stops.
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void set_listener(ports::CommitListener* listener);

    // Runs `verb(WriteTx&)`, which returns a Result, on the writer's thread; returns after the
    // commit. Blocks while the queue is full.
    template <typename Verb>
    auto run(Verb verb) -> decltype(verb(std::declval<WriteTx&>())) {
        Call<Verb, decltype(verb(std::declval<WriteTx&>()))> call(std::move(verb));
        submit_and_wait(call);
        return std::move(call.result);
    }

  private:
    struct Job {
        virtual ~Job() = default;
        virtual bool run(WriteTx& tx) = 0;  // whether it succeeded
        virtual void set_error(const Error& error) = 0;
        bool succeeded = false;

        std::mutex mutex;
        std::condition_variable answered;
        bool done = false;  // guarded by mutex
    };
    template <typename Verb, typename R>
    struct Call final : Job {
        explicit Call(Verb v) : verb(std::move(v)) {}
        bool run(WriteTx& tx) override {
            result = verb(tx);
            return result.has_value();
        }
        void set_error(const Error& error) override { result = std::unexpected(error); }
        Verb verb;
        R result = std::unexpected(Error{});
    };

    void submit_and_wait(Job& job);
    void loop();
    void run_batch(std::vector<Job*>& batch);
    std::optional<Error> commit(std::vector<Job*>& batch);
    bool run_plainly(std::vector<Job*>& batch);
    bool overwrite_failed_commit();
    void run_in_savepoint(Job& job);
    void run_job(Job& job);
    void checkpoint_if_due();
    static void answer(std::vector<Job*>& batch);

    Connection& db_;
    const ports::Clock& clock_;
    const SqliteOptions options_;

    // Of the batch that runs; the writer's thread only.
    std::vector<ports::Event> events_;
    std::array<bool, domain::kLanes> lanes_{};
    QueueClock queue_clock_;

    std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable room_;
    std::deque<Job*> queue_;  // guarded by mutex_; jobs live on their callers' stacks
    ports::CommitListener* listener_ = nullptr;  // guarded by mutex_
    bool stopping_ = false;                      // guarded by mutex_
    std::thread thread_;                         // last: starts when all the rest is there
};

}  // namespace durascribe::store
