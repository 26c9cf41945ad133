// What a machine with other work takes from a test that measures time.
#pragma once

#include <chrono>
#include <mutex>
#include <stop_token>
#include <thread>

namespace durascribe::testing {

// Since it was made: how long nothing of this process was let run, by how late a thread wakes that
// only sleeps. A limit in time holds for the rest.
class StolenTime {
  public:
    using Clock = std::chrono::steady_clock;

    StolenTime() = default;

    std::chrono::milliseconds so_far() const {
        const std::scoped_lock lock(mutex_);
        return std::chrono::duration_cast<std::chrono::milliseconds>(stolen_ + late());
    }

  private:
    static constexpr std::chrono::milliseconds kStep{5};
    static constexpr std::chrono::milliseconds kLate{15};

    Clock::duration late() const {
        const Clock::duration late = Clock::now() - woke_ - kStep;
        return late > kLate ? late : Clock::duration{0};
    }
    void sleep_and_look(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            std::this_thread::sleep_for(kStep);
            const std::scoped_lock lock(mutex_);
            stolen_ += late();
            woke_ = Clock::now();
        }
    }

    mutable std::mutex mutex_;
    Clock::duration stolen_{0};              // guarded by mutex_
    Clock::time_point woke_ = Clock::now();  // guarded by mutex_
    std::jthread thread_{[this](const std::stop_token& stop) { sleep_and_look(stop); }};
};

}  // namespace durascribe::testing
