// Where others wait until a test lets them go on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace durascribe::testing {

// Lets a test hold others in the middle of what they do, a worker in its chunk.
class Gate {
  public:
    static constexpr std::chrono::seconds kWaitMost{20};

    // One comes in and waits; false: it was told to stop.
    bool pass(std::stop_token stop) {
        std::unique_lock lock(mutex_);
        ++inside_;
        changed_.notify_all();
        changed_.wait(lock, stop, [&] { return open_; });
        --inside_;
        changed_.notify_all();
        return open_;
    }
    bool wait_inside(int count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kWaitMost, [&] { return inside_ >= count; });
    }
    void open() {
        const std::scoped_lock lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    int inside_ = 0;
    bool open_ = false;
};

}  // namespace durascribe::testing
