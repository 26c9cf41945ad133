// Processes that are stopped (SIGSTOP) and go on later (SIGCONT): a worker past the lease of its
// unit, and a whole node past its limits, as when a laptop is closed or a container is paused.
#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <future>
#include <random>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "durascribe/store/sqlite/sqlite_store.h"
#include "lying_worker_fixture.h"
#include "scratch_directory.h"
#include "test_seed.h"

namespace durascribe::process {
namespace {

using ports::RunControl;

// ---- a worker past the lease of its unit ----

// A few by default; a thousand by hand (docs/reliability.md).
int rounds_wanted() {
    const char* wanted = std::getenv("STOPPED_WORKER_ROUNDS");
    return wanted == nullptr ? 25 : std::atoi(wanted);
}

class StoppedWorkers : public LyingWorkers {
  protected:
    void SetUp() override {
        auto store = store::SqliteStore::open(directory_.path(), clock_, {});
        ASSERT_TRUE(store) << store.error().message;
        store_ = std::move(*store);
    }

    // A task with one chunk to transcribe.
    TaskId submit() {
        const auto made = store_->submit({.id = new_id<MediaId>(),
                                          .task_id = new_id<TaskId>(),
                                          .title = "A talk",
                                          .filename = "talk.wav",
                                          .source = {std::string(64, 'a'), 7},
                                          .options = {}});
        EXPECT_TRUE(made) << made.error().message;
        const auto unit = claim(first_, domain::Lane::media, Millis{30'000});
        ports::ExtractResult decoded;
        decoded.info.duration = kChunk.end;
        decoded.pcm = {std::string(64, 'b'), 32'000};
        decoded.chunks.push_back(kChunk);
        EXPECT_TRUE(store_->finish_extract(unit.lease, decoded));
        return made->task.id;
    }

    ports::ClaimedUnit claim(const NodeId& node, domain::Lane lane, Millis lease) {
        const auto unit =
            store_->claim({.node = node, .lane = lane, .lease_length = lease, .model = "one"});
        EXPECT_TRUE(unit && *unit) << "nothing to claim";
        return **unit;
    }

    Result<ports::UnitEnd> finish(const ports::Lease& lease, const ports::TranscribeOutcome& said) {
        return store_->finish_chunk(
            lease, {.segments = said.segments, .engine = said.engine, .model = said.model});
    }

    // The unit goes back when its lease has run out, and not before.
    void rescue(MonoTime claimed_at, Millis lease) {
        while (true) {
            const auto rescued = store_->rescue_expired();
            ASSERT_TRUE(rescued) << rescued.error().message;
            if (*rescued == 1) {
                EXPECT_GE(clock_.mono() - claimed_at, lease);
                return;
            }
            ASSERT_LT(clock_.mono() - claimed_at, Millis{10'000}) << "its lease never ran out";
            std::this_thread::yield();
        }
    }

    static void wait_until_stopped(int pid) {
        siginfo_t info{};
        ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOWAIT), 0);
        ASSERT_EQ(info.si_code, CLD_STOPPED);
    }

    void one_round(std::mt19937& random, ports::Worker& second);

    testing::ScratchDirectory directory_;
    ports::SystemClock clock_;
    std::unique_ptr<store::SqliteStore> store_;
    const NodeId first_ = new_id<NodeId>();
    const NodeId other_ = new_id<NodeId>();
    int refused_ = 0;
};

void StoppedWorkers::one_round(std::mt19937& random, ports::Worker& second) {
    constexpr Millis kLease{5};
    enum { before_the_claim, during_the_second, after_the_second };
    const int goes_on = std::uniform_int_distribution(0, 2)(random);
    const TaskId task = submit();
    const MonoTime claimed_at = clock_.mono();
    const auto late = claim(first_, domain::Lane::speech, kLease);

    std::promise<int> started;
    auto late_answer = std::async(std::launch::async, [&] {
        const auto worker = start("stopped_before_its_answer");
        started.set_value(worker->pid());
        return worker->transcribe(job(), {});
    });
    const int pid = started.get_future().get();
    wait_until_stopped(pid);
    rescue(claimed_at, kLease);
    const auto late_result_is_refused = [&] {
        ASSERT_EQ(::kill(pid, SIGCONT), 0);
        const auto said = late_answer.get();
        ASSERT_TRUE(said) << said.error().message;
        ASSERT_EQ(said->segments.at(0).text, "late");
        const auto end = finish(late.lease, *said);
        ASSERT_FALSE(end.has_value());
        EXPECT_EQ(end.error().code, "stale_lease");
        ++refused_;
    };
    if (goes_on == before_the_claim) {
        late_result_is_refused();
    }
    const auto again = claim(other_, domain::Lane::speech, Millis{30'000});
    ASSERT_EQ(again.lease.unit, late.lease.unit);
    if (goes_on == during_the_second) {
        late_result_is_refused();
    }
    const auto said = second.transcribe(job(), {});
    ASSERT_TRUE(said) << said.error().message;
    ASSERT_TRUE(finish(again.lease, *said));
    if (goes_on == after_the_second) {
        late_result_is_refused();
    }

    const auto segments = store_->segments(task);
    ASSERT_TRUE(segments);
    ASSERT_EQ(segments->size(), 1U);
    EXPECT_EQ(segments->front().text, "hello");
    ASSERT_TRUE(store_->finish_final(claim(other_, domain::Lane::local, Millis{30'000}).lease, {}));
    EXPECT_EQ(store_->task(task)->state, domain::TaskState::completed);
    const auto attempts = store_->attempts(task);
    ASSERT_TRUE(attempts);
    EXPECT_EQ(std::ranges::count(*attempts, "lost", &ports::AttemptRow::outcome), 1);
    EXPECT_EQ(std::ranges::count(*attempts, "completed", &ports::AttemptRow::outcome), 3);
}

TEST_F(StoppedWorkers, WhatOneSaysThatWasStoppedPastItsLeaseIsRefused) {
    const int rounds = rounds_wanted();
    std::mt19937 random(durascribe::testing::test_seed());
    const auto second = start("good");
    for (int round = 0; round < rounds && !HasFailure(); ++round) {
        one_round(random, *second);
    }
    EXPECT_EQ(refused_, rounds);
    std::printf("late results refused: %d of %d\n", refused_, rounds);
}

// ---- a whole node, past the limits of what it runs ----

constexpr Millis kStall{1'000};
constexpr Millis kAway{2'500};  // well past the stall window and the deadline

// A node of its own, in a process that can be stopped: runs one chunk and leaves with what came of
// it.
class StoppedNode {
  public:
    enum Outcome { answered = 0, stalled = 10, timed_out = 11, other = 12 };

    explicit StoppedNode(const std::function<int(const std::function<void(int)>& at_work)>& run) {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        const UniqueFd read_end(ends[0]);
        UniqueFd write_end(ends[1]);
        node_ = ::fork();
        if (node_ == 0) {
            std::_Exit(run(
                [&](int pid) { static_cast<void>(::write(write_end.get(), &pid, sizeof pid)); }));
        }
        write_end.reset();
        EXPECT_EQ(::read(read_end.get(), &worker_, sizeof worker_),
                  static_cast<ssize_t>(sizeof worker_));
    }
    void stop() const {
        ::kill(node_, SIGSTOP);
        int status = 0;
        ::waitpid(node_, &status, WUNTRACED);
        EXPECT_TRUE(WIFSTOPPED(status));
    }
    int go_on_and_end() const {
        ::kill(node_, SIGCONT);
        int status = 0;
        ::waitpid(node_, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    int worker() const { return worker_; }

  private:
    pid_t node_ = 0;
    int worker_ = 0;
};

class StoppedNodes : public LyingWorkers {
  protected:
    // No event is waited for: the time away is what is tried.
    static void stay_away() { ::poll(nullptr, 0, static_cast<int>(kAway.count())); }
    static int outcome_of(const Result<ports::TranscribeOutcome>& outcome) {
        if (outcome) {
            return StoppedNode::answered;
        }
        switch (outcome.error().cls) {
            case ErrorClass::stall:
                return StoppedNode::stalled;
            case ErrorClass::timeout:
                return StoppedNode::timed_out;
            default:
                return StoppedNode::other;
        }
    }
    int run(const std::function<void(int)>& at_work) {
        const auto worker = start("answers_when_told");
        static_cast<void>(worker->wait_ready(Millis{60'000}, {}));
        RunControl control{.stall_window = kStall, .deadline = kStall * 2};
        control.on_progress = [&](Millis) { at_work(worker->pid()); };
        return outcome_of(worker->transcribe(job(), control));
    }
    StoppedNode node_{[this](const auto& at_work) { return run(at_work); }};
};

TEST_F(StoppedNodes, TheAnswerThatWaitedIsTaken) {
    node_.stop();
    ASSERT_EQ(::kill(node_.worker(), SIGUSR1), 0);
    stay_away();
    EXPECT_EQ(node_.go_on_and_end(), StoppedNode::answered);
}

TEST_F(StoppedNodes, AWorkerThatWasStoppedWithItsNodeIsNotTakenForAHungOne) {
    node_.stop();
    ::kill(node_.worker(), SIGSTOP);
    stay_away();
    ::kill(node_.worker(), SIGCONT);
    ASSERT_EQ(::kill(node_.worker(), SIGUSR1), 0);
    EXPECT_EQ(node_.go_on_and_end(), StoppedNode::answered);
}

TEST_F(StoppedNodes, AWorkerThatHangsAfterwardsIsFoundOut) {
    node_.stop();
    stay_away();
    const Stopwatch watch;
    EXPECT_EQ(node_.go_on_and_end(), StoppedNode::stalled);
    EXPECT_LT(watch.elapsed(), kStall * 10);
}

}  // namespace
}  // namespace durascribe::process
