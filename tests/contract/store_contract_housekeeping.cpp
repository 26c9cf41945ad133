// What is old goes (ports::Store::prune), and nothing else.
#include "store_contract.h"

namespace durascribe::contract {

using domain::Lane;

namespace {
constexpr Millis kDay{24LL * 3600 * 1000};
}

// The server runs, and nothing is kept for long enough to go meanwhile.
void StoreContract::let_days_pass(int days) {
    for (int day = 0; day < days; ++day) {
        clock_.advance(kDay);
        const auto pruned = store_->prune({}, 1'000);
        ASSERT_TRUE(pruned.has_value()) << pruned.error().message;
    }
}

TEST_P(StoreContract, PruneTakesWhatIsOldAndLeavesTheRest) {
    const auto old_one = submit_extracted(1);
    run_to_end(1);
    const auto waiting = submit();
    let_days_pass(40);
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

TEST_P(StoreContract, AClockThatJumpsPrunesNothing) {
    const auto kept = submit_extracted(1);
    run_to_end(1);
    const ports::Retention two_days{
        .media = kDay * 2, .events = kDay * 2, .attempts = kDay * 2, .idempotency_keys = kDay * 2};
    for (const int years : {10, 0, -10, 0, 10, 10, 0}) {
        clock_.set_wall(WallTime{Millis{1'800'000'000'000}} + kDay * 365 * years);
        submit_extracted(1);  // so that something has happened then
        run_to_end(1);
        const auto pruned = store_->prune(two_days, 1'000);
        ASSERT_TRUE(pruned.has_value()) << pruned.error().message;
        EXPECT_EQ(pruned->media + pruned->events + pruned->attempts + pruned->idempotency_keys, 0)
            << "in " << years << " years";
    }
    EXPECT_TRUE(store_->media(kept.media_id).has_value());

    // The clock is right again, and time passes: what is old goes.
    let_days_pass(3);
    const auto pruned = store_->prune(two_days, 1'000);
    ASSERT_TRUE(pruned.has_value());
    EXPECT_GT(pruned->media, 0);
    EXPECT_FALSE(store_->media(kept.media_id).has_value());
    pruned_ = true;
}

TEST_P(StoreContract, TimeInWhichNoServerRanMakesNothingOld) {
    const auto kept = submit_extracted(1);
    run_to_end(1);
    ASSERT_TRUE(store_->prune({}, 1'000).has_value());
    clock_.advance(kDay * 100);
    submit();
    const auto pruned = store_->prune({.media = kDay, .events = kDay}, 1'000);
    ASSERT_TRUE(pruned.has_value());
    EXPECT_EQ(pruned->media + pruned->events, 0);
    EXPECT_TRUE(store_->media(kept.media_id).has_value());
}

}  // namespace durascribe::contract
