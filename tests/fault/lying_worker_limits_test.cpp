// The limits that hold for every worker: time, stop, the server's own death, and what it inherits.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

extern "C" {  // missing in the header of glibc 2.36
#include <sys/pidfd.h>
}

#include "lying_worker_fixture.h"
#include "stolen_time.h"

namespace durascribe::process {
namespace {

using ports::RunControl;

TEST_F(LyingWorkers, NoProgressIsAStall) {
    RunControl control;
    control.stall_window = Millis{150};
    const Error error = failure_of("hang", control);
    EXPECT_EQ(error.cls, ErrorClass::stall);
    EXPECT_EQ(error.code, "no_progress");
    EXPECT_NE(error.message.find("0.1 s"), std::string::npos) << error.message;
    EXPECT_EQ(failure_of("half_frame_lives", control).cls, ErrorClass::stall);
}

TEST_F(LyingWorkers, AModelThatIsNotLoadedInItsTimeIsNamed) {
    RunControl control;
    control.stall_window = Millis{60'000};
    control.load_window = Millis{150};
    bool told = false;
    control.on_loaded = [&] { told = true; };
    const Error error = failure_of("loads_for_ever", control);
    EXPECT_EQ(error.cls, ErrorClass::stall);
    EXPECT_EQ(error.code, "model_not_loaded");
    EXPECT_NE(error.message.find("not loaded within 0.1 s"), std::string::npos) << error.message;
    EXPECT_FALSE(told);
}

TEST_F(LyingWorkers, AStallIsCountedFromWhenTheModelIsLoaded) {
    RunControl control;
    control.stall_window = Millis{150};
    control.load_window = Millis{60'000};
    int told = 0;
    control.on_loaded = [&] { ++told; };
    EXPECT_EQ(failure_of("loaded_and_hangs", control).code, "no_progress");
    EXPECT_EQ(told, 1);
    EXPECT_EQ(failure_of("no_growth", control).code, "no_progress") << "work tells of it, too";
    EXPECT_EQ(told, 2);
    control.load_window = Millis{0};
    EXPECT_EQ(failure_of("loaded_and_hangs", control).code, "no_progress");
    EXPECT_EQ(told, 2) << "it was loaded before";
    EXPECT_EQ(failure_of("loaded_twice", control).code, "protocol_error");
}

TEST_F(LyingWorkers, ProgressThatDoesNotGrowIsAStall) {
    RunControl control;
    control.stall_window = Millis{500};  // in which the first progress comes
    std::vector<Millis> told;
    control.on_progress = [&](Millis done) { told.push_back(done); };
    for (const char* mode : {"no_growth", "flood_frames"}) {
        told.clear();
        const Error error = failure_of(mode, control);
        EXPECT_EQ(error.cls, ErrorClass::stall) << mode;
        EXPECT_EQ(told.size(), 1U) << mode;
    }
    const std::string message = failure_of("no_growth", control).message;
    for (const char* part :
         {"No progress for 0.5 s", "at 0:00:31 of the recording", "while recognising speech"}) {
        EXPECT_NE(message.find(part), std::string::npos) << part << " in " << message;
    }
}

TEST_F(LyingWorkers, ProgressForEverEndsAtTheDeadline) {
    RunControl control;
    control.stall_window = Millis{2'000};
    control.deadline = Millis{1'000};
    std::vector<Millis> told;
    control.on_progress = [&](Millis done) { told.push_back(done); };
    const Error error = failure_of("growth", control);
    EXPECT_EQ(error.cls, ErrorClass::timeout);
    EXPECT_EQ(error.code, "deadline");
    for (const char* part : {"Not finished within 1.0 s", "at 0:00:3", "while recognising speech",
                             "TRANSCRIPTION_TIMEOUT"}) {
        EXPECT_NE(error.message.find(part), std::string::npos) << part << " in " << error.message;
    }
    EXPECT_GT(told.size(), 3U);
    EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
}

TEST_F(LyingWorkers, TheDeadlineOfADownloadNamesItsOwnSetting) {
    const auto worker = start("growth", ports::WorkerRole::fetch);
    ASSERT_TRUE(worker->wait_ready(Millis{60'000}, {}).has_value());
    RunControl control;
    control.deadline = Millis{300};
    const auto outcome =
        worker->fetch({.url = "http://media.example/", .output_fd = file_.get()}, control);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().cls, ErrorClass::timeout);
    EXPECT_EQ(outcome.error().code, "deadline");
    EXPECT_NE(outcome.error().message.find("IMPORT_TIMEOUT"), std::string::npos)
        << outcome.error().message;
}

TEST_F(LyingWorkers, OneThatNeverGetsReadyIsGivenUp) {
    const auto worker = start("never_ready");
    const int pid = worker->pid();
    const auto ready = worker->wait_ready(Millis{150}, {});
    ASSERT_FALSE(ready.has_value());
    EXPECT_EQ(ready.error().cls, ErrorClass::timeout);
    EXPECT_EQ(ready.error().code, "worker_not_ready");
    EXPECT_TRUE(gone(pid));

    RunControl control;
    control.stall_window = Millis{150};
    EXPECT_EQ(failure_of("never_ready", control).code, "worker_not_ready");
}

TEST_F(LyingWorkers, AStopIsObeyedAtOnce) {
    std::chrono::microseconds longest{0};
    for (int i = 0; i < 20; ++i) {
        const auto worker = start("growth");
        const int pid = worker->pid();
        std::stop_source source;
        std::promise<void> running;
        RunControl control;
        control.stop = source.get_token();
        control.on_progress = [&, told = false](Millis) mutable {
            if (!std::exchange(told, true)) {
                running.set_value();
            }
        };
        Stopwatch since_stop;
        const testing::StolenTime stolen;
        std::jthread stopper([&] {
            running.get_future().wait();
            since_stop = Stopwatch();
            source.request_stop();
        });
        const auto outcome = worker->transcribe(job(), control);
        longest =
            std::max<std::chrono::microseconds>(longest, since_stop.elapsed() - stolen.so_far());
        ASSERT_FALSE(outcome.has_value());
        EXPECT_EQ(outcome.error().cls, ErrorClass::lost);
        EXPECT_EQ(outcome.error().code, "stopped");
        EXPECT_TRUE(gone(pid));
    }
    std::printf("stop requested to worker dead and reaped: %.2f ms, the longest of 20\n",
                static_cast<double>(longest.count()) / 1000);
    EXPECT_LT(longest, Millis{100});
}

TEST_F(LyingWorkers, AStopBeforeTheStartAndWhileWarmingUpIsObeyed) {
    std::stop_source source;
    source.request_stop();
    RunControl control;
    control.stop = source.get_token();
    EXPECT_EQ(failure_of("good", control).code, "stopped");

    const auto worker = start("never_ready");
    const int pid = worker->pid();
    const auto ready = worker->wait_ready(Millis{60'000}, source.get_token());
    ASSERT_FALSE(ready.has_value());
    EXPECT_EQ(ready.error().code, "stopped");
    EXPECT_TRUE(gone(pid));
}

// A server that starts a worker that never looks at its socket, and is killed.
TEST_F(LyingWorkers, AWorkerDiesWithItsServer) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const pid_t server = ::fork();
    ASSERT_GE(server, 0);
    if (server == 0) {
        const auto worker = start("never_ready");
        const int pid = worker->pid();
        static_cast<void>(::write(write_end.get(), &pid, sizeof pid));
        while (true) {
            ::pause();
        }
    }
    write_end.reset();
    int pid = 0;
    ASSERT_EQ(::read(read_end.get(), &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
    const UniqueFd worker(::pidfd_open(pid, 0));
    ASSERT_TRUE(worker.valid());
    pollfd ended{worker.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 0), 0) << "it lives as long as its server";
    ::kill(server, SIGKILL);
    EXPECT_EQ(::poll(&ended, 1, 5'000), 1) << "it outlived its server";
    ::waitpid(server, nullptr, 0);
}

TEST_F(LyingWorkers, NothingOfTheServerIsInherited) {
    const UniqueFd secret(::open("/dev/null", O_RDONLY));  // without close-on-exec, as libraries do
    ASSERT_EQ(::setenv("DURASCRIBE_TEST_SECRET", "1", 1), 0);
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &usr1, nullptr), 0);
    const auto before = ::signal(SIGPIPE, SIG_IGN);

    const auto worker = start("surroundings");
    const auto outcome = worker->transcribe(job(), {});
    ::signal(SIGPIPE, before);
    ::pthread_sigmask(SIG_UNBLOCK, &usr1, nullptr);
    ::unsetenv("DURASCRIBE_TEST_SECRET");

    ASSERT_FALSE(outcome.has_value());
    const std::string& text = outcome.error().message;
    const std::string fds = text.substr(0, text.find('\n'));
    // 0 1 2, the socket, the job's one file, and the directory that is being listed.
    EXPECT_EQ(std::count(fds.begin(), fds.end(), ' '), 6) << text;
    EXPECT_EQ(text.find("DURASCRIBE_TEST_SECRET"), std::string::npos) << text;
    EXPECT_NE(text.find("LYING_MODE"), std::string::npos) << text;
    EXPECT_NE(text.find("core 0 files 64"), std::string::npos) << text;
    EXPECT_NE(text.find("SIGUSR1 open SIGPIPE default"), std::string::npos) << text;
}

TEST_F(LyingWorkers, TwoHundredLivesLeaveNoDescriptorBehind) {
    namespace fs = std::filesystem;
    const auto open_descriptors = [] {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    };
    static_cast<void>(failure_of("exit_zero"));
    const auto before = open_descriptors();
    const Stopwatch watch;
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(start("good")->transcribe(job(), {}).has_value());
        static_cast<void>(failure_of(i % 2 == 0 ? "garbage" : "exit_zero"));
    }
    EXPECT_EQ(open_descriptors(), before);
    std::printf("200 workers started, run and reaped: %.0f ms\n",
                static_cast<double>(watch.elapsed().count()) / 1000);
}

TEST_F(LyingWorkers, AKillIsOverQuickly) {
    std::chrono::microseconds total{0};
    constexpr int kTimes = 50;
    for (int i = 0; i < kTimes; ++i) {
        auto worker = start("hang");
        ASSERT_TRUE(worker->wait_ready(Millis{5'000}, {}).has_value());
        const int pid = worker->pid();
        const testing::StolenTime stolen;
        const Stopwatch watch;
        worker.reset();
        total += watch.elapsed() - stolen.so_far();
        ASSERT_TRUE(gone(pid));
    }
    std::printf("kill to reaped: %.2f ms on average of %d\n",
                static_cast<double>(total.count()) / 1000 / kTimes, kTimes);
    EXPECT_LT(total / kTimes, Millis{50});
}

}  // namespace
}  // namespace durascribe::process
