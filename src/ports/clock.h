// The only source of time for engine and store, so that tests own it.
#pragma once

#include "durascribe/base/time.h"

namespace durascribe::ports {

// Thread-safe.
class Clock {
  public:
    virtual ~Clock() = default;
    virtual WallTime wall() const = 0;
    virtual MonoTime mono() const = 0;
};

// The machine's clocks: CLOCK_REALTIME and CLOCK_BOOTTIME.
class SystemClock final : public Clock {
  public:
    WallTime wall() const override;
    MonoTime mono() const override;
};

// Stands still until moved. For tests.
class FakeClock final : public Clock {
  public:
    WallTime wall() const override { return wall_; }
    MonoTime mono() const override { return mono_; }
    void advance(Millis d) {
        wall_ += d;
        mono_ = mono_ + d;
    }
    void set_wall(WallTime t) { wall_ = t; }

  private:
    WallTime wall_{Millis{1'800'000'000'000}};
    MonoTime mono_{Millis{1'000'000}};
};

}  // namespace durascribe::ports
