// Stops the workers of this node before the leases of their units end, where nobody could renew
// them. It asks no store and writes nothing: the supervisor renews leases, and stands still with
// the store where that hangs.
#pragma once

#include <thread>

#include "durascribe/engine/running_units.h"
#include "durascribe/ports/clock.h"

namespace durascribe::engine {

// Owned by the engine. While units run it looks at each several times in the length of a lease; it
// rests while none does.
class LeaseWatch {
  public:
    // The references outlive it.
    LeaseWatch(RunningUnits& running, const ports::Clock& clock, Millis lease_length);
    ~LeaseWatch();  // stops and joins

  private:
    void loop(std::stop_token stop, MonoTime looked_at);
    void look(MonoTime now, Millis late);

    RunningUnits& running_;
    const ports::Clock& clock_;
    const Millis patience_;  // since the lease was last known to be held: then the worker is killed
    const Millis tick_;
    std::jthread thread_;
};

}  // namespace durascribe::engine
