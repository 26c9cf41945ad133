#include "durascribe/engine/mailbox.h"

#include <gtest/gtest.h>

namespace durascribe::engine {
namespace {

ports::Event event(std::int64_t seq, const char* type) {
    ports::Event made;
    made.seq = seq;
    made.type = type;
    made.task_id = TaskId{"t"};
    return made;
}

void put(Mailbox& box, std::int64_t seq, const char* type) {
    const ports::Event made = event(seq, type);
    box.put({&made, 1});
}

TEST(Mailbox, KeepsOnlyTheNewestProgressOfATask) {
    Mailbox box(2, 0);
    EXPECT_EQ(box.take(Millis{0}).resync_after, 0);
    for (int seq = 1; seq <= 100'000; ++seq) {
        put(box, seq, "task.progress");
    }
    const auto mail = box.take(Millis{0});
    ASSERT_EQ(mail.events.size(), 1U);
    EXPECT_EQ(mail.events[0].seq, 100'000);
}

TEST(Mailbox, TellsASlowReaderToResync) {
    Mailbox box(2, 7);
    EXPECT_EQ(box.take(Millis{0}).resync_after, 7);
    for (int seq = 8; seq <= 100'000; ++seq) {
        put(box, seq, "task.state");
    }
    const auto mail = box.take(Millis{0});
    EXPECT_TRUE(mail.events.empty());
    EXPECT_EQ(mail.resync_after, 7);
    put(box, 100'001, "task.state");
    put(box, 100'002, "task.state");
    box.seen_up_to(100'001);
    const auto live = box.take(Millis{0});
    ASSERT_EQ(live.events.size(), 1U);
    EXPECT_EQ(live.events[0].seq, 100'002);
}

}  // namespace
}  // namespace durascribe::engine
