// Units that wait for room on the disk, and how much each needs: so that none of them is tried
// before it fits, and each is as soon as it does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "durascribe/base/ids.h"

namespace durascribe::engine {

// Thread-safe. A process that ends forgets them: at the next start each looks itself
// (ports::Store::recover).
class RoomWaiters {
  public:
    // `added` is called after each add(), on its thread: there may be room by then.
    explicit RoomWaiters(std::function<void()> added) : added_(std::move(added)) {}

    // Its wait is in the store by now.
    void add(UnitId unit, std::int64_t bytes) {
        {
            const std::scoped_lock lock(mutex_);
            std::erase_if(waiters_, [&](const Waiter& w) { return w.unit == unit; });
            waiters_.push_back({unit, bytes});
        }
        added_();
    }

    bool empty() const {
        const std::scoped_lock lock(mutex_);
        return waiters_.empty();
    }

    // Those that fit beside each other, the longest waiting first; they wait here no longer.
    std::vector<UnitId> take_fitting(std::int64_t free_bytes) {
        const std::scoped_lock lock(mutex_);
        std::vector<UnitId> fitting;
        std::erase_if(waiters_, [&](const Waiter& w) {
            if (w.bytes > free_bytes) {
                return false;
            }
            free_bytes -= w.bytes;
            fitting.push_back(w.unit);
            return true;
        });
        return fitting;
    }

  private:
    struct Waiter {
        UnitId unit;
        std::int64_t bytes;
    };
    const std::function<void()> added_;
    mutable std::mutex mutex_;
    std::vector<Waiter> waiters_;  // in the order in which they came
};

}  // namespace durascribe::engine
