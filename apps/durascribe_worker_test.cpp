// The real worker program, driven as the server drives it: samples in, transcript out.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <latch>
#include <string>

#include "durascribe/base/unique_fd.h"
#include "durascribe/process/child_process.h"
#include "durascribe/process/process_worker.h"
#include "durascribe/protocol/channel.h"
#include "durascribe/protocol/messages.h"
#include "loopback_server.h"

namespace durascribe::process {
namespace {

using ports::WorkerRole;

double ms_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
}

class WorkerProgram : public ::testing::Test {
  protected:
#if defined(__has_feature)
    static constexpr bool kSanitized =
        __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
    static constexpr bool kSanitized = false;
#endif

    static std::unique_ptr<ports::Worker> start(WorkerRole role,
                                                const std::string& model = "auto") {
        ProcessWorkerSettings settings;
        settings.allow_private_addresses = "127.0.0.1";
        settings.program = WORKER;
        settings.engine = "pocketsphinx";
        settings.model = model;
        settings.language = "en";
        if (kSanitized) {
            settings.memory_limit_bytes = 0;
        }
        auto worker = ProcessWorkerFactory(settings).start(role);
        EXPECT_TRUE(worker.has_value()) << worker.error().message;
        return std::move(*worker);
    }
    Result<ports::ExtractOutcome> extract(const std::string& sample, Millis longest = Millis{0}) {
        const auto worker = start(WorkerRole::media);
        const UniqueFd source(::open((SAMPLES "/" + sample).c_str(), O_RDONLY | O_CLOEXEC));
        EXPECT_TRUE(source.valid()) << sample;
        auto outcome = worker->extract({source.get(), pcm_.get(), {}, longest}, {});
        EXPECT_FALSE(worker->alive());
        return outcome;
    }

    const UniqueFd pcm_{::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
};

TEST_F(WorkerProgram, TurnsASampleIntoText) {
    const auto extracted = extract("clip.mp3");
    ASSERT_TRUE(extracted.has_value()) << extracted.error().message << extracted.error().detail;
    const Millis duration = extracted->info.duration;
    EXPECT_GT(duration, Millis{1'000});
    EXPECT_GE(::lseek(pcm_.get(), 0, SEEK_END), (duration.count() - 1) * 32);
    EXPECT_FALSE(extracted->peaks.min_max.empty());

    const auto worker = start(WorkerRole::speech);
    const auto ready = worker->wait_ready(Millis{60'000}, {});
    ASSERT_TRUE(ready.has_value()) << ready.error().message;
    EXPECT_GT(worker->resident_bytes(), 10'000'000);
    Millis told{0};
    ports::RunControl control;
    control.on_progress = [&](Millis done) {
        EXPECT_GT(done, told);
        told = done;
    };
    const Millis half{duration.count() / 2};
    std::string text;
    for (const domain::AudioSpan span : {domain::AudioSpan{Millis{0}, half}, {half, duration}}) {
        told = Millis{0};
        const auto outcome =
            worker->transcribe({pcm_.get(), span, "pocketsphinx", "auto", "en"}, control);
        ASSERT_TRUE(outcome.has_value()) << outcome.error().message << outcome.error().detail;
        EXPECT_EQ(outcome->engine, "pocketsphinx");
        for (const auto& segment : outcome->segments) {
            text += segment.text + " ";
        }
        EXPECT_TRUE(worker->alive());
    }
    std::printf("heard: %s\n", text.c_str());
    EXPECT_GT(text.size(), 20U);
}

TEST_F(WorkerProgram, WhatIsNoMediaIsAnInputError) {
    const auto outcome = extract("README.md");
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().cls, ErrorClass::input);
    EXPECT_EQ(outcome.error().code, "not_media") << outcome.error().message;
}

TEST_F(WorkerProgram, MediaLongerThanTheJobAllowsIsAnInputError) {
    const auto outcome = extract("clip.mp3", Millis{1'000});
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().cls, ErrorClass::input);
    EXPECT_EQ(outcome.error().code, "too_long") << outcome.error().message;
}

TEST_F(WorkerProgram, AModelThatIsNotThereIsAModelError) {
    const auto worker = start(WorkerRole::speech, "no-such-model");
    const auto ready = worker->wait_ready(Millis{60'000}, {});
    ASSERT_FALSE(ready.has_value());
    EXPECT_EQ(ready.error().cls, ErrorClass::model) << ready.error().message;
    EXPECT_FALSE(worker->alive());
}

TEST_F(WorkerProgram, AWorkerWithAnotherModelLoadedTakesTheJobsOwn) {
    const auto worker = start(WorkerRole::speech);
    const auto outcome = worker->transcribe(
        {pcm_.get(), {Millis{0}, Millis{0}}, "pocketsphinx", "no-such-model", "en"}, {});
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().cls, ErrorClass::model);
    ASSERT_TRUE(worker->alive());
    const auto next =
        worker->transcribe({pcm_.get(), {Millis{0}, Millis{0}}, "pocketsphinx", "auto", "en"}, {});
    EXPECT_TRUE(next.has_value()) << next.error().message;
}

TEST_F(WorkerProgram, AudioThatIsNotThereIsSaid) {
    const auto worker = start(WorkerRole::speech);
    const auto outcome = worker->transcribe(
        {pcm_.get(), {Millis{0}, Millis{5'000}}, "pocketsphinx", "auto", "en"}, {});
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().code, "audio_missing");
}

TEST_F(WorkerProgram, TooLittleMemoryForTheModelIsAMemoryError) {
    if (kSanitized) {
        GTEST_SKIP() << "the memory limit is off under a sanitizer";
    }
    ProcessWorkerSettings settings;
    settings.program = WORKER;
    settings.engine = "pocketsphinx";
    settings.model = "auto";
    settings.language = "en";
    settings.memory_limit_bytes = 80 << 20;
    auto worker = ProcessWorkerFactory(settings).start(WorkerRole::speech);
    ASSERT_TRUE(worker.has_value());
    const auto ready = (*worker)->wait_ready(Millis{60'000}, {});
    ASSERT_FALSE(ready.has_value());
    EXPECT_EQ(ready.error().cls, ErrorClass::memory)
        << ready.error().code << ready.error().message << ready.error().detail;
}

// By the end of the stream alone: this server lives on.
// The server's own watch would call it a worker that hangs.
TEST_F(WorkerProgram, ADownloadWhoseTimeIsOverSaysSoItself) {
    std::latch over{1};
    const testing::LoopbackServer silent([&over](const std::string&) {
        over.wait();
        return std::string{};
    });
    const auto worker = start(WorkerRole::fetch);
    ports::RunControl control;
    control.deadline = Millis{30'000};
    const auto outcome = worker->fetch({.url = silent.url("/talk.wav"),
                                        .output_fd = pcm_.get(),
                                        .stall = Millis{20'000},
                                        .timeout = Millis{1'000}},
                                       control);
    over.count_down();
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    ASSERT_TRUE(outcome->error);
    EXPECT_EQ(outcome->error->cls, ErrorClass::network);
    EXPECT_EQ(outcome->error->code, "timed_out");
    EXPECT_NE(outcome->error->message.find("within 1 s. Raise IMPORT_TIMEOUT"), std::string::npos)
        << outcome->error->message;
}

TEST_F(WorkerProgram, LeavesWhenItsSocketIsClosed) {
    auto ends = protocol::Channel::make_pair();
    ASSERT_TRUE(ends.has_value());
    auto child = ChildProcess::start({.program = WORKER,
                                      .arguments = {"media"},
                                      .environment = {},
                                      .socket_fd = ends->second.get()});
    ASSERT_TRUE(child.has_value());
    ends->second.reset();
    {
        protocol::Channel channel(std::move(ends->first));
        const auto ready = channel.receive();
        ASSERT_TRUE(ready.has_value() && ready->has_value());
    }
    siginfo_t end{};
    ASSERT_EQ(::waitid(P_PIDFD, static_cast<id_t>(child->pidfd()), &end, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(end.si_code, CLD_EXITED);
    EXPECT_EQ(end.si_status, 0);
}

TEST_F(WorkerProgram, StartedByHandItSaysWhatItIs) {
    const int status = std::system(WORKER " media 3<&- 2>/dev/null");
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 2);
}

TEST_F(WorkerProgram, IsReadySoon) {
    for (const WorkerRole role : {WorkerRole::media, WorkerRole::speech}) {
        double total = 0;
        double kill = 0;
        constexpr int kTimes = 3;
        for (int i = 0; i < kTimes; ++i) {
            const auto started = std::chrono::steady_clock::now();
            auto worker = start(role);
            ASSERT_TRUE(worker->wait_ready(Millis{60'000}, {}).has_value());
            total += ms_since(started);
            const auto killed = std::chrono::steady_clock::now();
            worker.reset();
            kill += ms_since(killed);
        }
        std::printf("%s worker: started to ready %.1f ms, kill to reaped %.2f ms, means of %d\n",
                    role == WorkerRole::media ? "media" : "speech", total / kTimes, kill / kTimes,
                    kTimes);
        EXPECT_LT(total / kTimes, 20'000);
    }
}

}  // namespace
}  // namespace durascribe::process
