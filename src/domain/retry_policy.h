// What follows from a failed attempt (the table "Errors and what follows" in ARCHITECTURE.md).
#pragma once

#include <optional>
#include <string_view>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"

namespace durascribe::domain {

struct RetryLimits {
    int max_attempts = 3;  // retries after the first attempt; no class gets more, some get fewer
    int max_crashes = 3;   // the death by crash or memory with which a unit is quarantined
    Millis base{30'000};
    Millis cap{300'000};
    double jitter = 0.2;
};

struct RetryHistory {
    int retries_of_class = 0;  // attempts that failed with this class before this one
    int retries_total = 0;     // the same over all classes that count; the backoff grows with it
    int crashes = 0;           // classes crash and memory together, this one not counted
};

struct RetryDecision {
    bool retry = false;
    Millis delay{0};
    bool counts_as_attempt = true;  // false: lost, storage
    bool smaller_model = false;
    bool quarantined = false;  // given up because the crash budget is spent
};

// The longest wait that another side may ask for.
inline constexpr Millis kLongestRetryAfter{3'600'000};

// `random01` in [0, 1) decides the jitter. `retry_after` takes the place of the backoff, up to
// kLongestRetryAfter: for class network it is what the other side asked for, for class storage how
// long to wait at most for whoever tells of room.
RetryDecision decide_retry(ErrorClass cls, const RetryHistory& history, const RetryLimits& limits,
                           double random01, std::optional<Millis> retry_after = std::nullopt);

// What is added to the words of a failure that is not tried again; empty where they say it already.
std::string_view advice_at_the_end(ErrorClass cls);

// base · 2^n, at most cap; then ± jitter, so that the longest is cap · (1 + jitter).
Millis backoff(int n, const RetryLimits& limits, double random01);

}  // namespace durascribe::domain
