// What comes of a worker that breaks its word: the class of the error and the end of the process.
#include <thread>

#include <signal.h>

#include "durascribe/process/death.h"
#include "lying_worker_fixture.h"

namespace durascribe::process {
namespace {

using ports::WorkerRole;

TEST_F(LyingWorkers, AnHonestOneServesManyJobs) {
    const auto worker = start("good");
    ASSERT_TRUE(worker->wait_ready(Millis{5'000}, {}).has_value());
    EXPECT_GT(worker->resident_bytes(), 100'000);
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(worker->alive());
        const auto outcome = worker->transcribe(job(), {});
        ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
        ASSERT_EQ(outcome->segments.size(), 1U);
        EXPECT_EQ(outcome->segments[0].text, "hello");
        EXPECT_EQ(outcome->engine, "lying");
    }
    EXPECT_TRUE(worker->alive());
}

TEST_F(LyingWorkers, TheDestructorKillsAndReaps) {
    auto worker = start("hang");
    const int pid = worker->pid();
    EXPECT_FALSE(gone(pid));
    worker.reset();
    EXPECT_TRUE(gone(pid));
}

// As a server that was started by a program that does not want to hear of its own children.
TEST_F(LyingWorkers, AnIgnoredSigchldThatWasInheritedHidesNoEnd) {
    ::signal(SIGCHLD, SIG_IGN);
    const Error error = failure_of("exit_seven");
    EXPECT_EQ(error.code, "worker_died") << error.message;
    EXPECT_NE(error.message.find("exit code 7"), std::string::npos) << error.message;
    ::signal(SIGCHLD, SIG_IGN);
    auto worker = start("hang");
    const int pid = worker->pid();
    worker.reset();
    EXPECT_TRUE(gone(pid));
    ::signal(SIGCHLD, SIG_DFL);
}

TEST_F(LyingWorkers, WhatAWorkerReportsItselfLeavesItAlive) {
    const auto worker = start("reports");
    for (int i = 0; i < 2; ++i) {
        const auto outcome = worker->transcribe(job(), {});
        ASSERT_FALSE(outcome.has_value());
        EXPECT_EQ(outcome.error().cls, ErrorClass::input);
        EXPECT_EQ(outcome.error().code, "no_samples");
        EXPECT_EQ(outcome.error().message, "There is no sound in it.");
        EXPECT_TRUE(worker->alive());
    }
}

TEST_F(LyingWorkers, AMediaWorkerServesOneJobWhateverComesOfIt) {
    const auto worker = start("reports", WorkerRole::media);
    const int pid = worker->pid();
    const auto outcome = worker->extract({file_.get(), file_.get(), {}, Millis{1'000}}, {});
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().code, "no_samples");
    EXPECT_TRUE(gone(pid));
    EXPECT_FALSE(worker->alive());
    const auto again = worker->extract({file_.get(), file_.get(), {}, Millis{1'000}}, {});
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().code, "worker_ended");
}

TEST_F(LyingWorkers, GarbageInAnyShapeIsACrash) {
    for (const char* mode :
         {"garbage", "huge_header", "outside_span", "word_outside_span", "out_of_order",
          "illegal_class", "wrong_answer", "answer_is_no_json", "sends_a_file"}) {
        const Error error = failure_of(mode);
        EXPECT_EQ(error.cls, ErrorClass::crash) << mode;
        EXPECT_EQ(error.code, "protocol_error") << mode << ": " << error.message;
        EXPECT_FALSE(error.detail.empty()) << mode;
    }
}

TEST_F(LyingWorkers, AnEndWithoutAResultIsACrash) {
    for (const char* mode : {"exit_zero", "exit_seven", "half_frame"}) {
        const Error error = failure_of(mode);
        EXPECT_EQ(error.cls, ErrorClass::crash) << mode;
        EXPECT_EQ(error.code, "worker_died") << mode << ": " << error.message;
    }
    EXPECT_NE(failure_of("exit_seven").message.find("exit code 7"), std::string::npos);
}

TEST_F(LyingWorkers, ADeathBySignalNamesTheSignalAndKeepsTheLastWords) {
    const Error error = failure_of("segv");
    EXPECT_EQ(error.cls, ErrorClass::crash);
    EXPECT_EQ(error.code, "worker_died");
    EXPECT_NE(error.message.find("SIGSEGV"), std::string::npos) << error.message;
    EXPECT_NE(error.detail.find("about to fall"), std::string::npos) << error.detail;
}

TEST_F(LyingWorkers, AKillThatIsNotOursIsACrashWhileMemoryLasts) {
    const auto kills = out_of_memory_kills();
    ASSERT_TRUE(kills);
    const Error error = failure_of("killed");
    if (out_of_memory_kills() != kills) {
        GTEST_SKIP() << "this machine ran out of memory meanwhile";
    }
    EXPECT_EQ(error.cls, ErrorClass::crash);
    EXPECT_EQ(error.code, "worker_killed");
}

TEST(Death, AKillWhileTheKernelKilledForMemoryIsMemory) {
    const ExitStatus killed{.by_signal = true, .value = SIGKILL};
    EXPECT_EQ(error_of_death(killed, "while trying", "", {.machine_ran_out = true}).cls,
              ErrorClass::memory);
    EXPECT_EQ(error_of_death(killed, "while trying", "", {}).cls, ErrorClass::crash);
}

TEST_F(LyingWorkers, AllocatingPastTheLimitIsMemory) {
    if (kSanitized) {
        GTEST_SKIP() << "the memory limit is off under a sanitizer";
    }
    const Error error = failure_of("allocates");
    EXPECT_EQ(error.cls, ErrorClass::memory);
    EXPECT_EQ(error.code, "memory_limit") << error.message;

    const auto worker = start("allocates_early");
    const int pid = worker->pid();
    const auto ready = worker->wait_ready(Millis{5'000}, {});
    ASSERT_FALSE(ready.has_value());
    EXPECT_EQ(ready.error().cls, ErrorClass::memory);
    EXPECT_TRUE(gone(pid));
}

TEST_F(LyingWorkers, AClosedSocketIsACrashEvenIfTheProcessLives) {
    const Error error = failure_of("closes_socket");
    EXPECT_EQ(error.cls, ErrorClass::crash);
    EXPECT_EQ(error.code, "worker_gone");
}

TEST_F(LyingWorkers, AnAnswerCountsEvenIfItsWriterDiesAfterIt) {
    const auto worker = start("dies_after_answer");
    const auto outcome = worker->transcribe(job(), {});
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    const auto next = worker->transcribe(job(), {});
    ASSERT_FALSE(next.has_value());
    EXPECT_EQ(next.error().code, "worker_died");
    EXPECT_FALSE(worker->alive());
}

// Both answers may come in one read: the second must not become the answer to the next job.
TEST_F(LyingWorkers, OneThatSpeaksUnaskedIsNotGivenAnotherJob) {
    for (int i = 0; i < 20; ++i) {
        const auto worker = start("speaks_unasked");
        const int pid = worker->pid();
        ASSERT_TRUE(worker->transcribe(job(), {}).has_value());
        const Stopwatch watch;
        while (worker->alive() && watch.elapsed() < Millis{5'000}) {
            std::this_thread::yield();
        }
        ASSERT_FALSE(worker->alive());
        ASSERT_TRUE(gone(pid));
    }
}

TEST_F(LyingWorkers, AFloodOfErrorLinesBlocksNobody) {
    const auto worker = start("flood_errors");
    const auto outcome = worker->transcribe(job(), {});
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;

    const Error error = failure_of("flood_errors_and_die");
    EXPECT_EQ(error.code, "worker_died");
    EXPECT_LE(error.detail.size(), 4096U);
    EXPECT_TRUE(error.detail.ends_with("these are my last words\n"));
}

TEST_F(LyingWorkers, AModelThatDoesNotLoadIsToldByWaitReady) {
    const auto worker = start("no_model");
    const int pid = worker->pid();
    const auto ready = worker->wait_ready(Millis{5'000}, {});
    ASSERT_FALSE(ready.has_value());
    EXPECT_EQ(ready.error().cls, ErrorClass::model);
    EXPECT_EQ(ready.error().code, "model_not_found");
    EXPECT_TRUE(gone(pid));
}

TEST_F(LyingWorkers, SoundThatWasNotWrittenIsNotBelieved) {
    const auto worker = start("no_sound_written", WorkerRole::media);
    const int pid = worker->pid();
    const auto outcome = worker->extract({file_.get(), file_.get(), {}, Millis{120'000}}, {});
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().code, "protocol_error");
    EXPECT_TRUE(gone(pid));
}

TEST_F(LyingWorkers, NoRoomForWhatWasWrittenIsNotBelieved) {
    const auto worker = start("no_room_but_sound_written", WorkerRole::media);
    const auto outcome =
        worker->extract({.source_fd = file_.get(), .pcm_fd = file_.get(), .room_bytes = 1'000}, {});
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().code, "protocol_error");
}

TEST_F(LyingWorkers, MoreSoundThanTheJobAllowsIsAnInputError) {
    const auto worker = start("large_file", WorkerRole::media);
    const int pid = worker->pid();
    const auto outcome = worker->extract({file_.get(), file_.get(), {}, Millis{60'000}}, {});
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().cls, ErrorClass::input);
    EXPECT_EQ(outcome.error().code, "media_too_large") << outcome.error().message;
    EXPECT_LE(::lseek(file_.get(), 0, SEEK_END), 61'000 * 32);
    EXPECT_TRUE(gone(pid));
}

TEST_F(LyingWorkers, AProgramThatIsNotThereSaysSo) {
    ProcessWorkerSettings s = settings("good");
    s.program = "/nonexistent/durascribe-worker";
    const auto worker = ProcessWorkerFactory(s).start(WorkerRole::speech);
    ASSERT_FALSE(worker.has_value());
    EXPECT_EQ(worker.error().cls, ErrorClass::internal);
    EXPECT_EQ(worker.error().code, "worker_start_failed");
    EXPECT_NE(worker.error().message.find("/nonexistent/durascribe-worker"), std::string::npos);
}

}  // namespace
}  // namespace durascribe::process
