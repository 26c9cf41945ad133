// What follows from an attempt to deliver. Pure.
//
// Attempts are counted, not timed, so that a wall clock that jumps gives nothing up early: with the
// waits below, tries_max of them take about a day.
#pragma once

#include <optional>
#include <string>

#include "durascribe/base/time.h"
#include "durascribe/ports/webhook_store.h"

namespace durascribe::webhooks {

struct PlanSettings {
    int tries_max = 33;
    Millis backoff{5'000};  // doubled with each try …
    Millis backoff_max{3'600'000};
    double jitter = 0.2;
    Millis hold_max{60'000};  // of the whole webhook after a failure, where nobody asked for more
    Millis retry_after_max{24LL * 3600 * 1000};
};

// Longer than that nothing ever waits.
Millis longest_wait(const PlanSettings& settings);

struct Answer {
    int status = 0;     // 0: none
    std::string error;  // why there is none, for a person
    std::optional<Millis> retry_after;
    std::string excerpt;
    WallTime started_at;
    Millis duration{0};
};

// 2xx: taken. 410: the webhook is disabled. Anything else: tried again after a wait (the
// receiver's, where it asked for one), and the webhook's other deliveries wait a little, too. A
// delivery that has been tried tries_max times is given up, and where nothing was taken in all that
// time, the webhook is paused. A ping is tried once, and holds nothing up.
ports::AttemptEnd plan(const ports::DueDelivery& sent, const Answer& answer, WallTime now,
                       double random01, const PlanSettings& settings = {});

}  // namespace durascribe::webhooks
