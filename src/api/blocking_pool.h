// The threads on which the server calls the store and the disk, so that its I/O threads never wait.
#pragma once

#include <atomic>
#include <chrono>
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

    // Whether short reads need no thread of the pool: the hop there and back costs several times
    // what they do. note_read() says how long one took; after one that had to wait for the disk
    // they go to the pool for a second.
    bool reads_are_quick() const;
    void note_read(std::chrono::steady_clock::duration took);

  private:
    void work();

    std::atomic<std::chrono::steady_clock::rep> slow_until_ = 0;  // of the steady clock
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    bool ending_ = false;
    std::vector<std::jthread> threads_;
};

}  // namespace durascribe::api
