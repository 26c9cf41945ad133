#include "durascribe/domain/retry_policy.h"

#include <algorithm>
#include <cmath>

namespace durascribe::domain {
namespace {

constexpr Millis kStorageDelay{2'000};

// Retries after the first attempt that a class is worth. An operator who asks for fewer attempts
// gets fewer for every class.
int retries_of(ErrorClass cls, const RetryLimits& limits) {
    const auto at_most = [&](int own) { return std::min(own, limits.max_attempts); };
    switch (cls) {
        case ErrorClass::input:
        case ErrorClass::request:
            return 0;
        case ErrorClass::network:
            return limits.max_attempts;
        case ErrorClass::memory:
        case ErrorClass::stall:
        case ErrorClass::timeout:
            return at_most(2);
        case ErrorClass::crash:
            return at_most(limits.max_crashes - 1);
        case ErrorClass::model:
        case ErrorClass::internal:
            return at_most(1);
        case ErrorClass::storage:
        case ErrorClass::lost:
            break;  // decided before anything is counted
    }
    DURASCRIBE_ASSERT(false && "class without a number of retries");
}

}  // namespace

RetryDecision decide_retry(ErrorClass cls, const RetryHistory& history, const RetryLimits& limits,
                           double random01, std::optional<Millis> retry_after) {
    if (cls == ErrorClass::lost) {
        return {.retry = true, .counts_as_attempt = false};
    }
    if (cls == ErrorClass::storage) {
        return {
            .retry = true,
            .delay = std::clamp(retry_after.value_or(kStorageDelay), Millis{0}, kLongestRetryAfter),
            .counts_as_attempt = false};
    }
    const bool deadly = cls == ErrorClass::crash || cls == ErrorClass::memory;
    if (deadly && history.crashes + 1 >= limits.max_crashes) {
        return {.quarantined = true};
    }
    if (history.retries_of_class >= retries_of(cls, limits)) {
        return {};
    }
    // A worker that died or hung is as likely to be the cause as its unit, and a new one is there:
    // waiting would help nobody. Only a second time is it worth backing off.
    const bool worker_lost = cls == ErrorClass::crash || cls == ErrorClass::stall;
    RetryDecision decision{.retry = true,
                           .delay = worker_lost && history.retries_total == 0
                                        ? Millis{0}
                                        : backoff(history.retries_total, limits, random01)};
    decision.smaller_model = cls == ErrorClass::memory;
    if (cls == ErrorClass::network && retry_after) {
        decision.delay = std::clamp(*retry_after, Millis{0}, kLongestRetryAfter);
    }
    return decision;
}

std::string_view advice_at_the_end(ErrorClass cls) {
    return cls == ErrorClass::crash
               ? " It is not tried again by itself. Retry it; if that fails too, convert the "
                 "recording anew or choose another model."
               : "";
}

Millis backoff(int n, const RetryLimits& limits, double random01) {
    const auto cap = static_cast<double>(std::max(limits.cap, Millis{0}).count());
    const auto base = static_cast<double>(std::max(limits.base, Millis{0}).count());
    const double grown = std::min(cap, std::ldexp(base, std::clamp(n, 0, 62)));
    const double swing = limits.jitter * (2 * std::clamp(random01, 0.0, 1.0) - 1);
    return Millis{std::llround(std::max(0.0, grown * (1 + swing)))};
}

}  // namespace durascribe::domain
