// The units that this process works on right now: how far they are, and how to stop them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

#include "durascribe/ports/store.h"

namespace durascribe::engine {

// Why a running unit was told to stop: decides what is recorded when its worker is dead.
enum class StopReason { none, cancelled, drained, lease_lost, expired };

// Shared by the slot that runs the unit and whoever looks at it meanwhile (supervisor, views).
class RunningUnit {
  public:
    RunningUnit(ports::ClaimedUnit claimed, MonoTime started)
        : claimed_(std::move(claimed)), started_(started) {}

    const ports::ClaimedUnit& claimed() const { return claimed_; }
    MonoTime started() const { return started_; }

    Millis audio_done() const { return Millis{audio_done_ms_.load(std::memory_order_relaxed)}; }
    void set_audio_done(Millis done) {
        audio_done_ms_.store(done.count(), std::memory_order_relaxed);
    }
    bool preparing() const { return preparing_.load(std::memory_order_relaxed); }
    void set_preparing(bool now) { preparing_.store(now, std::memory_order_relaxed); }

    // The task's time is over; `error` is what its record says.
    void expire(const Error& error) {
        {
            const std::scoped_lock lock(mutex_);
            expired_ = error;
        }
        stop(StopReason::expired);
    }
    Error expired() const {
        const std::scoped_lock lock(mutex_);
        return expired_;
    }
    // The first reason stays.
    void stop(StopReason reason) {
        StopReason none = StopReason::none;
        reason_.compare_exchange_strong(none, reason);
        if (reason == StopReason::drained) {
            drain_.request_stop();
        }
        stop_.request_stop();
    }
    StopReason stop_reason() const { return reason_.load(); }
    // Stops the work.
    std::stop_token stop_token() const { return stop_.get_token(); }
    // Ends also the wait for a disk that takes the unit's end: the process is about to go.
    std::stop_token drain_token() const { return drain_.get_token(); }

  private:
    const ports::ClaimedUnit claimed_;
    const MonoTime started_;
    std::atomic<std::int64_t> audio_done_ms_{0};
    std::atomic<bool> preparing_{false};
    std::atomic<StopReason> reason_{StopReason::none};
    mutable std::mutex mutex_;
    Error expired_;  // guarded by mutex_
    std::stop_source stop_;
    std::stop_source drain_;
};

// Thread-safe. A unit may be here twice, with two leases: the older one was lost and its worker has
// not noticed yet.
class RunningUnits {
  public:
    using Handle = std::shared_ptr<RunningUnit>;

    Handle add(const ports::ClaimedUnit& claimed, MonoTime now);
    void remove(const RunningUnit& unit);

    std::vector<Handle> all() const;
    std::vector<Handle> of_task(const TaskId& task) const;
    Handle find(const ports::Lease& lease) const;  // null: not running here

    void stop_task(const TaskId& task, StopReason reason);
    void stop_all(StopReason reason);

    // Blocks until none is left or `patience` is over; returns whether none is left.
    bool wait_until_empty(Millis patience);

  private:
    mutable std::mutex mutex_;
    std::condition_variable emptied_;
    std::vector<Handle> units_;  // few: one for each slot
};

}  // namespace durascribe::engine
