// An engine that is told to stop: what it still does, and what waits for the next start.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine_fixture.h"

namespace durascribe::engine {
namespace {

class Drain : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        settings_.speech_slots = 1;
        workers_.on_transcribe =
            [this](const ports::TranscribeJob& job,
                   const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
            if (!gate_.pass(control.stop)) {
                return fail(ErrorClass::lost, "stopped", "The worker was stopped.");
            }
            return transcribe(job);
        };
    }
    std::ptrdiff_t chunks_in(const TaskId& task, domain::UnitState state) const {
        const auto units = store_->units(task);
        return std::ranges::count_if(*units, [&](const ports::UnitRow& unit) {
            return unit.step == domain::Step::transcribe && unit.state == state;
        });
    }

    Gate gate_;
};

TEST_F(Drain, WhatRunsEndsAndNothingIsClaimedAfterIt) {
    chunks_ = 6;
    start();
    const auto made = upload();
    ASSERT_TRUE(gate_.wait_inside(1));
    EXPECT_FALSE(engine_->draining());
    engine_->stop_claiming();
    EXPECT_TRUE(engine_->draining());
    EXPECT_EQ(chunks_in(made.task.id, domain::UnitState::processing), 1) << "it goes on";
    gate_.open();
    engine_->stop(kPatience);
    EXPECT_EQ(chunks_in(made.task.id, domain::UnitState::completed), 1);
    EXPECT_EQ(chunks_in(made.task.id, domain::UnitState::processing), 0);
    EXPECT_GE(chunks_in(made.task.id, domain::UnitState::pending), 2);
    EXPECT_EQ(workers_.transcribes, 1);
}

TEST_F(Drain, ADrainedEngineAnswersAndWhatIsSubmittedWaits) {
    start();
    const auto first = upload();
    ASSERT_TRUE(gate_.wait_inside(1));
    engine_->stop_claiming();
    const auto during = upload("while it drains");
    engine_->stop();
    const auto after = upload("after that");
    for (const TaskId& task : {first.task.id, during.task.id, after.task.id}) {
        const auto view = engine_->view(task);
        ASSERT_TRUE(view) << view.error().message;
        EXPECT_EQ(view->row.state, domain::TaskState::pending);
        EXPECT_TRUE(view->queue_position);
    }
    EXPECT_FALSE(engine_->slots().empty());
    const auto cancelled = engine_->cancel(after.task.id);
    ASSERT_TRUE(cancelled);
    EXPECT_EQ(cancelled->state, domain::TaskState::cancelled) << "nobody works on it";
    EXPECT_EQ(workers_.extracts, 1);
    gate_.open();
    engine_.reset();
    start();
    EXPECT_EQ(await(first.task.id, domain::TaskState::completed), domain::TaskState::completed);
    EXPECT_EQ(await(during.task.id, domain::TaskState::completed), domain::TaskState::completed);
}

}  // namespace
}  // namespace durascribe::engine
