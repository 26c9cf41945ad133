#include "durascribe/engine/room_waiters.h"

#include <gtest/gtest.h>

namespace durascribe::engine {
namespace {

using Units = std::vector<UnitId>;

TEST(RoomWaiters, ThoseThatFitBesideEachOtherGoTheLongestWaitingFirst) {
    RoomWaiters waiters([] {});
    waiters.add(UnitId{1}, 30);
    waiters.add(UnitId{2}, 100);
    waiters.add(UnitId{3}, 25);
    waiters.add(UnitId{4}, 20);
    EXPECT_EQ(waiters.take_fitting(19), Units{});
    EXPECT_EQ(waiters.take_fitting(50), (Units{UnitId{1}, UnitId{4}}));
    EXPECT_EQ(waiters.take_fitting(99), Units{UnitId{3}}) << "what does not fit keeps none waiting";
    EXPECT_FALSE(waiters.empty());
    EXPECT_EQ(waiters.take_fitting(100), Units{UnitId{2}});
    EXPECT_TRUE(waiters.empty());
}

TEST(RoomWaiters, WhatCameAgainWaitsOnceAndForWhatItNeedsNow) {
    int added = 0;
    RoomWaiters waiters([&] { ++added; });
    waiters.add(UnitId{1}, 30);
    waiters.add(UnitId{1}, 40);
    EXPECT_EQ(added, 2);
    EXPECT_EQ(waiters.take_fitting(39), Units{});
    EXPECT_EQ(waiters.take_fitting(400), Units{UnitId{1}});
}

}  // namespace
}  // namespace durascribe::engine
