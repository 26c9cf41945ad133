#include "durascribe/webhooks/delivery_plan.h"

#include <gtest/gtest.h>

namespace durascribe::webhooks {
namespace {

constexpr WallTime kNow{Millis{1'800'000'000'000}};

ports::DueDelivery sent(int tries = 0, int failures = 0) {
    ports::DueDelivery due;
    due.delivery.tries = tries;
    due.webhook.failures = failures;
    return due;
}

TEST(DeliveryPlan, AnAnswerOf2xxIsTaken) {
    for (const int status : {200, 202, 204, 299}) {
        const auto end = plan(sent(3, 3), {.status = status}, kNow, 0.5);
        EXPECT_TRUE(end.taken);
        EXPECT_FALSE(end.final || end.state || end.next_attempt_at);
    }
}

TEST(DeliveryPlan, WhatFailsIsTriedAgainLaterAndLater) {
    Millis before{0};
    Millis all{0};
    for (int tries = 0; tries < 32; ++tries) {
        const auto end = plan(sent(tries, tries), {.status = 500}, kNow, 0.5);
        EXPECT_FALSE(end.taken || end.final || end.state);
        const Millis wait = *end.next_attempt_at - kNow;
        EXPECT_GE(wait, before);
        EXPECT_LE(wait, Millis{3'600'000});
        EXPECT_LE(*end.hold_until - kNow, Millis{60'000});
        before = wait;
        all += wait;
    }
    EXPECT_GT(all, std::chrono::hours{22});
    EXPECT_LT(all, std::chrono::hours{26});
    const auto early = plan(sent(), {.status = 500}, kNow, 0.0);
    const auto late = plan(sent(), {.status = 500}, kNow, 1.0);
    EXPECT_EQ(*early.next_attempt_at - kNow, Millis{4'000});
    EXPECT_EQ(*late.next_attempt_at - kNow, Millis{6'000});
}

TEST(DeliveryPlan, AfterADayItIsGivenUpAndWhereNothingWasTakenTheWebhookIsPaused) {
    const auto alone = plan(sent(32, 4), {.status = 400}, kNow, 0.5);
    EXPECT_TRUE(alone.final);
    EXPECT_FALSE(alone.state);
    const auto all = plan(sent(32, 32), {.status = 0, .error = "It was not there."}, kNow, 0.5);
    EXPECT_TRUE(all.final);
    EXPECT_EQ(all.state, ports::WebhookState::paused);
    EXPECT_NE(all.state_reason.find("It was not there."), std::string::npos);
}

TEST(DeliveryPlan, TheReceiversOwnWaitIsKept) {
    const auto end = plan(sent(), {.status = 429, .retry_after = Millis{120'000}}, kNow, 0.5);
    EXPECT_EQ(end.next_attempt_at, kNow + Millis{120'000});
    EXPECT_EQ(end.hold_until, kNow + Millis{120'000});
    const auto most =
        plan(sent(), {.status = 503, .retry_after = std::chrono::hours{1000}}, kNow, 0.5);
    EXPECT_EQ(most.next_attempt_at, kNow + std::chrono::hours{24});
    EXPECT_LE(*most.next_attempt_at - kNow, longest_wait({}));
    // It may ask for more time, not for less.
    const auto least = plan(sent(9, 9), {.status = 503, .retry_after = Millis{0}}, kNow, 0.5);
    EXPECT_GT(*least.next_attempt_at - kNow, Millis{1'000'000});
}

TEST(DeliveryPlan, GoneDisables) {
    const auto end = plan(sent(), {.status = 410}, kNow, 0.5);
    EXPECT_EQ(end.state, ports::WebhookState::disabled);
    EXPECT_FALSE(end.final);
}

TEST(DeliveryPlan, APingIsTriedOnce) {
    ports::DueDelivery ping = sent();
    ping.delivery.ping = true;
    const auto end = plan(ping, {.status = 301}, kNow, 0.5);
    EXPECT_TRUE(end.final);
    EXPECT_FALSE(end.hold_until || end.state);
    EXPECT_NE(end.attempt.error.find("redirects are not followed"), std::string::npos);
}

}  // namespace
}  // namespace durascribe::webhooks
