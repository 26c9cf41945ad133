#include "durascribe/api/task_watch.h"

#include <gtest/gtest.h>

#include <array>

namespace durascribe::api {
namespace {

ports::Event event(std::int64_t seq, const char* type, const char* task) {
    ports::Event e;
    e.seq = seq;
    e.type = type;
    e.task_id = TaskId{task};
    return e;
}

TEST(TaskWatch, WakesThoseWhoWaitForThatTaskAndThatChange) {
    engine::EventFeed feed;
    TaskWatch watch{feed};
    int state = 0;
    int parts = 0;
    int other = 0;
    const auto a = watch.watch(TaskId{"t"}, TaskWatch::What::state, [&] { ++state; });
    const auto b = watch.watch(TaskId{"t"}, TaskWatch::What::state_parts, [&] { ++parts; });
    const auto c = watch.watch(TaskId{"u"}, TaskWatch::What::state_parts, [&] { ++other; });
    feed.publish(std::array{event(1, "task.progress", "t"), event(2, "unit.completed", "t")});
    EXPECT_EQ(state, 0);
    EXPECT_EQ(parts, 1);
    feed.publish(std::array{event(3, "task.state", "t")});
    EXPECT_EQ(state, 1);
    EXPECT_EQ(parts, 2);
    EXPECT_EQ(other, 0);
}

TEST(TaskWatch, IsSilentAfterTheEnd) {
    engine::EventFeed feed;
    TaskWatch watch{feed};
    int woken = 0;
    {
        auto first = watch.watch(TaskId{"t"}, TaskWatch::What::state, [&] { ++woken; });
        TaskWatch::Watching moved = std::move(first);
        feed.publish(std::array{event(1, "task.state", "t")});
        EXPECT_EQ(woken, 1);
    }
    feed.publish(std::array{event(2, "task.state", "t")});
    EXPECT_EQ(woken, 1);
}

}  // namespace
}  // namespace durascribe::api
