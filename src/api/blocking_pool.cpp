#include "durascribe/api/blocking_pool.h"

#include <string>
#include <utility>

#include <pthread.h>

namespace durascribe::api {
namespace {

constexpr std::size_t kCrowded = 1024;
constexpr std::chrono::milliseconds kQuick{5};
constexpr std::chrono::seconds kSlowFor{1};

using Steady = std::chrono::steady_clock;

}  // namespace

BlockingPool::BlockingPool(int threads) {
    threads_.reserve(static_cast<std::size_t>(threads));
    for (int i = 0; i < threads; ++i) {
        threads_.emplace_back([this, i] {
            pthread_setname_np(pthread_self(), ("ds-block-" + std::to_string(i)).c_str());
            work();
        });
    }
}

BlockingPool::~BlockingPool() {
    {
        const std::scoped_lock lock{mutex_};
        ending_ = true;
    }
    changed_.notify_all();
}

void BlockingPool::post(Job job) {
    {
        const std::scoped_lock lock{mutex_};
        jobs_.push_back(std::move(job));
    }
    changed_.notify_one();
}

bool BlockingPool::crowded() const {
    const std::scoped_lock lock{mutex_};
    return jobs_.size() >= kCrowded;
}

bool BlockingPool::reads_are_quick() const {
    const Steady::rep until = slow_until_.load(std::memory_order_relaxed);
    return until == 0 || Steady::now().time_since_epoch().count() >= until;
}

void BlockingPool::note_read(Steady::duration took) {
    if (took > kQuick) {
        slow_until_.store((Steady::now() + kSlowFor).time_since_epoch().count(),
                          std::memory_order_relaxed);
    }
}

void BlockingPool::work() {
    std::unique_lock lock{mutex_};
    for (;;) {
        changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
        if (jobs_.empty()) {
            return;
        }
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        job();
        job = nullptr;
        lock.lock();
    }
}

}  // namespace durascribe::api
