// Batches of the writing thread, seen from inside: what shares a commit, and what a failure undoes.
#include "durascribe/store/sqlite/writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <stdexcept>
#include <thread>

#include "durascribe/store/sqlite/migrations.h"
#include "scratch_directory.h"

namespace durascribe::store {
namespace {

class Told final : public ports::CommitListener {
  public:
    void on_commit(std::span<const ports::Event> events,
                   std::span<const bool, domain::kLanes> /*lanes*/) noexcept override {
        for (const ports::Event& e : events) {
            types.push_back(e.type);
        }
        ++commits;
    }
    std::vector<std::string> types;
    int commits = 0;
};

class WriterTest : public ::testing::Test {
  protected:
    WriterTest() {
        db_.execute("PRAGMA journal_mode = WAL");
        db_.execute("PRAGMA synchronous = OFF");  // what is tested here is not durability
        EXPECT_TRUE(migrate(db_, embedded_migrations()).has_value());
        writer_ = std::make_unique<Writer>(db_, clock_, SqliteOptions{}, QueueClock{});
        writer_->set_listener(&told_);
    }

    // Writes an event, then ends as told: what was written goes with a failure.
    static Result<void> write(WriteTx& tx, std::string_view type, bool succeeds) {
        emit(tx, type, MediaId{"m"}, TaskId{"t"}, "{}");
        tx.queue.ahead += Millis{1};
        return succeeds ? Result<void>{}
                        : fail(ErrorClass::request, "refused", "It is refused after its write.");
    }

    testing::ScratchDirectory dir_;
    ports::SystemClock clock_;
    Connection db_{dir_.path() / "a.db", Connection::Mode::writer};
    Told told_;
    std::unique_ptr<Writer> writer_;
};

TEST_F(WriterTest, AVerbThatFailsAfterAWriteChangesNothingAndTouchesNoOther) {
    std::latch held{1};
    std::latch running{1};
    std::thread holder([&] {
        EXPECT_TRUE(writer_->run([&](WriteTx&) -> Result<void> {
            running.count_down();
            held.wait();
            return {};
        }));
    });
    running.wait();
    std::vector<std::thread> callers;
    std::array<Result<void>, 3> answers;
    const std::array<std::string_view, 3> types{"first", "refused", "third"};
    for (std::size_t i = 0; i < types.size(); ++i) {
        callers.emplace_back([&, i] {
            answers[i] = writer_->run([&](WriteTx& tx) { return write(tx, types[i], i != 1); });
        });
    }
    // The writer is held: these three come after it, in one batch or in several.
    held.count_down();
    holder.join();
    for (std::thread& c : callers) {
        c.join();
    }
    EXPECT_TRUE(answers[0]);
    ASSERT_FALSE(answers[1]);
    EXPECT_EQ(answers[1].error().code, "refused");
    EXPECT_TRUE(answers[2]);
    Millis ahead{0};
    EXPECT_TRUE(writer_->run([&](WriteTx& tx) -> Result<void> {
        ahead = tx.queue.ahead;
        return {};
    }));
    writer_.reset();  // now told_ and db_ are this thread's
    std::ranges::sort(told_.types);
    EXPECT_EQ(told_.types, (std::vector<std::string>{"first", "third"}));
    Rows rows = db_.query("SELECT count(*), sum(type = 'refused') FROM events");
    ASSERT_TRUE(rows.step());
    EXPECT_EQ(rows.small(), 2);
    EXPECT_EQ(rows.small(), 0);
    EXPECT_GE(ahead, Millis{2}) << "what the verbs did in memory was done";
    EXPECT_LE(ahead, Millis{3}) << "and not twice";
}

TEST_F(WriterTest, AFaultOfAVerbIsItsOwnAnswerAndUndoesWhatItWrote) {
    const auto refused = writer_->run([](WriteTx& tx) -> Result<void> {
        emit(tx, "refused", MediaId{"m"}, TaskId{"t"}, "{}");
        tx.db.execute("UPDATE nowhere SET nothing = 1");
        return {};
    });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "database_error");
    EXPECT_EQ(refused.error().cls, ErrorClass::internal);
    const auto thrown = writer_->run([](WriteTx& tx) -> Result<void> {
        emit(tx, "thrown", MediaId{"m"}, TaskId{"t"}, "{}");
        throw std::runtime_error("not of SQLite");
    });
    ASSERT_FALSE(thrown);
    EXPECT_EQ(thrown.error().code, "store_exception");
    EXPECT_EQ(thrown.error().detail, "not of SQLite");
    EXPECT_TRUE(writer_->run([](WriteTx& tx) { return write(tx, "after", true); }));
    writer_.reset();  // now told_ and db_ are this thread's
    EXPECT_EQ(told_.types, std::vector<std::string>{"after"});
}

TEST_F(WriterTest, WhatFailsBeforeItsFirstWriteNeedsNoSecondRun) {
    int runs = 0;
    const auto refused = writer_->run([&](WriteTx&) -> Result<void> {
        ++runs;
        return fail(ErrorClass::request, "refused", "It is refused at once.");
    });
    EXPECT_FALSE(refused);
    EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace durascribe::store
