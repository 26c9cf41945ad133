#include "durascribe/engine/mailbox.h"

#include <algorithm>
#include <iterator>

namespace durascribe::engine {

Mailbox::Mailbox(std::size_t capacity, std::int64_t seen) : capacity_(capacity), seen_(seen) {}

void Mailbox::put(std::span<const ports::Event> events) {
    const std::scoped_lock lock(mutex_);
    for (const ports::Event& event : events) {
        if (resync_ || event.seq <= seen_) {
            continue;  // in the outbox, or read from there already
        }
        const bool progress = event.type == "task.progress";
        if (progress) {
            if (const auto old = progress_.find(event.task_id.value); old != progress_.end()) {
                waiting_.erase(old->second);
                progress_.erase(old);
            }
        }
        if (waiting_.size() >= capacity_) {
            waiting_.clear();
            progress_.clear();
            resync_ = true;
            continue;
        }
        waiting_.push_back(event);
        if (progress) {
            progress_[event.task_id.value] = std::prev(waiting_.end());
        }
    }
    changed_.notify_all();
}

Mailbox::Mail Mailbox::take(Millis patience, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, patience, [&] { return resync_ || !waiting_.empty(); });
    Mail mail;
    if (resync_) {
        resync_ = false;
        mail.resync_after = seen_;
        return mail;
    }
    mail.events.assign(waiting_.begin(), waiting_.end());
    waiting_.clear();
    progress_.clear();
    if (!mail.events.empty()) {
        seen_ = mail.events.back().seq;
    }
    return mail;
}

void Mailbox::seen_up_to(std::int64_t seq) {
    const std::scoped_lock lock(mutex_);
    seen_ = std::max(seen_, seq);
    while (!waiting_.empty() && waiting_.front().seq <= seen_) {
        if (waiting_.front().type == "task.progress") {
            progress_.erase(waiting_.front().task_id.value);
        }
        waiting_.pop_front();
    }
}

}  // namespace durascribe::engine
