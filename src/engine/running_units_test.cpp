#include "durascribe/engine/running_units.h"

#include <gtest/gtest.h>

namespace durascribe::engine {
namespace {

ports::ClaimedUnit unit_of(const TaskId& task, int run, std::int64_t lease) {
    ports::ClaimedUnit claimed;
    claimed.lease = {UnitId{1}, lease};
    claimed.task_id = task;
    claimed.run_number = run;
    return claimed;
}

// A cancel whose caller was held up after it was committed: meanwhile the task was retried.
TEST(RunningUnits, AStopThatComesLateMeetsNoLaterRun) {
    RunningUnits running;
    const TaskId task{"task"};
    const auto first = running.add(unit_of(task, 1, 1), MonoTime{}, MonoTime{});
    const auto second = running.add(unit_of(task, 2, 2), MonoTime{}, MonoTime{});
    const auto other = running.add(unit_of(TaskId{"other"}, 1, 1), MonoTime{}, MonoTime{});
    running.stop_task(task, 1, StopReason::cancelled);
    EXPECT_EQ(first->stop_reason(), StopReason::cancelled);
    EXPECT_EQ(second->stop_reason(), StopReason::none);
    EXPECT_EQ(other->stop_reason(), StopReason::none);
}

}  // namespace
}  // namespace durascribe::engine
