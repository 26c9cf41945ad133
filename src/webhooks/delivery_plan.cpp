#include "durascribe/webhooks/delivery_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "durascribe/domain/retry_policy.h"

namespace durascribe::webhooks {
namespace {

Millis wait_after(int failures, double random01, const PlanSettings& settings) {
    return domain::backoff(
        failures,
        {.base = settings.backoff, .cap = settings.backoff_max, .jitter = settings.jitter},
        random01);
}

std::string reason_of(const Answer& answer) {
    if (answer.status == 0) {
        return answer.error;
    }
    if (answer.status >= 300 && answer.status < 400) {
        return fmt::format("The receiver answered {}, and redirects are not followed.",
                           answer.status);
    }
    return fmt::format("The receiver answered {}.", answer.status);
}

}  // namespace

Millis longest_wait(const PlanSettings& settings) {
    const auto backoff =
        Millis{static_cast<std::int64_t>(static_cast<double>(settings.backoff_max.count()) *
                                         (1 + settings.jitter)) +
               1};
    return std::max({backoff, settings.retry_after_max, settings.hold_max});
}

ports::AttemptEnd plan(const ports::DueDelivery& sent, const Answer& answer, WallTime now,
                       double random01, const PlanSettings& settings) {
    ports::AttemptEnd end{.delivery = sent.delivery.id,
                          .attempt = {.started_at = answer.started_at,
                                      .duration = answer.duration,
                                      .status = answer.status,
                                      .excerpt = answer.excerpt}};
    end.taken = answer.status >= 200 && answer.status < 300;
    if (end.taken) {
        return end;
    }
    end.attempt.error = reason_of(answer);
    if (sent.delivery.ping) {
        end.final = true;
        return end;
    }
    const int tries = sent.delivery.tries + 1;
    const int failures = sent.webhook.failures + 1;
    const auto asked = answer.retry_after
                           ? std::optional{std::min(*answer.retry_after, settings.retry_after_max)}
                           : std::nullopt;
    end.next_attempt_at =
        now + std::max(wait_after(tries - 1, random01, settings), asked.value_or(Millis{0}));
    end.hold_until = now + asked.value_or(std::min(settings.hold_max,
                                                   wait_after(failures - 1, random01, settings)));
    if (answer.status == 410) {
        end.state = ports::WebhookState::disabled;
        end.state_reason =
            "The receiver answered 410 Gone. Resume it when there is a receiver again.";
        return end;
    }
    end.final = tries >= settings.tries_max;
    if (end.final && failures >= settings.tries_max) {
        end.state = ports::WebhookState::paused;
        end.state_reason = fmt::format(
            "None of the last {} attempts succeeded; the last one: {} What waits is kept. Mend the "
            "receiver, and resume.",
            failures, end.attempt.error);
    }
    return end;
}

}  // namespace durascribe::webhooks
