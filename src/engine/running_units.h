// The units that this process works on right now: how far they are, and how to stop them.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "durascribe/ports/store.h"

namespace durascribe::engine {

// Why a running unit was told to stop: decides what is recorded when its worker is dead.
enum class StopReason { none, cancelled, drained, lease_lost, expired, no_memory };

// Shared by the slot that runs the unit and whoever looks at it meanwhile (supervisor, views).
class RunningUnit {
  public:
    // `leased_at`: when its lease was asked for; it holds for its length from then on.
    RunningUnit(ports::ClaimedUnit claimed, MonoTime started, MonoTime leased_at)
        : claimed_(std::move(claimed)),
          started_(started),
          lease_known_ms_(leased_at.since_boot.count()) {}

    const ports::ClaimedUnit& claimed() const { return claimed_; }
    MonoTime started() const { return started_; }

    Millis audio_done() const { return Millis{audio_done_ms_.load(std::memory_order_relaxed)}; }
    void set_audio_done(Millis done, MonoTime now) {
        audio_done_ms_.store(done.count(), std::memory_order_relaxed);
        const std::scoped_lock lock(mutex_);
        last_ = {.time = now - started_, .audio = done};
        if (!first_) {
            first_ = last_;
        }
    }
    // How long its worker took for how much audio: from its first word to its last, so that neither
    // what it prepares nor the time since counts; all of it where it has spoken once only.
    struct Pace {
        Millis time{0};
        Millis audio{0};
    };
    Pace pace() const {
        const std::scoped_lock lock(mutex_);
        if (!first_) {
            return {};
        }
        const Millis prepared{prepared_ms_.load(std::memory_order_relaxed)};
        return last_.audio > first_->audio
                   ? Pace{last_.time - first_->time, last_.audio - first_->audio}
                   : Pace{last_.time - prepared, last_.audio};
    }
    // Until its worker is warm.
    bool preparing() const { return prepared_ms_.load(std::memory_order_relaxed) < 0; }
    void set_prepared(MonoTime at) {
        prepared_ms_.store((at - started_).count(), std::memory_order_relaxed);
    }
    // For how long its worker has worked on it.
    Millis worked(MonoTime now) const {
        const Millis prepared{prepared_ms_.load(std::memory_order_relaxed)};
        return prepared < Millis{0} ? Millis{0} : now - started_ - prepared;
    }

    // The last moment from which its lease is known to hold for its length: of the claim, or of the
    // renewal that was answered last.
    MonoTime lease_known() const { return {Millis{lease_known_ms_.load()}}; }
    void lease_renewed(MonoTime asked_at) { know_lease(asked_at); }
    // Time in which nobody on this machine could renew it is not counted.
    void excuse(Millis passed, MonoTime now) { know_lease(std::min(lease_known() + passed, now)); }

    // Whether its task was to be cancelled before it was listed here could not be read: the renewal
    // of its lease tells, and is due at once.
    void doubt_cancel() { cancel_in_doubt_.store(true); }
    void cancel_known() { cancel_in_doubt_.store(false); }
    bool cancel_in_doubt() const { return cancel_in_doubt_.load(); }

    // Its end waits for a disk that takes it: nobody works meanwhile.
    void set_waits_for_disk(bool waits) { waits_for_disk_.store(waits); }
    bool waits_for_disk() const { return waits_for_disk_.load(); }

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
    void know_lease(MonoTime at) {  // never back: a renewal may be told of late
        std::int64_t known = lease_known_ms_.load();
        while (known < at.since_boot.count() &&
               !lease_known_ms_.compare_exchange_weak(known, at.since_boot.count())) {
        }
    }

    const ports::ClaimedUnit claimed_;
    const MonoTime started_;
    std::atomic<std::int64_t> audio_done_ms_{0};
    std::atomic<std::int64_t> prepared_ms_{-1};  // after started_; negative: not yet
    std::atomic<std::int64_t> lease_known_ms_;   // MonoTime::since_boot
    std::atomic<bool> cancel_in_doubt_{false};
    std::atomic<bool> waits_for_disk_{false};
    std::atomic<StopReason> reason_{StopReason::none};
    mutable std::mutex mutex_;
    Error expired_;              // guarded by mutex_
    std::optional<Pace> first_;  // reports, since it was started; guarded by mutex_
    Pace last_;                  // guarded by mutex_
    std::stop_source stop_;
    std::stop_source drain_;
};

// Thread-safe. A unit may be here twice, with two leases: the older one was lost and its worker has
// not noticed yet.
class RunningUnits {
  public:
    using Handle = std::shared_ptr<RunningUnit>;

    Handle add(const ports::ClaimedUnit& claimed, MonoTime now, MonoTime leased_at);
    void remove(const RunningUnit& unit);

    std::vector<Handle> all() const;
    std::vector<Handle> of_task(const TaskId& task) const;
    Handle find(const ports::Lease& lease) const;  // null: not running here

    // Those of its runs up to `last_run`: whoever asked may come late, when the task has been
    // retried and nobody has asked to stop what runs now.
    void stop_task(const TaskId& task, int last_run, StopReason reason);
    void stop_all(StopReason reason);

    // Blocks until none is left or `patience` is over; returns whether none is left.
    bool wait_until_empty(Millis patience);
    // Blocks until there is one; false: asked to stop.
    bool wait_while_empty(std::stop_token stop);

    // Blocks until no unit of the same media that was here before `unit` is left, or `unit` is told
    // to stop. For those that write into a file of the media: a task that was replaced may still be
    // stopping, and what it writes last would lie in the middle of what its successor writes.
    void wait_for_those_before(const RunningUnit& unit);

  private:
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<Handle> units_;  // few: one for each slot; in the order in which they came
};

}  // namespace durascribe::engine
