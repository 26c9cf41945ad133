#include "durascribe/engine/view_builder.h"

#include <gtest/gtest.h>

namespace durascribe::engine {
namespace {

using domain::Step;
using domain::UnitState;

constexpr WallTime kStart{Millis{1'800'000'000'000}};

ports::UnitRow chunk(int ordinal, Millis start, Millis end) {
    ports::UnitRow unit;
    unit.id = UnitId{2 + ordinal};
    unit.step = Step::transcribe;
    unit.ordinal = ordinal;
    unit.span = {start, end};
    return unit;
}

void run(ports::UnitRow& unit, Millis from, std::optional<Millis> to = std::nullopt) {
    unit.attempts = 1;
    unit.lease = 1;
    unit.state = to ? UnitState::completed : UnitState::processing;
    unit.started_at = kStart + from;
    if (to) {
        unit.completed_at = kStart + *to;
    }
}

// 200 s of audio in two chunks, extracted; the first chunk at work on one slot.
ViewFacts at_work(Millis done, Millis worked) {
    ViewFacts facts;
    facts.row.state = domain::TaskState::processing;
    facts.row.worked = worked;
    facts.now = kStart + worked;
    facts.media_duration = Millis{200'000};
    facts.speeds = {{Step::transcribe, 0.1, 0.0, "", "", 20}};
    ports::UnitRow extract;
    extract.id = UnitId{1};
    extract.step = Step::extract;
    extract.state = UnitState::completed;
    facts.units = {extract, chunk(0, Millis{0}, Millis{100'000}),
                   chunk(1, Millis{100'000}, Millis{200'000})};
    run(facts.units[1], Millis{0});
    facts.live = {{.unit = facts.units[1].id, .audio_done = done, .pace = {worked, done}}};
    return facts;
}

TEST(BuildView, TheTimeLeftFollowsThePaceOfNow) {
    // Five times slower than was learned, for long enough to be believed.
    const TaskView slow = build_view(at_work(Millis{80'000}, Millis{40'000}));
    ASSERT_TRUE(slow.eta_seconds);
    EXPECT_NEAR(*slow.eta_seconds, 60, 3);
    // As learned.
    const TaskView usual = build_view(at_work(Millis{40'000}, Millis{4'000}));
    ASSERT_TRUE(usual.eta_seconds);
    EXPECT_NEAR(*usual.eta_seconds, 16, 1);
}

TEST(BuildView, AFirstMomentDoesNotUpsetTheTimeLeft) {
    const TaskView view = build_view(at_work(Millis{100}, Millis{200}));
    ASSERT_TRUE(view.eta_seconds);
    EXPECT_NEAR(*view.eta_seconds, 20, 3);
}

TEST(BuildView, ThePaceOfChunksThatEndedIsHeeded) {
    ViewFacts facts = at_work(Millis{0}, Millis{0});
    run(facts.units[1], Millis{0}, Millis{50'000});
    run(facts.units[2], Millis{50'000});
    facts.live = {{.unit = facts.units[2].id, .audio_done = Millis{0}, .pace = {}}};
    facts.now = kStart + Millis{50'000};
    facts.row.worked = Millis{50'000};
    const TaskView view = build_view(facts);
    ASSERT_TRUE(view.eta_seconds);
    EXPECT_NEAR(*view.eta_seconds, 50, 10);  // 10 by the speed learned
    EXPECT_NEAR(view.percent, 50, 5);
}

TEST(BuildView, ANightBetweenTwoClaimsOfAChunkIsNotItsPace) {
    // Handed back when the server stopped in the evening, done in ten seconds in the morning.
    ViewFacts facts = at_work(Millis{0}, Millis{0});
    constexpr Millis kMorning{10 * 3'600'000};
    run(facts.units[1], Millis{0}, kMorning + Millis{10'000});
    facts.units[1].lease = 2;
    run(facts.units[2], kMorning + Millis{10'000});
    facts.live = {{.unit = facts.units[2].id, .audio_done = Millis{0}, .pace = {}}};
    facts.now = kStart + kMorning + Millis{10'000};
    facts.row.worked = Millis{10'000};
    const TaskView view = build_view(facts);
    ASSERT_TRUE(view.eta_seconds && view.predicted_seconds_on_one_slot);
    EXPECT_NEAR(*view.eta_seconds, 10, 1);  // as learned; 36,000 where the night counts
    EXPECT_LT(*view.predicted_seconds_on_one_slot, 30) << "the task's time limit follows it";
}

TEST(BuildView, TheLastLongChunkHoldsTheEndAlone) {
    ViewFacts facts = at_work(Millis{0}, Millis{0});
    facts.speech_slots = 2;
    facts.units[1].span = {Millis{0}, Millis{20'000}};
    facts.units[2].span = {Millis{20'000}, Millis{200'000}};
    // Two slots, and one of them has 180 s of audio to itself.
    EXPECT_NEAR(*build_view(facts).eta_seconds, 18, 0.5);
}

TEST(BuildView, TheBarIsTheShareOfTheTimeAndNotOfTheAudio) {
    // A quarter of the audio done, at a pace that will not last: ten of thirty seconds.
    ViewFacts facts = at_work(Millis{50'000}, Millis{10'000});
    facts.speeds[0].seconds_per_audio_second = 0.2;
    const TaskView view = build_view(facts);
    EXPECT_NEAR(view.percent, 100 * 10 / (10 + *view.eta_seconds), 1);
}

TEST(BuildView, WhatIsSoonDoneButWaitsLongIsNotNearItsEnd) {
    // Fetched in ten seconds; a second of recognition, behind a minute of others.
    ViewFacts facts = at_work(Millis{0}, Millis{0});
    facts.live.clear();
    facts.row.state = domain::TaskState::pending;
    facts.row.worked = Millis{10'000};
    facts.now = kStart + Millis{10'000};
    facts.media_duration = Millis{10'000};
    facts.units = {facts.units[0], chunk(0, Millis{0}, Millis{10'000})};
    run(facts.units[0], Millis{0}, Millis{10'000});
    EXPECT_GT(build_view(facts).percent, 85);
    facts.seconds_per_unit = 30;
    facts.queue_position = 3;
    facts.units_before_next = facts.units_before_end = 2;
    const TaskView view = build_view(facts);
    EXPECT_NEAR(*view.eta_seconds, 61, 1);
    EXPECT_NEAR(view.percent, 100.0 * 10 / 71, 1);
    EXPECT_NEAR(*view.estimated_start_seconds, 75, 1);
    facts.held_back_seconds = 100;
    const TaskView held_back = build_view(facts);
    EXPECT_NEAR(*held_back.eta_seconds, 161, 1);
    EXPECT_NEAR(*held_back.estimated_start_seconds, 175, 1);
}

TEST(BuildView, WhileTheQueueIsPausedNoTimeIsToldOfWhatIsStillToBeStarted) {
    ViewFacts facts = at_work(Millis{40'000}, Millis{4'000});
    ASSERT_TRUE(build_view(facts).eta_seconds);
    facts.paused = true;
    EXPECT_EQ(build_view(facts).eta_seconds, std::nullopt) << "its second chunk waits";
    run(facts.units[2], Millis{0});
    EXPECT_EQ(build_view(facts).eta_seconds, std::nullopt) << "finalizing will wait";
    EXPECT_EQ(build_view(facts).stage, "Transcribing 1 of 2") << "what runs goes on";

    ViewFacts last = facts;
    run(last.units[1], Millis{0}, Millis{10'000});
    run(last.units[2], Millis{0}, Millis{10'000});
    last.live.clear();
    ports::UnitRow final_unit;
    final_unit.id = UnitId{4};
    final_unit.step = Step::finalize;
    run(final_unit, Millis{10'000});
    last.units.push_back(final_unit);
    EXPECT_TRUE(build_view(last).eta_seconds) << "all that is left of it runs";

    ViewFacts waiting = at_work(Millis{0}, Millis{0});
    waiting.live.clear();
    waiting.row.state = domain::TaskState::pending;
    waiting.units[1] = chunk(0, Millis{0}, Millis{100'000});
    waiting.queue_position = 1;
    ASSERT_TRUE(build_view(waiting).estimated_start_seconds);
    ASSERT_TRUE(build_view(waiting).eta_seconds);
    waiting.paused = true;
    const TaskView view = build_view(waiting);
    EXPECT_EQ(view.estimated_start_seconds, std::nullopt);
    EXPECT_EQ(view.eta_seconds, std::nullopt);
    EXPECT_EQ(view.queue_position, 1);
    EXPECT_EQ(view.stage, "Waiting: the queue is paused");
}

TEST(BuildView, TheWaitForTheNextAttemptIsPartOfTheTimeLeft) {
    ViewFacts facts = at_work(Millis{0}, Millis{0});
    facts.live.clear();
    facts.row.state = domain::TaskState::retrying;
    facts.units[1] = chunk(0, Millis{0}, Millis{100'000});
    run(facts.units[2], Millis{0}, Millis{10'000});
    facts.now = kStart + Millis{10'000};
    facts.row.next_attempt_at = facts.units[1].not_before = facts.now + Millis{60'000};
    EXPECT_NEAR(*build_view(facts).eta_seconds, 70, 1);
    facts.now = facts.now + Millis{45'000};
    EXPECT_NEAR(*build_view(facts).eta_seconds, 25, 1);
    facts.now = facts.now + Millis{45'000};
    EXPECT_NEAR(*build_view(facts).eta_seconds, 10, 1) << "it is due, and waits for a slot alone";
    EXPECT_EQ(build_view(facts).stage, "Waiting for a free slot");
    facts.paused = true;
    EXPECT_EQ(build_view(facts).eta_seconds, std::nullopt);
}

TEST(BuildView, APartThatWaitsBesideOnesThatRunHoldsTheEndBack) {
    ViewFacts facts = at_work(Millis{0}, Millis{0});
    facts.speech_slots = 2;
    EXPECT_NEAR(*build_view(facts).eta_seconds, 10, 1);
    facts.units[2].not_before = facts.now + Millis{60'000};
    EXPECT_NEAR(*build_view(facts).eta_seconds, 70, 1);
    facts.units[2].not_before = facts.now + Millis{4'000};
    EXPECT_NEAR(*build_view(facts).eta_seconds, 14, 1);
    facts.speech_slots = 1;
    EXPECT_NEAR(*build_view(facts).eta_seconds, 20, 1) << "its time comes before its slot is free";
}

TEST(BuildView, WhenThereWillBeRoomNobodyKnows) {
    ViewFacts facts = at_work(Millis{0}, Millis{0});
    facts.live.clear();
    facts.row.state = domain::TaskState::retrying;
    facts.row.error = ports::StoredError{ErrorClass::storage, "no_room_for_audio", "19 MiB"};
    facts.row.next_attempt_at = facts.now + Millis{300'000};
    facts.units = {facts.units[0]};
    facts.units[0].state = UnitState::pending;
    facts.units[0].not_before = facts.row.next_attempt_at;
    facts.units[0].error = facts.row.error;
    const TaskView view = build_view(facts);
    EXPECT_EQ(view.eta_seconds, std::nullopt);
    EXPECT_EQ(view.stage, "Waiting for room on the disk");
    ViewFacts other = facts;
    other.row.error->cls = other.units[0].error->cls = ErrorClass::network;
    EXPECT_TRUE(build_view(other).eta_seconds);
    EXPECT_EQ(build_view(other).stage, "Waiting for the next attempt");
    facts.row.next_attempt_at = facts.units[0].not_before = facts.now;
    EXPECT_TRUE(build_view(facts).eta_seconds) << "there is room, and no slot";
    EXPECT_EQ(build_view(facts).stage, "Waiting for a free slot");
}

TEST(BuildView, WhatIsCancelledBesideAPartThatIsStillStoppingDoesNotMoveTheBar) {
    ViewFacts facts = at_work(Millis{50'000}, Millis{10'000});
    facts.row.progress = 20;
    EXPECT_GT(build_view(facts).percent, 20);
    facts.row.cancel_requested_at = facts.now;
    facts.units[2].state = domain::UnitState::cancelled;
    const TaskView view = build_view(facts);
    EXPECT_EQ(view.percent, 20);
    EXPECT_EQ(view.eta_seconds, std::nullopt);
    EXPECT_EQ(view.stage, "Stopping");
}

TEST(BuildView, AClockThatJumpedDoesNotMoveTheBarFar) {
    ViewFacts facts = at_work(Millis{100'000}, Millis{500'000});
    facts.units[2].span.end = Millis{1'100'000};
    const double before = build_view(facts).percent;
    EXPECT_NEAR(before, 9, 1);
    facts.now = facts.now + std::chrono::years{10};
    const double after = build_view(facts).percent;
    EXPECT_LT(after, before + 1);  // as if half a minute had passed
    facts.now = kStart - std::chrono::years{10};
    EXPECT_NEAR(build_view(facts).percent, before, 1);
}

TEST(BuildView, AWorkerThatHangsIsCountedForNoMoreThanItsPartWasPredictedToTake) {
    // Ten seconds for each chunk, and nothing was heard of the first for an hour.
    ViewFacts facts = at_work(Millis{0}, Millis{0});
    facts.now = kStart + std::chrono::hours{1};
    facts.row.worked = std::chrono::hours{1};
    EXPECT_NEAR(build_view(facts).percent, 100.0 * 10 / (10 + 20), 1);
}

TEST(BuildView, ARetryShowsWhatWasKept) {
    ViewFacts facts = at_work(Millis{0}, Millis{1'000});
    run(facts.units[1], Millis{0}, Millis{10'000});
    run(facts.units[2], Millis{3'600'000});
    facts.row.run_number = 2;
    EXPECT_NEAR(build_view(facts).percent, 50, 5);
}

TEST(BuildView, FinalizingIsNotSaidToWait) {
    ViewFacts facts = at_work(Millis{0}, Millis{0});
    facts.live.clear();
    facts.units[1].state = facts.units[2].state = UnitState::completed;
    ports::UnitRow last;
    last.id = UnitId{4};
    last.step = Step::finalize;
    last.state = UnitState::pending;
    facts.units.push_back(last);
    EXPECT_EQ(build_view(std::move(facts)).stage, "Finalizing");
}

}  // namespace
}  // namespace durascribe::engine
