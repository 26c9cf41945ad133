// What is old goes (ports::Store::prune), and nothing else.
#include <algorithm>

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

TEST_P(StoreContract, AReaderOfEventsThatAreGoneIsTold) {
    for (int i = 0; i < 5; ++i) {
        submit();
    }
    const auto newest = store_->event_range()->second;
    ASSERT_TRUE(store_->events_after(1, 100).has_value());
    ASSERT_TRUE(store_->prune({.events_max = 3}, 1'000).has_value());
    pruned_ = true;
    const auto oldest = store_->event_range()->first;
    ASSERT_EQ(oldest, newest - 2);
    EXPECT_ERROR(store_->events_after(1, 100), ErrorClass::request, "events_pruned");
    EXPECT_ERROR(store_->events_after(oldest - 2, 100), ErrorClass::request, "events_pruned");
    EXPECT_EQ(store_->events_after(oldest - 1, 100)->size(), 3U) << "this one has missed nothing";
    EXPECT_EQ(store_->events_after(0, 100)->size(), 3U) << "and this one has seen nothing yet";
    EXPECT_TRUE(store_->events_after(newest, 100)->empty());

    ASSERT_TRUE(store_->prune({.events_max = 0}, 1'000).has_value());
    EXPECT_ERROR(store_->events_after(newest - 1, 100), ErrorClass::request, "events_pruned");
    EXPECT_TRUE(store_->events_after(newest, 100)->empty());
    EXPECT_TRUE(store_->events_after(0, 100)->empty());
}

// Whatever the clock was when they came: a reader that comes back is told, or gets all of them.
TEST_P(StoreContract, EventsGoByAgeInTheirOrderWhereTheClockWasAhead) {
    for (const int days_ahead : {3650, 20}) {
        pruned_ = true;
        submit();
        const WallTime right = clock_.wall();
        clock_.set_wall(right + kDay * days_ahead);
        submit();
        const auto ahead = store_->event_range()->second;
        clock_.set_wall(right);
        submit();
        submit();
        const auto right_again = store_->event_range()->second;
        let_days_pass(40);
        submit();
        const bool old = days_ahead > 40;  // that of 20 days is not, by what it says
        for (bool more = true; more;) {
            const auto pruned = store_->prune({.events = kDay * 30}, 3);
            ASSERT_TRUE(pruned.has_value()) << pruned.error().message;
            more = pruned->more;
            const auto [oldest, newest] = *store_->event_range();
            ASSERT_EQ(store_->events_after(0, 1'000)->size(),
                      static_cast<std::size_t>(newest - oldest + 1))
                << "none is missing between them";
        }
        const auto oldest = store_->event_range()->first;
        if (old) {
            EXPECT_GT(oldest, right_again) << "it was judged by what came after it";
            EXPECT_ERROR(store_->events_after(ahead, 100), ErrorClass::request, "events_pruned");
        } else {
            EXPECT_LE(oldest, ahead);
            EXPECT_FALSE(store_->events_after(ahead, 100)->empty());
        }
    }
}

TEST_P(StoreContract, AClockThatIsBehindPrunesNoEvents) {
    submit();
    let_days_pass(40);
    const auto range = *store_->event_range();
    clock_.set_wall(clock_.wall() - kDay * 3650);
    EXPECT_EQ(store_->prune({.events = kDay * 30}, 1'000)->events, 0);
    EXPECT_EQ(*store_->event_range(), range);
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

TEST_P(StoreContract, NamedBlobsComeByAddressPageByPage) {
    submit_extracted(1);  // a source of "aaa…", audio of "bbb…"
    std::vector<std::string> expected{std::string(64, 'a'), std::string(64, 'b')};
    for (const char digit : {'0', '9', 'b', 'f'}) {  // one has the bytes of the decoded audio
        const std::string sha256(64, digit);
        const ports::NewMedia media{.id = new_id<MediaId>(),
                                    .task_id = new_id<TaskId>(),
                                    .title = "t",
                                    .filename = "f",
                                    .source = {sha256, 5},
                                    .options = {}};
        ASSERT_TRUE(store_->submit(media).has_value());
        expected.push_back(sha256);
    }
    std::ranges::sort(expected);
    expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
    for (const int limit : {1, 2, 100}) {
        std::vector<std::string> named;
        for (std::string after;;) {
            const auto page = store_->named_blobs(after, limit);
            ASSERT_TRUE(page.has_value()) << page.error().message;
            ASSERT_LE(page->size(), static_cast<std::size_t>(limit));
            if (page->empty()) {
                break;
            }
            for (const ports::NamedBlob& one : *page) {
                named.push_back(one.blob.sha256);
                EXPECT_TRUE(one.is_source) << one.blob.sha256;
                EXPECT_GT(one.blob.size_bytes, 0);
            }
            after = page->back().blob.sha256;
        }
        EXPECT_EQ(named, expected) << limit;
    }
}

TEST_P(StoreContract, DecodedAudioIsNamedUntilItsTaskIsCompleted) {
    submit_extracted(1);
    const auto before = store_->named_blobs(std::string(64, 'a'), 10);
    ASSERT_EQ(before->size(), 1U);
    EXPECT_EQ(before->front().blob, (ports::BlobRef{std::string(64, 'b'), 32'000}));
    EXPECT_FALSE(before->front().is_source);
    run_to_end(1);
    EXPECT_TRUE(store_->named_blobs(std::string(64, 'a'), 10)->empty());
}

}  // namespace durascribe::contract
