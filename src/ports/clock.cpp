#include "durascribe/ports/clock.h"

#include <ctime>

namespace durascribe::ports {
namespace {

Millis read(clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);  // cannot fail for these two clocks
    return Millis{t.tv_sec * 1000 + t.tv_nsec / 1'000'000};
}

}  // namespace

WallTime SystemClock::wall() const {
    return WallTime{read(CLOCK_REALTIME)};
}
MonoTime SystemClock::mono() const {
    return {read(CLOCK_BOOTTIME)};
}

}  // namespace durascribe::ports
