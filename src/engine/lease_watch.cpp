#include "durascribe/engine/lease_watch.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "durascribe/base/log.h"

namespace durascribe::engine {
namespace {

constexpr Millis kLongestTick{1'000};

}  // namespace

// A quarter of the lease is left for looks that come late by a tick and for the kill.
LeaseWatch::LeaseWatch(RunningUnits& running, const ports::Clock& clock, Millis lease_length)
    : running_(running),
      clock_(clock),
      patience_(lease_length * 3 / 4),
      tick_(std::clamp(lease_length / 12, Millis{1}, kLongestTick)),
      thread_([this, now = clock.mono()](std::stop_token stop) { loop(stop, now); }) {}

LeaseWatch::~LeaseWatch() = default;

void LeaseWatch::loop(std::stop_token stop, MonoTime looked_at) {
    std::mutex mutex;
    std::condition_variable_any never;
    while (running_.wait_while_empty(stop)) {
        {
            std::unique_lock lock(mutex);
            never.wait_for(lock, stop, tick_, [] { return false; });
        }
        const MonoTime now = clock_.mono();
        look(now, now - looked_at - tick_);
        looked_at = now;
    }
}

// A look that comes late was held up with the whole machine, or with this process (or nothing ran
// before): nobody could renew meanwhile, and the supervisor gets its time to find out what has
// become of the leases.
void LeaseWatch::look(MonoTime now, Millis late) {
    std::vector<RunningUnits::Handle> stopped;
    for (const RunningUnits::Handle& unit : running_.all()) {
        if (late > tick_) {
            unit->excuse(late, now);
        }
        if (now - unit->lease_known() >= patience_ && unit->stop_reason() == StopReason::none) {
            unit->stop(StopReason::lease_lost);
            stopped.push_back(unit);
        }
    }
    // Only now: a log that hangs with the disk must not keep a worker alive.
    for (const RunningUnits::Handle& unit : stopped) {
        log::error(
            "unit {} lease {}: the lease could not be renewed for {:.1f} s, its worker is stopped",
            unit->claimed().lease.unit.value, unit->claimed().lease.number,
            std::chrono::duration<double>(now - unit->lease_known()).count());
    }
}

}  // namespace durascribe::engine
