// Time as durascribe uses it: wall time for people, monotonic time for deadlines and leases,
// milliseconds for positions in audio.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace durascribe {

using Millis = std::chrono::milliseconds;

// Milliseconds since 1970-01-01T00:00:00Z. Shown to people, never used to judge a lease.
using WallTime = std::chrono::sys_time<Millis>;

// Milliseconds of CLOCK_BOOTTIME: runs through suspend, unmoved when the wall clock is set. Means
// something within one boot of one machine only.
struct MonoTime {
    Millis since_boot{0};
    auto operator<=>(const MonoTime&) const = default;
    MonoTime operator+(Millis d) const { return {since_boot + d}; }
    Millis operator-(const MonoTime& o) const { return since_boot - o.since_boot; }
};

// RFC 3339 in UTC with milliseconds: 2026-11-22T08:00:00.123Z.
std::string to_rfc3339(WallTime t);
// Any RFC 3339 (§5.6), cut to milliseconds: with or without a fraction, with Z or an offset.
std::optional<WallTime> wall_time_from_rfc3339(std::string_view text);

}  // namespace durascribe
