// How long the units of each lane took lately, for estimates of when those that wait start.
#pragma once

#include <array>
#include <mutex>

#include "durascribe/base/time.h"
#include "durascribe/domain/pipeline.h"

namespace durascribe::engine {

// Thread-safe. Forgotten with the process: a few units tell it anew.
class LanePace {
  public:
    void note(domain::Lane lane, Millis took) {
        const std::scoped_lock lock(mutex_);
        double& seconds = seconds_[static_cast<std::size_t>(lane)];
        seconds += kForget * (std::chrono::duration<double>(took).count() - seconds);
    }
    double seconds_per_unit(domain::Lane lane) const {
        const std::scoped_lock lock(mutex_);
        return seconds_[static_cast<std::size_t>(lane)];
    }

  private:
    static constexpr double kForget = 0.2;
    mutable std::mutex mutex_;
    // Priors, in the order of domain::Lane: a download, a decoded film, a chunk of 30 s, a join.
    std::array<double, domain::kLanes> seconds_{10, 2, 4, 0.01};
};

}  // namespace durascribe::engine
