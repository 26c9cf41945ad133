#include "durascribe/engine/spare_worker.h"

#include <utility>

#include "durascribe/base/log.h"
#include "durascribe/engine/model_memory.h"

namespace durascribe::engine {
namespace {

// Without memory for it, or after it failed: it is a convenience, and worth no hurry.
constexpr Millis kAgain{30'000};

}  // namespace

SpareWorker::SpareWorker(ports::WorkerFactory& workers, MemoryAdmission& admission,
                         std::function<std::int64_t()> need)
    : workers_(workers), admission_(admission), need_(std::move(need)) {
    thread_ = std::jthread([this](std::stop_token stop) { loop(stop); });
}

SpareWorker::~SpareWorker() {
    stop();
}

void SpareWorker::want() {
    {
        const std::scoped_lock lock(mutex_);
        if (wanted_) {
            return;
        }
        wanted_ = true;
    }
    changed_.notify_all();
}

std::optional<SpareWorker::Warm> SpareWorker::take() {
    std::optional<Warm> taken;
    {
        const std::scoped_lock lock(mutex_);
        taken = std::exchange(warm_, std::nullopt);
    }
    changed_.notify_all();
    if (taken && !taken->worker->alive()) {
        return std::nullopt;  // it died while it waited
    }
    if (taken) {
        taken->ticket.put_to_work();
    }
    return taken;
}

void SpareWorker::stop() {
    making_.request_stop();
    const std::scoped_lock lock(mutex_);
    warm_.reset();
}

void SpareWorker::loop(std::stop_token stop) {
    const std::stop_token no_more = making_.get_token();
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, no_more, [&] { return wanted_ && !warm_; }) &&
           !no_more.stop_requested()) {
        lock.unlock();
        auto made = make(no_more);
        lock.lock();
        if (made && !no_more.stop_requested()) {
            warm_ = std::move(made);
        } else {
            changed_.wait_for(lock, no_more, kAgain, [] { return false; });
        }
    }
    // The slots' workers would die with this thread, which started them.
    changed_.wait(lock, stop, [] { return false; });
}

std::optional<SpareWorker::Warm> SpareWorker::make(std::stop_token stop) {
    const std::int64_t need = need_();
    auto ticket = admission_.admit_spare(need);
    if (!ticket) {
        return std::nullopt;
    }
    auto worker = workers_.start(ports::WorkerRole::speech);
    if (!worker) {
        log::warning("could not start a spare speech worker: {}", worker.error().message);
        return std::nullopt;
    }
    if (const auto ready = (*worker)->wait_ready(load_within(need), stop); !ready) {
        if (!stop.stop_requested()) {
            log::warning("a spare speech worker did not become ready: {}", ready.error().message);
        }
        return std::nullopt;
    }
    ticket->note_resident((*worker)->resident_bytes());
    return Warm{std::move(*worker), std::move(*ticket)};
}

}  // namespace durascribe::engine
