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

TEST(BlockingPool, TakesShortReadsBackOnceOneWasSlow) {
    BlockingPool pool{1};
    EXPECT_TRUE(pool.reads_are_quick());
    pool.note_read(std::chrono::milliseconds{1});
    EXPECT_TRUE(pool.reads_are_quick());
    pool.note_read(std::chrono::milliseconds{50});
    EXPECT_FALSE(pool.reads_are_quick());
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!pool.reads_are_quick() && std::chrono::steady_clock::now() < until) {
    }
    EXPECT_TRUE(pool.reads_are_quick()) << "not for ever";
}

}  // namespace
}  // namespace durascribe::api
