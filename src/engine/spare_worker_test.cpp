#include "durascribe/engine/spare_worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

namespace durascribe::engine {
namespace {

constexpr std::int64_t kNeed = 100;

class Workers final : public ports::WorkerFactory {
  public:
    std::atomic<int> started{0};
    std::atomic<bool> alive{true};
    std::promise<void> starter_ended;  // the thread that starts workers, with which they die

    Result<std::unique_ptr<ports::Worker>> start(ports::WorkerRole role) override {
        EXPECT_EQ(role, ports::WorkerRole::speech);
        thread_local struct Ending {
            std::promise<void>& ended;
            ~Ending() { ended.set_value(); }
        } const ending{starter_ended};
        ++started;
        started.notify_all();
        return std::make_unique<Worker>(*this);
    }

  private:
    class Worker final : public ports::Worker {
      public:
        explicit Worker(Workers& owner) : owner_(owner) {}
        Result<ports::ExtractOutcome> extract(const ports::ExtractJob&,
                                              const ports::RunControl&) override {
            return ports::ExtractOutcome{};
        }
        Result<ports::TranscribeOutcome> transcribe(const ports::TranscribeJob&,
                                                    const ports::RunControl&) override {
            return ports::TranscribeOutcome{};
        }
        Result<ports::FetchOutcome> fetch(const ports::FetchJob&,
                                          const ports::RunControl&) override {
            return ports::FetchOutcome{};
        }
        bool alive() override { return owner_.alive; }
        Result<void> wait_ready(Millis, std::stop_token) override { return {}; }
        int pid() const override { return 0; }
        std::int64_t resident_bytes() const override { return kNeed; }

      private:
        Workers& owner_;
    };
};

// Takes it as soon as it is there.
SpareWorker::Warm await(SpareWorker& spare) {
    while (true) {
        if (auto warm = spare.take()) {
            return std::move(*warm);
        }
        std::this_thread::yield();
    }
}

class SpareWorkerTest : public ::testing::Test {
  protected:
    Workers workers_;
    std::atomic<std::int64_t> free_{1'000};
    MemoryAdmission admission_{[this] { return free_.load(); }};
};

TEST_F(SpareWorkerTest, ThereIsNoneBeforeOneIsWanted) {
    SpareWorker spare(workers_, admission_, [] { return kNeed; });
    EXPECT_FALSE(spare.take());
    spare.stop();
    EXPECT_EQ(workers_.started, 0);
}

TEST_F(SpareWorkerTest, TheOneTakenIsReplaced) {
    SpareWorker spare(workers_, admission_, [] { return kNeed; });
    spare.want();
    const auto first = await(spare);
    EXPECT_TRUE(first.worker);
    const auto second = await(spare);
    EXPECT_TRUE(second.worker);
    EXPECT_GE(workers_.started, 2);
}

TEST_F(SpareWorkerTest, OneThatDiedWhileItWaitedIsNotGivenAway) {
    SpareWorker spare(workers_, admission_, [] { return kNeed; });
    spare.want();
    workers_.started.wait(0);
    workers_.alive = false;
    for (int i = 0; i < 100; ++i) {
        EXPECT_FALSE(spare.take());
    }
}

TEST_F(SpareWorkerTest, ItLeavesRoomForAnother) {
    const auto slots_own = admission_.admit(kNeed);
    // What the slot's worker will grow to, the spare, and one more.
    free_ = 3 * kNeed;
    auto spare = admission_.admit_spare(kNeed);
    EXPECT_TRUE(spare);
    spare.reset();
    free_ = 3 * kNeed - 1;
    EXPECT_FALSE(admission_.admit_spare(kNeed));
}

TEST_F(SpareWorkerTest, AfterStopThereIsNone) {
    SpareWorker spare(workers_, admission_, [] { return kNeed; });
    spare.want();
    (void)await(spare);
    spare.stop();
    EXPECT_FALSE(spare.take());
}

// A real worker is killed by the kernel when the thread that started it ends.
TEST_F(SpareWorkerTest, WhatWasGivenAwayOutlivesStop) {
    auto ended = workers_.starter_ended.get_future();
    {
        SpareWorker spare(workers_, admission_, [] { return kNeed; });
        spare.want();
        const auto given = await(spare);
        spare.stop();
        EXPECT_EQ(ended.wait_for(std::chrono::milliseconds{200}), std::future_status::timeout);
    }
    EXPECT_EQ(ended.wait_for(std::chrono::seconds{10}), std::future_status::ready);
}

}  // namespace
}  // namespace durascribe::engine
