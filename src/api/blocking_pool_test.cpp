#include "durascribe/api/blocking_pool.h"

#include <atomic>
#include <latch>

#include <gtest/gtest.h>

namespace durascribe::api {
namespace {

TEST(BlockingPool, DoesAllThatWasQueuedBeforeItEnds) {
    std::atomic<int> done{0};
    {
        BlockingPool pool{2};
        for (int i = 0; i < 500; ++i) {
            pool.post([&done] { ++done; });
        }
    }
    EXPECT_EQ(done, 500);
}

TEST(BlockingPool, SaysWhenItIsCrowded) {
    std::latch gate{1};
    BlockingPool pool{1};
    EXPECT_FALSE(pool.crowded());
    pool.post([&gate] { gate.wait(); });
    for (int i = 0; i < 1025; ++i) {
        pool.post([] {});
    }
    EXPECT_TRUE(pool.crowded());
    gate.count_down();
}

}  // namespace
}  // namespace durascribe::api
