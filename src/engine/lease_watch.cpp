#include "durascribe/engine/lease_watch.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "durascribe/base/log.h"

namespace durascribe::engine {
namespace {

constexpr Millis kLongestTick{1'000};

}  // namespace

// A quarter of the lease is left for a look that comes late by a tick and for the kill.
LeaseWatch::LeaseWatch(RunningUnits& running, const ports::Clock& clock, Millis lease_length)
    : running_(running),
      clock_(clock),
      patience_(lease_length * 3 / 4),
      tick_(std::clamp(lease_length / 12, Millis{1}, kLongestTick)),
      thread_([this](std::stop_token stop) { loop(stop); }) {}

LeaseWatch::~LeaseWatch() = default;

void LeaseWatch::loop(std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    while (running_.wait_while_empty(stop)) {
        const MonoTime due = clock_.mono() + tick_;
        {
            std::unique_lock lock(mutex);
            never.wait_for(lock, stop, tick_, [] { return false; });
        }
        look(clock_.mono() - due);
    }
}

// A look that comes late was held up with the whole machine, or with this process: nobody could
// renew meanwhile, and the supervisor gets its time to find out what has become of the leases.
void LeaseWatch::look(Millis late) {
    const MonoTime now = clock_.mono();
    for (const RunningUnits::Handle& unit : running_.all()) {
        if (late > tick_) {
            unit->excuse(late, now);
        }
        const Millis unknown = now - unit->lease_known();
        if (unknown < patience_ || unit->stop_reason() != StopReason::none) {
            continue;
        }
        unit->stop(StopReason::lease_lost);
        // Only now: a log that hangs with the disk must not keep a worker alive.
        log::error(
            "unit {} lease {}: the lease could not be renewed for {:.1f} s, its worker is stopped",
            unit->claimed().lease.unit.value, unit->claimed().lease.number,
            std::chrono::duration<double>(unknown).count());
    }
}

}  // namespace durascribe::engine
