// What happens in the engine, for those who count it (metrics). State changes are not here: those
// come from the store's events.
#pragma once

#include <string>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/domain/pipeline.h"

namespace durascribe::engine {

struct UnitDone {
    domain::Step step{};
    std::string engine;
    std::string model;
    Millis audio{0};  // how much of the recording it was
    Millis took{0};   // its worker, once warm
};

// Called on the engine's own threads, after what is told was committed. Must be quick, must not
// call the engine, and outlives it.
class Observer {
  public:
    virtual ~Observer() = default;
    virtual void unit_done(const UnitDone& unit) noexcept = 0;
    // An attempt ended with an error that counts; `retried`: another follows.
    virtual void attempt_failed(domain::Step step, ErrorClass cls, bool retried) noexcept = 0;
    virtual void leases_expired(int units) noexcept = 0;
    // `again`: the slot had one before.
    virtual void worker_started(domain::Lane lane, bool again) noexcept = 0;
};

}  // namespace durascribe::engine
