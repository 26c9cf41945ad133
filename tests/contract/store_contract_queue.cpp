// Who goes next (ports::Store::claim), and what is said of it.
#include <array>

#include "store_contract.h"

namespace durascribe::contract {

using domain::Lane;
using domain::TaskState;

namespace {
constexpr std::int64_t kClip = 100'000;
constexpr std::int64_t kTalk = 20'000'000;
constexpr std::int64_t kFilm = 600'000'000;
}  // namespace

// So many that lie decoded as keep another like them from being decoded.
std::vector<TaskId> StoreContract::decode_ahead(int priority, std::int64_t source_bytes,
                                                int chunks) {
    std::vector<TaskId> decoded;
    for (int i = 0; i < ports::kDecodedAhead; ++i) {
        submit(priority, source_bytes);
        const auto unit = claim(Lane::media);
        extract(unit.lease, chunks);
        decoded.push_back(unit.task_id);
    }
    return decoded;
}

TEST_P(StoreContract, SoManyAreDecodedAheadAndTheNextAsOneOfThemIsDone) {
    const auto decoded = decode_ahead(0, kTalk, 2);
    const auto next = submit(0, kTalk);
    const auto last = submit(0, kTalk);
    expect_nothing_to_claim(Lane::media);
    EXPECT_EQ(store_->queue_place(next.id)->value().speech_units_ahead, 2 * ports::kDecodedAhead);
    reopen();
    expect_nothing_to_claim(Lane::media);
    for (int i = 0; i < ports::kDecodedAhead; ++i) {
        transcribe(claim(Lane::speech).lease);
    }
    expect_nothing_to_claim(Lane::media);
    recorder_.take_lane(Lane::media);
    const auto rest = claim(Lane::speech);
    EXPECT_TRUE(recorder_.take_lane(Lane::media)) << "the slots look again";
    EXPECT_EQ(store_->queue_place(next.id)->value().speech_units_ahead, 0);
    EXPECT_EQ(store_->queue_place(last.id)->value().speech_units_ahead, ports::kDecodedAhead - 1);
    EXPECT_EQ(claim(Lane::media).task_id, next.id);
    // What is handed back is there to be claimed again.
    ASSERT_TRUE(store_->return_unit(rest.lease, "drained").has_value());
    expect_nothing_to_claim(Lane::media);
    ASSERT_TRUE(store_->request_cancel(decoded[1]).has_value());
    EXPECT_EQ(claim(Lane::media).task_id, last.id);
}

TEST_P(StoreContract, WhatIsShorterOrMoreUrgentIsDecodedBesideWhatLiesDecoded) {
    const auto decoded = decode_ahead(0, kTalk, 2);
    submit(0, kFilm);
    const auto clip = submit(0, kClip);
    EXPECT_EQ(store_->queue_place(clip.id)->value().speech_units_ahead, 0);
    EXPECT_EQ(claim(Lane::media).task_id, clip.id);
    expect_nothing_to_claim(Lane::media);
    const auto raised = submit(0, kTalk);
    recorder_.take_lane(Lane::media);
    ASSERT_TRUE(store_->set_priority(raised.id, 1).has_value());
    EXPECT_TRUE(recorder_.take_lane(Lane::media));
    EXPECT_EQ(claim(Lane::media).task_id, raised.id);
    const auto other = submit(0, kTalk);
    expect_nothing_to_claim(Lane::media);
    recorder_.take_lane(Lane::media);
    ASSERT_TRUE(store_->set_priority(decoded[0], -1).has_value());
    EXPECT_TRUE(recorder_.take_lane(Lane::media));
    EXPECT_EQ(claim(Lane::media).task_id, other.id);
}

TEST_P(StoreContract, WhatIsAboveItKeepsAnAgedOneFromBeingDecodedForNoLongerThanItsBound) {
    decode_ahead(1, kTalk, 2);
    const auto lowest = submit(-1, kTalk);
    expect_nothing_to_claim(Lane::media);
    clock_.advance(ports::kAgingAfter);
    bool decoded = false;
    for (int i = 0; i < ports::kAgedShare && !decoded; ++i) {
        submit(2, kTalk);
        const auto unit = claim(Lane::media);
        decoded = unit.task_id == lowest.id;
        extract(unit.lease, 2);
    }
    EXPECT_TRUE(decoded);
}

TEST_P(StoreContract, ThousandsThatHaveAgedAreDecodedNoFurtherAheadThanOthers) {
    std::vector<TaskId> waiting;
    for (int i = 0; i < 3 * ports::kDecodedAhead; ++i) {
        waiting.push_back(submit(0, kTalk).id);
    }
    clock_.advance(ports::kAgingAfter);
    for (int i = 0; i < ports::kDecodedAhead; ++i) {
        extract(claim(Lane::media).lease, 1);
    }
    for (int i = 0; i < 2 * ports::kAgedShare; ++i) {
        expect_nothing_to_claim(Lane::media);
    }
}

TEST_P(StoreContract, AShortTaskDoesNotWaitBehindALongOne) {
    const auto film = submit_extracted(20);
    for (int i = 0; i < 5; ++i) {
        const auto unit = claim(Lane::speech);
        EXPECT_EQ(unit.task_id, film.id);
        transcribe(unit.lease);
    }
    const auto running = claim(Lane::speech);  // one slot, and it is taken
    const auto clip = submit_extracted(1);
    EXPECT_EQ(store_->queue_place(clip.id)->value().units_ahead, 0);
    transcribe(running.lease);
    EXPECT_EQ(claim(Lane::speech).task_id, clip.id);
}

TEST_P(StoreContract, AClipIsLoadedBeforeTheLongFilesThatCameBeforeIt) {
    std::vector<TaskId> films;
    for (int i = 0; i < 20; ++i) {
        films.push_back(submit(0, kFilm).id);
    }
    const auto film = claim(Lane::media);
    EXPECT_EQ(film.task_id, films[0]);
    expect_nothing_to_claim(Lane::media);  // a slot is left for what is short
    const auto clip = submit(0, kClip);
    const auto place = store_->queue_place(clip.id);
    EXPECT_EQ(place->value().position, 1);
    EXPECT_EQ(place->value().units_ahead, 0);
    EXPECT_EQ(store_->units_before_end(clip.id), 0);
    EXPECT_EQ(store_->units_before_end(films[4]), 4) << "three films and the clip";
    EXPECT_EQ(claim(Lane::media).task_id, clip.id);
    const auto next = submit(0, kClip);
    const auto urgent = submit(1, kFilm);
    EXPECT_EQ(claim(Lane::media).task_id, next.id) << "a long one is being loaded";
    expect_nothing_to_claim(Lane::media);
    extract(film.lease, 1);
    const auto other = claim(Lane::media);
    EXPECT_EQ(other.task_id, urgent.id) << "its priority comes first";
    expect_nothing_to_claim(Lane::media);
    recorder_.take_lane(Lane::media);
    ASSERT_TRUE(store_->return_unit(other.lease, "drained").has_value());
    EXPECT_TRUE(recorder_.take_lane(Lane::media)) << "the slots look again";
    const auto again = claim(Lane::media);
    EXPECT_EQ(again.task_id, urgent.id);
    fail_for_good(again.lease);
    EXPECT_EQ(claim(Lane::media).task_id, films[1]) << "of those alike, the oldest";
}

TEST_P(StoreContract, AnAgedLongFileWaitsForTheOneThatIsLoadedAndGoesNext) {
    submit(0, kFilm);
    const auto running = claim(Lane::media);
    const auto film = submit(0, kFilm);
    clock_.advance(ports::kAgingAfter);
    for (int i = 0; i < 2 * ports::kAgedShare; ++i) {
        const auto clip = submit(0, kClip);
        EXPECT_EQ(claim(Lane::media).task_id, clip.id);
    }
    extract(running.lease, 1);
    submit(0, kClip);
    EXPECT_EQ(claim(Lane::media).task_id, film.id);
}

TEST_P(StoreContract, SourcesThatAreAboutAsLargeAreLoadedAsTheyCame) {
    const auto first = submit(0, 900'000);
    const auto second = submit(0, 7);
    const auto third = submit(0, 7'900'000);
    const auto fourth = submit(0, 7'100'000);
    for (const auto& next : {first, second, third, fourth}) {
        EXPECT_EQ(claim(Lane::media).task_id, next.id);
    }
}

TEST_P(StoreContract, WhatWasHandedBackStandsAsItDidByTheSizeOfItsSource) {
    const auto film = submit(0, kFilm);
    const auto running = claim(Lane::media);
    const auto clip = submit(0, kClip);
    ASSERT_TRUE(store_->return_unit(running.lease, "drained").has_value());
    EXPECT_EQ(claim(Lane::media).task_id, clip.id);
    EXPECT_EQ(claim(Lane::media).task_id, film.id);
}

TEST_P(StoreContract, AStreamOfClipsDoesNotKeepALongFileFromBeingLoaded) {
    const auto film = submit(0, kFilm);
    clock_.advance(ports::kAgingAfter);
    bool loaded = false;
    for (int i = 0; i < ports::kAgedShare && !loaded; ++i) {
        submit(0, kClip);
        submit(0, kClip);
        loaded = claim(Lane::media).task_id == film.id;
    }
    EXPECT_TRUE(loaded);
}

TEST_P(StoreContract, AStreamOfShortTasksDoesNotStarveALongOne) {
    const auto film = submit_extracted(20);
    int of_the_film = 0;
    for (int i = 0; i < 20; ++i) {
        clock_.advance(ports::kAgingAfter / 8);
        submit_extracted(1);  // comes in before each claim: as much as the slot can do
        const auto unit = claim(Lane::speech);
        of_the_film += unit.task_id == film.id ? 1 : 0;
        transcribe(unit.lease);
    }
    EXPECT_GE(of_the_film, 2);
}

TEST_P(StoreContract, ClaimsGoByPriorityThenByWhatEachWasServedThenAge) {
    const auto old_one = submit_extracted(3);
    const auto young = submit_extracted(3);
    EXPECT_EQ(claim(Lane::speech).task_id, old_one.id);
    EXPECT_EQ(claim(Lane::speech).task_id, young.id) << "the old one was served already";
    EXPECT_EQ(claim(Lane::speech).task_id, old_one.id);
    EXPECT_EQ(claim(Lane::speech).task_id, young.id);
    const auto urgent = submit(5);
    EXPECT_EQ(claim(Lane::media).task_id, urgent.id);
    const auto low = submit(-1);
    const auto normal = submit(0);
    EXPECT_EQ(store_->queue_place(normal.id)->value().position, 1);
    EXPECT_EQ(store_->queue_place(low.id)->value().position, 2);
    EXPECT_FALSE(store_->queue_place(urgent.id)->has_value());
    EXPECT_EQ(claim(Lane::media).task_id, normal.id);
    EXPECT_EQ(claim(Lane::media).task_id, low.id);
}

TEST_P(StoreContract, TheLowestPriorityStartsWithinItsBoundUnderConstantLoad) {
    const auto lowest = submit(-100);
    const auto served_within = [&](int claims) {
        for (int i = 1; i <= claims; ++i) {
            submit(100);
            submit(100);
            if (claim(Lane::media).task_id == lowest.id) {
                return i;
            }
        }
        return 0;
    };
    EXPECT_EQ(served_within(20), 0) << "priority is strict before it has aged";
    clock_.advance(ports::kAgingAfter);
    // Those that came in before it aged have waited less.
    EXPECT_NE(served_within(ports::kAgedShare), 0);
}

TEST_P(StoreContract, AgedTasksGetTheirShareAndNoMore) {
    for (int i = 0; i < 10; ++i) {
        submit(-1);
    }
    clock_.advance(ports::kAgingAfter);
    int low = 0;
    for (int i = 0; i < 5 * ports::kAgedShare; ++i) {
        submit(1);
        low += claim(Lane::media).options.priority == -1 ? 1 : 0;
    }
    EXPECT_EQ(low, 5);
}

TEST_P(StoreContract, WhatWaitedGoesOnAgeingAfterARestart) {
    const auto lowest = submit(-1);
    clock_.advance(ports::kAgingAfter);
    submit(1);
    reopen();
    bool served = false;
    for (int i = 0; i < ports::kAgedShare && !served; ++i) {
        submit(1);
        served = claim(Lane::media).task_id == lowest.id;
    }
    EXPECT_TRUE(served);
}

TEST_P(StoreContract, PlacesAreTheOrderOfClaims) {
    submit_extracted(3);
    claim(Lane::speech);
    for (const int priority : {0, 3, -2, 0, 3, 0}) {
        submit(priority);
    }
    const auto queue = store_->queue(100);
    ASSERT_TRUE(queue.has_value());
    ASSERT_EQ(queue->size(), 6U);
    for (std::size_t i = 0; i < queue->size(); ++i) {
        const ports::QueuedTask& waiting = queue->at(i);
        EXPECT_EQ(waiting.place.lane, Lane::media);
        EXPECT_EQ(waiting.place.position, static_cast<int>(i) + 1);
        EXPECT_EQ(waiting.place.units_ahead, static_cast<int>(i)) << "of one unit each";
        const auto place = store_->queue_place(waiting.task.id);
        ASSERT_TRUE(place.has_value() && place->has_value());
        EXPECT_EQ((*place)->position, waiting.place.position);
        EXPECT_EQ((*place)->units_ahead, waiting.place.units_ahead);
    }
    for (const ports::QueuedTask& waiting : *queue) {
        EXPECT_EQ(claim(Lane::media).task_id, waiting.task.id);
    }
    EXPECT_EQ(store_->queue(100)->size(), 0U);
    EXPECT_ERROR(store_->queue(0), ErrorClass::request, "bad_limit");
}

// What runs and could be claimed further takes nobody's place in the list.
TEST_P(StoreContract, AQueueIsAsLongAsWasAskedForWhereSoManyWait) {
    submit_extracted(3);
    claim(Lane::speech);
    submit_extracted(1);
    submit_extracted(1);
    submit();
    submit();
    const auto queue = store_->queue(1);
    ASSERT_TRUE(queue.has_value());
    ASSERT_EQ(queue->size(), 2U);
    EXPECT_EQ(queue->at(0).place.lane, Lane::media);
    EXPECT_EQ(queue->at(0).place.position, 1);
    EXPECT_EQ(queue->at(1).place.lane, Lane::speech);
    EXPECT_EQ(store_->queue(10)->size(), 4U);
}

TEST_P(StoreContract, WhatIsAtWorkIsAheadButStandsInNoLine) {
    const auto film = submit_extracted(4);
    const auto clip = submit_extracted(1);
    const auto other = submit_extracted(1);
    ASSERT_TRUE(store_->set_priority(film.id, 5).has_value());
    ASSERT_EQ(claim(Lane::speech).task_id, film.id);
    EXPECT_FALSE(store_->queue_place(film.id)->has_value()) << "it runs, with three units left";
    int position = 0;
    for (const auto& id : {clip.id, other.id}) {
        const auto place = **store_->queue_place(id);
        EXPECT_EQ(place.position, ++position);
        EXPECT_EQ(place.units_ahead, 3 + position - 1);
        const auto listed = store_->queue(100)->at(static_cast<std::size_t>(position) - 1);
        EXPECT_EQ(listed.task.id, id);
        EXPECT_EQ(listed.place.position, place.position);
        EXPECT_EQ(listed.place.units_ahead, place.units_ahead);
    }
}

TEST_P(StoreContract, APriorityThatIsChangedCountsFromTheNextClaimOn) {
    const auto first = submit(0);
    const auto second = submit(0);
    const auto third = submit(0);
    const auto raised = store_->set_priority(third.id, 7);
    ASSERT_TRUE(raised.has_value());
    EXPECT_EQ(raised->options.priority, 7);
    ASSERT_TRUE(store_->set_priority(first.id, -1).has_value());
    const auto last = recorder_.events().back();
    EXPECT_EQ(last.type, "task.updated");
    EXPECT_EQ(last.task_id, first.id);
    EXPECT_NE(last.payload.find(R"("priority":-1)"), std::string::npos) << last.payload;
    ASSERT_TRUE(store_->set_priority(first.id, -1).has_value()) << "as it is already";
    EXPECT_EQ(recorder_.events().back().seq, last.seq) << "nothing changed";
    reopen();
    EXPECT_EQ(store_->task(third.id)->options.priority, 7);
    EXPECT_EQ(claim(Lane::media).task_id, third.id);
    const auto served = claim(Lane::media);
    EXPECT_EQ(served.task_id, second.id);
    EXPECT_EQ(claim(Lane::media).task_id, first.id);
}

TEST_P(StoreContract, AChangeOfPriorityKeepsTheTimeThatATaskHasWaited) {
    const auto old_one = submit(0);
    clock_.advance(ports::kAgingAfter);
    ASSERT_TRUE(store_->set_priority(old_one.id, -100).has_value());
    bool served = false;
    for (int i = 0; i < ports::kAgedShare && !served; ++i) {
        submit(100);
        served = claim(Lane::media).task_id == old_one.id;
    }
    EXPECT_TRUE(served);
}

TEST_P(StoreContract, WhatRunsKeepsItsLeaseWhenThePriorityChanges) {
    const auto row = submit_extracted(2);
    const auto other = submit_extracted(1);
    const auto running = claim(Lane::speech);
    ASSERT_EQ(running.task_id, row.id);
    ASSERT_TRUE(store_->set_priority(row.id, -3).has_value());
    EXPECT_EQ(store_->task(row.id)->state, domain::TaskState::processing);
    transcribe(running.lease);
    EXPECT_EQ(claim(Lane::speech).task_id, other.id) << "its next part waits with the new one";
    EXPECT_EQ(claim(Lane::speech).task_id, row.id);
}

TEST_P(StoreContract, OnlyATaskThatIsThereAndWaitsHasAPriorityToChange) {
    const auto row = submit(0);
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    EXPECT_ERROR(store_->set_priority(row.id, 1), ErrorClass::request, "task_ended");
    EXPECT_ERROR(store_->set_priority(new_id<TaskId>(), 1), ErrorClass::request, "not_found");
}

TEST_P(StoreContract, TheEventsOfATaskAreItsOwnTheNewestOfThem) {
    const auto row = submit(0);
    submit(0);
    ASSERT_TRUE(store_->set_priority(row.id, 3).has_value());
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    const auto all = store_->task_events(row.id, 100);
    ASSERT_TRUE(all.has_value());
    std::vector<std::string> types;
    for (const ports::Event& event : *all) {
        EXPECT_EQ(event.task_id, row.id);
        types.push_back(event.type);
    }
    EXPECT_EQ(types, (std::vector<std::string>{"task.created", "task.updated", "task.state"}));
    const auto newest = store_->task_events(row.id, 1);
    ASSERT_TRUE(newest.has_value());
    ASSERT_EQ(newest->size(), 1U);
    EXPECT_EQ(newest->front().seq, all->back().seq);
    EXPECT_ERROR(store_->task_events(new_id<TaskId>(), 1), ErrorClass::request, "not_found");
}

TEST_P(StoreContract, TasksAtWorkAreCountedButThoseThatAreKnownOrWereChangedSince) {
    const auto one = submit(0);
    const auto two = submit(0);
    submit(0);
    EXPECT_EQ(store_->processing_but({}, clock_.wall()), 0) << "they wait";
    claim(Lane::media);
    clock_.advance(Millis{5});
    claim(Lane::media);
    EXPECT_EQ(store_->processing_but({}, clock_.wall()), 2);
    EXPECT_EQ(store_->processing_but({}, clock_.wall() - Millis{1}), 1);
    EXPECT_EQ(store_->processing_but(std::array{one.id, new_id<TaskId>()}, clock_.wall()), 1);
    EXPECT_EQ(store_->processing_but(std::array{one.id, two.id}, clock_.wall()), 0);
}

TEST_P(StoreContract, APausedQueueGivesNothingOutUntilItIsResumed) {
    const auto row = submit_extracted(2);
    const auto running = claim(Lane::speech);
    ASSERT_TRUE(store_->set_paused(true).has_value());
    ASSERT_TRUE(store_->set_paused(true).has_value()) << "pausing twice is once";
    EXPECT_EQ(store_->paused(), true);
    expect_nothing_to_claim(Lane::speech);
    transcribe(running.lease);  // what runs goes on
    reopen();
    EXPECT_EQ(store_->paused(), true);
    expect_nothing_to_claim(Lane::speech);
    recorder_.take_lane(Lane::speech);
    ASSERT_TRUE(store_->set_paused(false).has_value());
    EXPECT_TRUE(recorder_.take_lane(Lane::speech)) << "the slots wake up";
    EXPECT_EQ(claim(Lane::speech).task_id, row.id);
}

}  // namespace durascribe::contract
