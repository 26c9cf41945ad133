// The threads on which the server calls the store and the disk, so that its I/O threads never wait.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace durascribe::api {

// Thread-safe. The queue is bounded by its callers: each connection has at most one job in it, and
// connections are capped. New requests are refused while it is crowded(); work that has begun, such
// as an upload's next bytes, is always taken.
class BlockingPool {
  public:
    explicit BlockingPool(int threads);
    ~BlockingPool();  // does what is queued, then joins
    BlockingPool(const BlockingPool&) = delete;
    BlockingPool& operator=(const BlockingPool&) = delete;

    using Job = std::move_only_function<void()>;
    void post(Job job);
    bool crowded() const;

  private:
    void work();

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    bool ending_ = false;
    std::vector<std::jthread> threads_;
};

}  // namespace durascribe::api
