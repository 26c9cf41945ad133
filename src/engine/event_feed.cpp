#include "durascribe/engine/event_feed.h"

#include <algorithm>
#include <utility>

namespace durascribe::engine {

void EventFeed::publish(std::span<const ports::Event> events) {
    if (events.empty()) {
        return;
    }
    const std::scoped_lock lock(mutex_);
    newest_ = std::max(newest_, events.back().seq);
    // Under the lock, so that unsubscribe() can promise silence; subscribers only post elsewhere.
    for (const auto& [id, subscriber] : subscribers_) {
        subscriber(events);
    }
    changed_.notify_all();
}

std::int64_t EventFeed::newest() const {
    const std::scoped_lock lock(mutex_);
    return newest_;
}

std::int64_t EventFeed::wait_after(std::int64_t seq, Millis patience, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, patience, [&] { return newest_ > seq; });
    return newest_;
}

int EventFeed::subscribe(Subscriber subscriber) {
    const std::scoped_lock lock(mutex_);
    const int id = next_id_++;
    subscribers_.emplace(id, std::move(subscriber));
    return id;
}

void EventFeed::unsubscribe(int id) {
    const std::scoped_lock lock(mutex_);
    subscribers_.erase(id);
}

}  // namespace durascribe::engine
