// What goes wrong and what follows: retries, partial failures, cancels.
#include <algorithm>
#include <atomic>

#include "store_contract.h"

namespace durascribe::contract {
namespace {

using domain::Lane;
using domain::Step;
using domain::TaskState;
using domain::UnitState;

TEST_P(StoreContract, AFailedAttemptWaitsThenRunsAgain) {
    const auto row = submit();
    const auto end = fail(claim(Lane::media).lease, ErrorClass::network, "no route");
    EXPECT_EQ(end.unit_state, UnitState::pending);
    EXPECT_EQ(end.task_state, TaskState::retrying);
    EXPECT_EQ(end.next_attempt_at, clock_.wall() + Millis{30'000});
    const auto waiting = task(row.id);
    EXPECT_EQ(waiting.next_attempt_at, end.next_attempt_at);
    EXPECT_EQ(waiting.retry_count, 1);
    EXPECT_EQ(waiting.error->message, "no route");
    EXPECT_EQ(*store_->next_wake_up(), end.next_attempt_at);
    EXPECT_FALSE(store_->queue_place(row.id)->has_value());
    expect_nothing_to_claim(Lane::media);
    clock_.advance(Millis{30'000});
    const auto again = claim(Lane::media);
    EXPECT_EQ(again.attempt, 2);
    EXPECT_EQ(*store_->next_wake_up(), std::nullopt);
    EXPECT_EQ(task(row.id).next_attempt_at, std::nullopt);
    EXPECT_EQ(task(row.id).state, TaskState::processing);
}

TEST_P(StoreContract, ATasksRetriesAreThoseForWhichAllThatIsLeftWaits) {
    const auto row = submit_extracted(2);
    const auto first = claim(Lane::speech);
    const auto second = claim(Lane::speech);
    EXPECT_EQ(fail(first.lease, ErrorClass::network).task_state, TaskState::processing);
    EXPECT_EQ(task(row.id).retry_count, 0) << "the other goes on";
    transcribe(second.lease);
    EXPECT_EQ(task(row.id).state, TaskState::retrying);
    EXPECT_EQ(task(row.id).retry_count, 1);
}

TEST_P(StoreContract, RetriesEndAfterTheirBudget) {
    const auto row = submit();
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(fail(claim(Lane::media).lease, ErrorClass::network).unit_state,
                  UnitState::pending);
        clock_.advance(Millis{400'000});
    }
    EXPECT_EQ(fail(claim(Lane::media).lease, ErrorClass::network, "gone").task_state,
              TaskState::failed);
    EXPECT_EQ(task(row.id).error->message, "gone");
}

TEST_P(StoreContract, CrashesHaveABudgetOfTheirOwn) {
    const auto row = submit();
    for (int i = 0; i < 2; ++i) {
        EXPECT_FALSE(fail(claim(Lane::media).lease, ErrorClass::crash).quarantined);
        clock_.advance(Millis{400'000});
    }
    const auto end = fail(claim(Lane::media).lease, ErrorClass::crash);
    EXPECT_TRUE(end.quarantined);
    EXPECT_EQ(end.task_state, TaskState::failed);
    EXPECT_EQ(units_of(row.id, Step::extract).at(0).crashes, 3);
}

TEST_P(StoreContract, LostAndStorageSpendNoAttempt) {
    submit();
    for (int i = 0; i < 6; ++i) {
        const auto unit = claim(Lane::media);
        EXPECT_EQ(unit.attempt, 1);
        const ErrorClass cls = i % 2 == 0 ? ErrorClass::lost : ErrorClass::storage;
        EXPECT_EQ(fail(unit.lease, cls).unit_state, UnitState::pending);
        clock_.advance(Millis{60'000});
    }
}

TEST_P(StoreContract, AWaitThatIsEndedIsOverAtOnceAndNothingElseChanges) {
    const auto row = submit();
    const auto unit = claim(Lane::media);
    const auto before = store_->event_range()->second;
    ASSERT_TRUE(store_->end_wait(unit.lease.unit).has_value());
    EXPECT_EQ(task(row.id).state, TaskState::processing) << "it runs, and waits for nothing";
    EXPECT_EQ(store_->event_range()->second, before);

    fail_for_want_of_room(unit.lease);
    EXPECT_EQ(task(row.id).next_attempt_at, clock_.wall() + Millis{300'000});
    clock_.advance(Millis{60'000});
    expect_nothing_to_claim(Lane::media);
    ASSERT_TRUE(store_->end_wait(unit.lease.unit).has_value());
    EXPECT_EQ(*store_->next_wake_up(), std::nullopt);
    EXPECT_EQ(task(row.id).state, TaskState::retrying) << "until it is claimed";
    EXPECT_EQ(task(row.id).next_attempt_at, clock_.wall());
    EXPECT_EQ(units_of(row.id, Step::extract).at(0).not_before, clock_.wall());
    EXPECT_EQ(claim(Lane::media).attempt, 1);

    EXPECT_TRUE(store_->end_wait(UnitId{4711}).has_value()) << "of a media that was deleted";
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    EXPECT_TRUE(store_->end_wait(unit.lease.unit).has_value());
    EXPECT_EQ(units_of(row.id, Step::extract).at(0).state, UnitState::processing);
}

TEST_P(StoreContract, AFailedChunkIsAGapAndTheRestIsDelivered) {
    const auto row = submit_extracted(3);
    run_to_end(3, 1);
    const auto done = task(row.id);
    EXPECT_EQ(done.state, TaskState::partial_failure);
    EXPECT_EQ(done.error->message, "1 of 3 parts could not be transcribed: it broke");
    const auto gaps = store_->gaps(row.id);
    ASSERT_EQ(gaps->size(), 1U);
    EXPECT_EQ(gaps->at(0), (domain::Gap{{Millis{30'000}, Millis{60'000}}, "it broke"}));
}

TEST_P(StoreContract, ARetryOfAPartialFailureRedoesWhatFailedAndJoinsAgain) {
    const auto row = submit_extracted(3);
    run_to_end(3, 1);
    clock_.advance(Millis{1});
    const auto retried = store_->retry(row.id);
    ASSERT_TRUE(retried.has_value()) << retried.error().message << retried.error().detail;
    EXPECT_EQ(retried->queued, (std::vector<std::pair<Step, int>>{{Step::transcribe, 1}}));
    EXPECT_EQ(retried->task.state, TaskState::pending);
    EXPECT_EQ(retried->task.current_step, "retry_queued");
    EXPECT_EQ(retried->task.run_number, 2);
    EXPECT_EQ(retried->task.completed_at, std::nullopt);
    EXPECT_FALSE(retried->task.error.has_value());
    EXPECT_GT(retried->task.progress, 0);
    EXPECT_LT(retried->task.progress, 100);
    EXPECT_TRUE(store_->gaps(row.id)->empty());

    expect_nothing_to_claim(Lane::local);
    const auto unit = claim(Lane::speech);
    EXPECT_EQ(unit.ordinal, 1);
    EXPECT_EQ(unit.attempt, 1);
    expect_nothing_to_claim(Lane::speech);
    transcribe(unit.lease, "filled in");
    const auto parts = store_->chunk_segments(row.id);
    ASSERT_TRUE(parts.has_value());
    EXPECT_EQ(parts->size(), 3U) << "what is to be joined";
    EXPECT_EQ(std::ranges::count(*parts, "filled in", &domain::Segment::text), 1);
    EXPECT_EQ(std::ranges::count(*store_->segments(row.id), "filled in", &domain::Segment::text), 0)
        << "as it was joined, until it is joined again";
    EXPECT_EQ(finalize(claim(Lane::local).lease).task_state, TaskState::completed);
    EXPECT_EQ(store_->attempts(row.id)->size(), 7U)
        << "extract, 3 chunks, finalize; a chunk, finalize";
}

// One commit: whoever reads the row sees all of it or nothing, and the event tells the same.
TEST_P(StoreContract, ARetryClearsSetsAndTellsInOneCommit) {
    const auto row = submit_extracted(2);
    fail_for_good(claim(Lane::speech).lease);
    const auto running = claim(Lane::speech);
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    ASSERT_TRUE(store_->acknowledge_cancelled(running.lease).has_value());
    const auto before = task(row.id);
    ASSERT_TRUE(before.completed_at && before.error && before.cancel_requested_at);
    const auto newest = store_->event_range()->second;

    class OneCommit final : public ports::CommitListener {
      public:
        explicit OneCommit(Recorder& also) : also_(also) {}
        void on_commit(std::span<const ports::Event> events,
                       std::span<const bool, domain::kLanes> lanes) noexcept override {
            commits += events.empty() ? 0 : 1;
            also_.on_commit(events, lanes);
        }
        std::atomic<int> commits = 0;

      private:
        Recorder& also_;
    } listener{recorder_};
    store_->set_listener(&listener);
    const auto retried = store_->retry(row.id);
    ASSERT_TRUE(retried.has_value());
    store_->set_listener(&recorder_);
    EXPECT_EQ(listener.commits, 1);
    EXPECT_EQ(retried->failed, 1);
    EXPECT_EQ(retried->cancelled, 1);

    const auto after = task(row.id);
    EXPECT_EQ(after.state, TaskState::pending);
    EXPECT_EQ(after.current_step, "retry_queued");
    EXPECT_EQ(after.run_number, before.run_number + 1);
    EXPECT_FALSE(after.completed_at || after.error || after.cancel_requested_at);
    for (const auto& unit : units_of(row.id, Step::transcribe)) {
        EXPECT_EQ(unit.state, UnitState::pending);
        EXPECT_FALSE(unit.completed_at || unit.error);
    }
    const auto events = store_->events_after(newest, 10);
    ASSERT_EQ(events->size(), 1U);
    EXPECT_EQ(events->front().type, "task.state");
    const auto& payload = events->front().payload;
    EXPECT_THAT(payload, ::testing::HasSubstr("\"previous_state\":\"cancelled\""));
    EXPECT_THAT(payload, ::testing::HasSubstr("\"current_step\":\"retry_queued\""));
    EXPECT_THAT(payload, ::testing::Not(::testing::HasSubstr("error")));
}

TEST_P(StoreContract, NothingTranscribedIsAFailure) {
    const auto row = submit_extracted(2);
    fail_for_good(claim(Lane::speech).lease);
    EXPECT_EQ(fail_for_good(claim(Lane::speech).lease).task_state, TaskState::failed);
    EXPECT_EQ(task(row.id).error->message, "None of the 2 parts could be transcribed: it broke");
    expect_nothing_to_claim(Lane::local);
    EXPECT_EQ(store_->retry(row.id)->queued.at(0), (std::pair{Step::transcribe, 2}));
}

TEST_P(StoreContract, OnlyWhatEndedBadlyCanBeRetried) {
    const auto row = submit_extracted(1);
    EXPECT_ERROR(store_->retry(row.id), ErrorClass::request, "not_retryable");
    run_to_end(1);
    EXPECT_ERROR(store_->retry(row.id), ErrorClass::request, "not_retryable");
    EXPECT_ERROR(store_->retry(new_id<TaskId>()), ErrorClass::request, "not_found");

    const auto failed = submit();
    fail_for_good(claim(Lane::media).lease);
    ASSERT_TRUE(
        store_->submit_task({.media_id = failed.media_id, .id = new_id<TaskId>()}).has_value());
    EXPECT_ERROR(store_->retry(failed.id), ErrorClass::request, "task_running");
}

TEST_P(StoreContract, ACancelOfWhatWaitsIsDoneAtOnce) {
    const auto row = submit_extracted(2);
    const auto cancelled = store_->request_cancel(row.id);
    ASSERT_TRUE(cancelled.has_value());
    EXPECT_EQ(cancelled->task.state, TaskState::cancelled);
    EXPECT_TRUE(cancelled->running.empty());
    EXPECT_EQ(cancelled->task.error->message, "Cancelled by user.");
    expect_nothing_to_claim(Lane::speech);
    EXPECT_ERROR(store_->request_cancel(row.id), ErrorClass::request, "task_ended");
    EXPECT_ERROR(store_->request_cancel(new_id<TaskId>()), ErrorClass::request, "not_found");
}

TEST_P(StoreContract, ACancelOfWhatWaitsForItsNextAttemptIsDoneAtOnce) {
    const auto row = submit();
    fail(claim(Lane::media).lease, ErrorClass::network);
    EXPECT_EQ(store_->request_cancel(row.id)->task.state, TaskState::cancelled);
    EXPECT_EQ(*store_->next_wake_up(), std::nullopt);
}

TEST_P(StoreContract, ACancelOfWhatRunsWaitsForTheLastWorker) {
    const auto row = submit_extracted(3);
    const auto a = claim(Lane::speech);
    const auto b = claim(Lane::speech);
    const auto asked = store_->request_cancel(row.id);
    EXPECT_EQ(asked->task.state, TaskState::processing);
    EXPECT_THAT(asked->running, ::testing::UnorderedElementsAre(a.lease, b.lease));
    EXPECT_TRUE(store_->renew_leases(node_, {&a.lease, 1}, Millis{30'000})->at(0).cancel_requested);
    expect_nothing_to_claim(Lane::speech);
    EXPECT_EQ(store_->request_cancel(row.id)->running.size(), 2U) << "asking twice changes nothing";
    EXPECT_EQ(store_->acknowledge_cancelled(a.lease)->task_state, TaskState::processing);
    EXPECT_EQ(store_->acknowledge_cancelled(b.lease)->task_state, TaskState::cancelled);
    const auto retried = store_->retry(row.id);
    EXPECT_EQ(retried->queued.at(0), (std::pair{Step::transcribe, 3}));
    EXPECT_EQ(retried->task.cancel_requested_at, std::nullopt);
}

TEST_P(StoreContract, AChunkThatEndsDespiteACancelStaysAndARetryGoesOnFromThere) {
    const auto row = submit_extracted(1);
    const auto unit = claim(Lane::speech);
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    const auto end = transcribe(unit.lease, "kept");
    EXPECT_EQ(end.unit_state, UnitState::completed);
    EXPECT_EQ(end.task_state, TaskState::cancelled);
    expect_nothing_to_claim(Lane::local);
    EXPECT_EQ(store_->retry(row.id)->queued.at(0), (std::pair{Step::finalize, 1}));
    EXPECT_EQ(store_->segments(row.id)->at(0).text, "kept");
    EXPECT_EQ(finalize(claim(Lane::local).lease).task_state, TaskState::completed);
}

TEST_P(StoreContract, AnExtractionThatEndsDespiteACancelKeepsItsChunks) {
    const auto row = submit();
    const auto unit = claim(Lane::media);
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    EXPECT_EQ(extract(unit.lease, 2).task_state, TaskState::cancelled);
    EXPECT_EQ(store_->retry(row.id)->queued.at(0), (std::pair{Step::transcribe, 2}));
    run_to_end(2);
    EXPECT_EQ(task(row.id).state, TaskState::completed);
}

TEST_P(StoreContract, ACancelAfterTheLastResultComesTooLate) {
    const auto row = submit_extracted(1);
    transcribe(claim(Lane::speech).lease);
    const auto unit = claim(Lane::local);
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    EXPECT_EQ(finalize(unit.lease).task_state, TaskState::completed);
    EXPECT_EQ(task(row.id).cancel_requested_at, std::nullopt);
}

TEST_P(StoreContract, AFailureOrADrainUnderACancelCancels) {
    const auto row = submit_extracted(2);
    const auto a = claim(Lane::speech);
    const auto b = claim(Lane::speech);
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    EXPECT_EQ(fail(a.lease, ErrorClass::network).unit_state, UnitState::cancelled);
    EXPECT_EQ(store_->return_unit(b.lease, "drained")->task_state, TaskState::cancelled);
}

TEST_P(StoreContract, ADrainedUnitWaitsForASlot) {
    const auto row = submit();
    const auto end = store_->return_unit(claim(Lane::media).lease, "The server is stopping.");
    EXPECT_EQ(end->task_state, TaskState::pending);
    EXPECT_EQ(store_->attempts(row.id)->at(0).outcome, "returned");
    EXPECT_EQ(store_->attempts(row.id)->at(0).error->message, "The server is stopping.");
}

}  // namespace
}  // namespace durascribe::contract
