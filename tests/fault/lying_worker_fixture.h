// Starts lying workers (lying_worker.cpp) and tells what has become of them.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include "durascribe/base/unique_fd.h"
#include "durascribe/process/process_worker.h"

namespace durascribe::process {

inline constexpr domain::AudioSpan kChunk{Millis{30'000}, Millis{60'000}};

inline bool gone(int pid) {
    return ::kill(pid, 0) == -1 && errno == ESRCH;
}

class Stopwatch {
  public:
    std::chrono::microseconds elapsed() const {
        return std::chrono::duration_cast<std::chrono::microseconds>(
            std::chrono::steady_clock::now() - start_);
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class LyingWorkers : public ::testing::Test {
  protected:
    static ProcessWorkerSettings settings(const std::string& mode) {
        ProcessWorkerSettings s;
        s.program = LYING_WORKER;
        s.engine = "lying";
        s.environment = {"LYING_MODE=" + mode};
        s.memory_limit_bytes = kSanitized ? 0 : std::int64_t{256} << 20;
        return s;
    }
    static std::unique_ptr<ports::Worker> start(
        const std::string& mode, ports::WorkerRole role = ports::WorkerRole::speech) {
        auto worker = ProcessWorkerFactory(settings(mode)).start(role);
        EXPECT_TRUE(worker.has_value()) << worker.error().message << worker.error().detail;
        return worker ? std::move(*worker) : nullptr;
    }
    ports::TranscribeJob job() const { return {file_.get(), kChunk, "lying", "one", "en"}; }

    // One run that must fail, leave nothing alive and nothing unreaped, and do so quickly. A limit
    // is one of the run, and not of the start, which takes as long as this machine likes.
    Error failure_of(const std::string& mode, ports::RunControl control = {}) {
        const auto worker = start(mode);
        const int pid = worker->pid();
        if (mode != "never_ready" && !control.stop.stop_requested()) {
            static_cast<void>(worker->wait_ready(Millis{60'000}, control.stop));
        }
        const Stopwatch watch;
        const auto outcome = worker->transcribe(job(), control);
        EXPECT_LT(watch.elapsed(), Millis{30'000}) << mode;
        EXPECT_TRUE(gone(pid)) << mode;
        EXPECT_FALSE(worker->alive()) << mode;
        EXPECT_EQ(worker->pid(), 0) << mode;
        EXPECT_EQ(worker->resident_bytes(), 0) << mode;
        EXPECT_FALSE(outcome.has_value()) << mode;
        return outcome ? Error{} : outcome.error();
    }

#if defined(__has_feature)
    // A sanitizer's shadow memory counts as the process's own.
    static constexpr bool kSanitized =
        __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
    static constexpr bool kSanitized = false;
#endif
    const UniqueFd file_{::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
};

}  // namespace durascribe::process
