// The limits of memory and CPU time, by each mechanism that this machine has.
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

extern "C" {  // missing in the header of glibc 2.36
#include <sys/pidfd.h>
}

#include "lying_worker_fixture.h"
#include "stolen_time.h"

namespace durascribe::process {
namespace {

namespace fs = std::filesystem;

// Groups of the workers of a server, in all places.
int groups_left(int server = ::getpid()) {
    const GroupPlaces places = find_group_places();
    const std::string ours = "durascribe-worker-" + std::to_string(server) + "-";
    int count = 0;
    for (const auto* place : {&places.memory, &places.cpu}) {
        if (*place) {
            for (const auto& entry : fs::directory_iterator((*place)->directory)) {
                count += entry.path().filename().string().starts_with(ours) ? 1 : 0;
            }
        }
    }
    return count;
}

// Looks how much of a process is in memory, and notes when that was first as much as `bytes`.
class Grown {
  public:
    Grown(int pid, std::int64_t bytes)
        : thread_([this, pid, bytes](const std::stop_token& stop) {
              while (!stop.stop_requested() && resident(pid) < bytes) {
                  ::poll(nullptr, 0, 1);  // between two looks
              }
              watch_ = Stopwatch();
          }) {}
    // Since then; nothing where it never was. Ends the looking.
    std::chrono::microseconds since() {
        thread_.request_stop();
        thread_.join();
        return watch_.elapsed();
    }

  private:
    static std::int64_t resident(int pid) {
        std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
        std::int64_t total = 0;
        std::int64_t pages = 0;
        return statm >> total >> pages ? pages * ::sysconf(_SC_PAGESIZE) : 0;
    }

    Stopwatch watch_;
    std::jthread thread_;
};

class Resources : public LyingWorkers, public ::testing::WithParamInterface<MemoryLimitBy> {
  protected:
    // Empty: it can be tested here.
    static std::string reason_to_skip() {
        if (kSanitized) {
            return "the memory limit is off under a sanitizer";
        }
        ProcessWorkerFactory factory(limited("good"));
        return GetParam() == MemoryLimitBy::control_group && !factory.limits().places.memory
                   ? "no memory control group can be made here"
                   : "";
    }
    // RLIMIT_DATA refuses the memory, so that the worker itself says so.
    static std::string found_by() {
        switch (GetParam()) {
            case MemoryLimitBy::best:
            case MemoryLimitBy::control_group:
                return "found by the control group";
            case MemoryLimitBy::data_size:
                return "found by the worker";
            case MemoryLimitBy::watchdog:
                return "found by the watchdog";
        }
        return "";
    }
    static ProcessWorkerSettings limited(const std::string& mode) {
        ProcessWorkerSettings s = settings(mode);
        s.memory_limit_by = GetParam();
        return s;
    }
};

TEST_P(Resources, OneThatGrowsPastItsLimitIsKilledWithinASecond) {
    if (const auto reason = reason_to_skip(); !reason.empty()) {
        GTEST_SKIP() << reason;
    }
    std::optional<ProcessWorkerFactory> factory(limited("grows"));
    auto worker = factory->start(ports::WorkerRole::speech);
    ASSERT_TRUE(worker.has_value()) << worker.error().message;
    ASSERT_TRUE((*worker)->wait_ready(Millis{5'000}, {}).has_value());
    const int pid = (*worker)->pid();
    ports::RunControl control;
    control.stall_window = Millis{5'000};  // of a worker that nothing stopped
    const testing::StolenTime stolen;
    Grown grown(pid, std::int64_t{240} << 20);  // as fast as this machine lets it
    const auto outcome = (*worker)->transcribe(job(), control);
    const auto took = std::max<std::chrono::microseconds>(grown.since() - stolen.so_far(), {});
    ASSERT_FALSE(outcome.has_value());
    const Error& error = outcome.error();
    std::printf("%s: dead after %.0f ms: %s\n", factory->limits().text().c_str(),
                static_cast<double>(took.count()) / 1000, error.message.c_str());
    EXPECT_EQ(error.cls, ErrorClass::memory);
    EXPECT_EQ(error.code, "memory_limit");
    for (const char* part :
         {"256 MB", "after ", "at 0:00:30 of the recording", "MAX_MEMORY_PER_TRANSCRIPTION"}) {
        EXPECT_NE(error.message.find(part), std::string::npos) << part;
    }
    EXPECT_TRUE(error.detail.starts_with(found_by())) << error.detail;
    EXPECT_LT(took, Millis{1'000});
    EXPECT_TRUE(gone(pid));
    factory.reset();
    EXPECT_EQ(groups_left(), 0);
}

// Nobody waits for a worker between its units or while it warms up: the kernel's own limit holds
// it then, and the slot finds it dead before it gives it a unit.
TEST_P(Resources, OneThatGrowsWhileNobodyWaitsForItIsHeldByTheKernel) {
    if (const auto reason = reason_to_skip(); !reason.empty()) {
        GTEST_SKIP() << reason;
    }
    if (GetParam() == MemoryLimitBy::watchdog) {
        GTEST_SKIP() << "the watchdog is never alone: where no group can be had, RLIMIT_DATA holds";
    }
    auto worker = ProcessWorkerFactory(limited("grows_idle")).start(ports::WorkerRole::speech);
    ASSERT_TRUE(worker.has_value()) << worker.error().message;
    const UniqueFd process(::pidfd_open((*worker)->pid(), 0));
    ASSERT_TRUE(process.valid());
    ASSERT_TRUE((*worker)->wait_ready(Millis{5'000}, {}).has_value());
    pollfd ended{process.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&ended, 1, 20'000), 1);
    EXPECT_FALSE((*worker)->alive());
    worker->reset();
    EXPECT_EQ(groups_left(), 0);
}

TEST_P(Resources, AMappedFileLargerThanTheLimitIsNoBreach) {
    if (const auto reason = reason_to_skip(); !reason.empty()) {
        GTEST_SKIP() << reason;
    }
    // On a disk, as models are: what lies in tmpfs is memory. 320 MB against a limit of 256.
    std::string name = fs::current_path() / "mapped_XXXXXX";
    const UniqueFd file(::mkstemp(name.data()));
    ASSERT_TRUE(file.valid());
    fs::remove(name);
    const std::string piece(1U << 20, 'm');
    for (int i = 0; i < 320; ++i) {
        ASSERT_EQ(::write(file.get(), piece.data(), piece.size()),
                  static_cast<ssize_t>(piece.size()));
    }
    auto worker = ProcessWorkerFactory(limited("touches_mapped")).start(ports::WorkerRole::speech);
    ASSERT_TRUE(worker.has_value());
    ports::TranscribeJob with_file = job();
    with_file.pcm_fd = file.get();
    const auto outcome = (*worker)->transcribe(with_file, {});
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
    worker->reset();
    EXPECT_EQ(groups_left(), 0);
}

INSTANTIATE_TEST_SUITE_P(By, Resources,
                         ::testing::Values(MemoryLimitBy::control_group, MemoryLimitBy::data_size,
                                           MemoryLimitBy::watchdog),
                         [](const auto& tested) {
                             switch (tested.param) {
                                 case MemoryLimitBy::best:
                                     return "best";
                                 case MemoryLimitBy::control_group:
                                     return "control_group";
                                 case MemoryLimitBy::data_size:
                                     return "data_size";
                                 case MemoryLimitBy::watchdog:
                                     return "watchdog";
                             }
                             return "";
                         });

TEST_F(LyingWorkers, WhatAKilledServerLeftIsRemovedAtTheNextStart) {
    const GroupPlaces places = ProcessWorkerFactory(settings("good")).limits().places;
    if (!places.memory && !places.cpu) {
        GTEST_SKIP() << "no control group can be made here";
    }
    const pid_t server = ::fork();
    ASSERT_GE(server, 0);
    if (server == 0) {
        const auto worker = start("never_ready");
        ::raise(groups_left(::getpid()) > 0 ? SIGKILL : SIGABRT);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(server, &status, 0), server);
    // Another server that starts just now removes them as well.
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "it had no groups";
    // The worker dies with its server; a group can go when it has been reaped.
    const Stopwatch watch;
    while (groups_left(server) > 0 && watch.elapsed() < Millis{5'000}) {
        WorkerGroup::remove_leftovers(places);
        std::this_thread::yield();
    }
    EXPECT_EQ(groups_left(server), 0);
}

// Nothing works on a unit any more when its worker is said to be dead.
TEST_F(LyingWorkers, WhatAWorkerHasStartedDiesWithIt) {
    const ProcessWorkerFactory factory(settings("leaves_a_child"));
    if (!factory.limits().places.memory && !factory.limits().places.cpu) {
        GTEST_SKIP() << "no control group can be made here";
    }
    auto worker = start("leaves_a_child");
    const auto outcome = worker->transcribe(job(), {});
    ASSERT_FALSE(outcome.has_value());
    ASSERT_EQ(outcome.error().code, "child_left") << outcome.error().message;
    const int child = std::stoi(outcome.error().message);
    EXPECT_EQ(::kill(child, 0), 0);
    const UniqueFd process(::pidfd_open(child, 0));
    worker.reset();
    pollfd ended{process.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 0), 1) << "it lives on";
    EXPECT_EQ(groups_left(), 0);
}

class CpuShare : public LyingWorkers, public ::testing::WithParamInterface<double> {
  protected:
    // Milliseconds of CPU time that a worker gets in one second.
    int cpu_ms(double cores) const {
        ProcessWorkerSettings s = settings(GetParam() < 1 ? "computes" : "computes_on_two");
        s.cpu_limit = cores;
        s.niceness = 0;
        auto worker = ProcessWorkerFactory(s).start(ports::WorkerRole::speech);
        EXPECT_TRUE(worker.has_value());
        const auto outcome = (*worker)->transcribe(job(), {});
        return outcome ? -1 : std::stoi(outcome.error().message);
    }
};

TEST_P(CpuShare, IsKeptWhereAWorkerWithoutOneGetsMore) {
    const double share = GetParam();
    ProcessWorkerSettings s = settings("good");
    s.cpu_limit = share;
    if (!ProcessWorkerFactory(s).limits().places.cpu) {
        GTEST_SKIP() << "no CPU control group can be made here";
    }
    const int allowed = static_cast<int>(share * 1'000) + 60;  // a period more at either end
    int unlimited = 0;
    for (int round = 0; round < 3; ++round) {
        int limited = 0;
        if (share < 1) {
            const std::jthread beside([&] { limited = cpu_ms(share); });
            unlimited = cpu_ms(0);
        } else {  // one after the other: together they would want more cores than there may be
            limited = cpu_ms(share);
            unlimited = cpu_ms(0);
        }
        std::printf("CPU time in one second: %d ms under %.1f, %d ms beside it without\n", limited,
                    share, unlimited);
        EXPECT_GT(limited, 0);
        EXPECT_LE(limited, allowed);
        EXPECT_EQ(groups_left(), 0);
        // On a busy machine one without a limit may get no more: then nothing can be told.
        if (unlimited > allowed + 50) {
            return;
        }
    }
    GTEST_SKIP() << "the machine is too busy to compare: " << unlimited << " ms without a limit";
}

INSTANTIATE_TEST_SUITE_P(Of, CpuShare, ::testing::Values(1.0, 0.5, 0.1), [](const auto& tested) {
    return tested.param < 0.3 ? "a_tenth" : tested.param < 1 ? "a_half" : "one";
});

}  // namespace
}  // namespace durascribe::process
