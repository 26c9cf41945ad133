#include "durascribe/domain/retry_policy.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace durascribe::domain {
namespace {

const RetryLimits kLimits;

int retries_until_given_up(ErrorClass cls, const RetryLimits& limits) {
    RetryHistory history;
    while (decide_retry(cls, history, limits, 0.5).retry) {
        ++history.retries_of_class;
        ++history.retries_total;
        if (history.retries_total > 100) {
            return -1;
        }
    }
    return history.retries_total;
}

TEST(RetryPolicy, EachClassGetsItsNumber) {
    EXPECT_EQ(retries_until_given_up(ErrorClass::input, kLimits), 0);
    EXPECT_EQ(retries_until_given_up(ErrorClass::request, kLimits), 0);
    EXPECT_EQ(retries_until_given_up(ErrorClass::network, kLimits), 3);
    EXPECT_EQ(retries_until_given_up(ErrorClass::memory, kLimits), 2);
    EXPECT_EQ(retries_until_given_up(ErrorClass::model, kLimits), 1);
    EXPECT_EQ(retries_until_given_up(ErrorClass::crash, kLimits), 2);
    EXPECT_EQ(retries_until_given_up(ErrorClass::stall, kLimits), 2);
    EXPECT_EQ(retries_until_given_up(ErrorClass::timeout, kLimits), 2);
    EXPECT_EQ(retries_until_given_up(ErrorClass::internal, kLimits), 1);
    EXPECT_EQ(retries_until_given_up(ErrorClass::storage, kLimits), -1);
    EXPECT_EQ(retries_until_given_up(ErrorClass::lost, kLimits), -1);
}

TEST(RetryPolicy, AnOperatorsLimitHoldsForEveryClassThatCounts) {
    const RetryLimits none{.max_attempts = 0};
    for (int i = 0; i <= static_cast<int>(ErrorClass::internal); ++i) {
        const auto cls = static_cast<ErrorClass>(i);
        const auto d = decide_retry(cls, {}, none, 0.5);
        EXPECT_EQ(d.retry, !d.counts_as_attempt) << to_string(cls);
    }
}

TEST(RetryPolicy, StorageAndLostSpendNoAttempt) {
    const RetryHistory long_one{.retries_of_class = 50, .retries_total = 60, .crashes = 2};
    const auto storage = decide_retry(ErrorClass::storage, long_one, kLimits, 0.9);
    EXPECT_TRUE(storage.retry);
    EXPECT_FALSE(storage.counts_as_attempt);
    EXPECT_EQ(storage.delay, Millis{2'000});
    EXPECT_EQ(decide_retry(ErrorClass::storage, {}, kLimits, 0.9, Millis{9'000}).delay,
              Millis{9'000})
        << "whoever tells of room names the longest wait";
    const auto lost = decide_retry(ErrorClass::lost, long_one, kLimits, 0.9);
    EXPECT_TRUE(lost.retry);
    EXPECT_FALSE(lost.counts_as_attempt);
    EXPECT_EQ(lost.delay, Millis{0});
}

TEST(RetryPolicy, CrashesAndMemoryShareOneBudget) {
    const auto crash = decide_retry(ErrorClass::crash, {.crashes = 2}, kLimits, 0.5);
    EXPECT_FALSE(crash.retry);
    EXPECT_TRUE(crash.quarantined);
    const auto memory =
        decide_retry(ErrorClass::memory, {.retries_of_class = 1, .retries_total = 2, .crashes = 2},
                     kLimits, 0.5);
    EXPECT_FALSE(memory.retry);
    EXPECT_TRUE(memory.quarantined);
    EXPECT_FALSE(decide_retry(ErrorClass::stall, {.crashes = 2}, kLimits, 0.5).quarantined);
}

TEST(RetryPolicy, OnlyMemoryAsksForASmallerModel) {
    EXPECT_TRUE(decide_retry(ErrorClass::memory, {}, kLimits, 0.5).smaller_model);
    EXPECT_FALSE(decide_retry(ErrorClass::crash, {}, kLimits, 0.5).smaller_model);
}

TEST(RetryPolicy, AUnitWhoseWorkerDiedOrHungGoesToAnotherAtOnceTheFirstTime) {
    for (const ErrorClass cls : {ErrorClass::crash, ErrorClass::stall}) {
        EXPECT_EQ(decide_retry(cls, {}, kLimits, 0.5).delay, Millis{0}) << to_string(cls);
        EXPECT_EQ(
            decide_retry(cls, {.retries_of_class = 1, .retries_total = 1}, kLimits, 0.5).delay,
            Millis{60'000})
            << to_string(cls);
    }
    EXPECT_EQ(decide_retry(ErrorClass::memory, {}, kLimits, 0.5).delay, Millis{30'000});
}

TEST(RetryPolicy, RetryAfterIsHonouredWithinReason) {
    const auto delay = [](Millis asked) {
        return decide_retry(ErrorClass::network, {}, kLimits, 0.5, asked).delay;
    };
    EXPECT_EQ(delay(Millis{7'000}), Millis{7'000});
    EXPECT_EQ(delay(Millis{-1}), Millis{0});
    EXPECT_EQ(delay(Millis::max()), kLongestRetryAfter);
    EXPECT_EQ(decide_retry(ErrorClass::timeout, {}, kLimits, 0.5, Millis{7'000}).delay,
              Millis{30'000});
}

TEST(RetryPolicy, BackoffDoublesUpToTheCap) {
    EXPECT_EQ(backoff(0, kLimits, 0.5), Millis{30'000});
    EXPECT_EQ(backoff(1, kLimits, 0.5), Millis{60'000});
    EXPECT_EQ(backoff(3, kLimits, 0.5), Millis{240'000});
    EXPECT_EQ(backoff(4, kLimits, 0.5), Millis{300'000});
    EXPECT_EQ(backoff(2'000'000'000, kLimits, 0.5), Millis{300'000});
    EXPECT_EQ(backoff(0, kLimits, 0.0), Millis{24'000});
}

TEST(RetryPolicy, BackoffStaysWithinItsBounds) {
    EXPECT_TRUE(rc::check("base·(1-jitter) ≤ backoff ≤ cap·(1+jitter), growing with n", [] {
        const int n = *rc::gen::inRange(0, 100);
        const double r = *rc::gen::inRange(0, 1000) / 1000.0;
        const Millis d = backoff(n, kLimits, r);
        RC_ASSERT(d >= Millis{24'000} && d <= Millis{360'000});
        RC_ASSERT(backoff(n + 1, kLimits, r) >= d);
    }));
}

TEST(RetryPolicy, NoSequenceOfCountedFailuresGoesOnForEver) {
    EXPECT_TRUE(rc::check("at most 16 failures that count", [] {
        std::map<ErrorClass, int> seen;
        RetryHistory history;
        for (int i = 0; i < 17; ++i) {
            const auto cls = static_cast<ErrorClass>(*rc::gen::inRange(0, 11));
            history.retries_of_class = seen[cls];
            const auto d = decide_retry(cls, history, kLimits, 0.5);
            if (!d.counts_as_attempt) {
                --i;
                continue;
            }
            if (!d.retry) {
                return;
            }
            ++seen[cls];
            ++history.retries_total;
            history.crashes += cls == ErrorClass::crash || cls == ErrorClass::memory ? 1 : 0;
        }
        RC_FAIL("still retrying");
    }));
}

}  // namespace
}  // namespace durascribe::domain
