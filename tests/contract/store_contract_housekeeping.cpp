// What is old goes (ports::Store::prune), and nothing else.
#include "store_contract.h"

namespace durascribe::contract {

using domain::Lane;

namespace {
constexpr Millis kDay{24LL * 3600 * 1000};
}

TEST_P(StoreContract, PruneTakesWhatIsOldAndLeavesTheRest) {
    const auto old_one = submit_extracted(1);
    run_to_end(1);
    const auto waiting = submit();
    clock_.advance(kDay * 40);
    const auto young = submit();
    fail_for_good(claim(Lane::media).lease);  // of the one that waited: it is as old, and ended now
    const auto before = *store_->event_range();

    ports::Retention retention{.media = kDay * 30, .events = kDay * 30, .attempts = kDay * 30};
    ports::Pruned all;
    bool more = true;
    int calls = 0;
    while (more) {
        const auto pruned = store_->prune(retention, 3);
        ASSERT_TRUE(pruned.has_value()) << pruned.error().message;
        EXPECT_LE(pruned->media + pruned->events + pruned->attempts, 3);
        all.media += pruned->media;
        all.events += pruned->events;
        all.blobs.insert(all.blobs.end(), pruned->blobs.begin(), pruned->blobs.end());
        more = pruned->more;
        ASSERT_LT(++calls, 1'000);
    }
    EXPECT_EQ(all.media, 1);
    EXPECT_FALSE(store_->media(old_one.media_id).has_value());
    EXPECT_TRUE(store_->media(waiting.media_id).has_value()) << "it ended today";
    EXPECT_TRUE(store_->media(young.media_id).has_value());
    EXPECT_GT(all.events, 0);
    const auto after = *store_->event_range();
    EXPECT_GT(after.first, before.first);
    EXPECT_GT(after.second, before.second) << "the deletion is told";
    pruned_ = true;
}

TEST_P(StoreContract, PruneBoundsTheEventsByCount) {
    for (int i = 0; i < 20; ++i) {
        submit();
    }
    const auto newest = store_->event_range()->second;
    ASSERT_TRUE(store_->prune({.events_max = 5}, 1'000).has_value());
    const auto range = *store_->event_range();
    EXPECT_EQ(range.second, newest);
    EXPECT_EQ(range.first, newest - 4);
    pruned_ = true;
}

TEST_P(StoreContract, AClockThatJumpsAheadPrunesNothingByItself) {
    submit_extracted(1);
    run_to_end(1);
    clock_.set_wall(clock_.wall() + kDay * 3650);
    const auto pruned = store_->prune({.media = kDay, .events = kDay, .attempts = kDay}, 1'000);
    ASSERT_TRUE(pruned.has_value());
    EXPECT_EQ(pruned->media + pruned->events + pruned->attempts, 0);
}

}  // namespace durascribe::contract
