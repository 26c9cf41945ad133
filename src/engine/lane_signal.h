// Tells the slots of a lane that a unit may be there to claim. A hint: the claim itself decides.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>

namespace durascribe::engine {

// Thread-safe.
class LaneSignal {
  public:
    // Take a ticket before looking for work; wait() returns at once if notified since.
    std::uint64_t ticket() const {
        const std::scoped_lock lock(mutex_);
        return count_;
    }
    void notify() {
        {
            const std::scoped_lock lock(mutex_);
            ++count_;
        }
        changed_.notify_all();
    }
    // Until notified after `ticket`, or `stop` is asked for.
    void wait(std::uint64_t ticket, std::stop_token stop) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, stop, [&] { return count_ != ticket; });
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::uint64_t count_ = 0;
};

}  // namespace durascribe::engine
