// Lets work that nobody waits for leave the processor to work that somebody waits for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace durascribe::engine {

// Of one thread. pause() is called between small pieces of work, and keeps them to a fifth of the
// time: a pause of four times as long follows whatever took kBurst. A stop ends every pause, so
// that what must still be done is done at once.
class Leisure {
  public:
    explicit Leisure(std::stop_token stop) : stop_(std::move(stop)) {}

    void pause() {
        const auto worked = Clock::now() - since_;
        if (worked < kBurst) {
            return;
        }
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        never.wait_for(lock, stop_, 4 * worked, [] { return false; });
        since_ = Clock::now();
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds kBurst{2};

    const std::stop_token stop_;
    Clock::time_point since_ = Clock::now();
};

}  // namespace durascribe::engine
