#include "durascribe/api/task_watch.h"

#include <utility>

namespace durascribe::api {

TaskWatch::TaskWatch(engine::EventFeed& feed) : feed_(feed) {
    subscription_ = feed_.subscribe([this](std::span<const ports::Event> events) { tell(events); });
}

TaskWatch::~TaskWatch() {
    feed_.unsubscribe(subscription_);
}

TaskWatch::Watching& TaskWatch::Watching::operator=(Watching&& other) noexcept {
    std::swap(of_, other.of_);
    std::swap(task_, other.task_);
    std::swap(number_, other.number_);
    return *this;
}

TaskWatch::Watching::~Watching() {
    if (of_ != nullptr) {
        of_->forget(task_, number_);
    }
}

TaskWatch::Watching TaskWatch::watch(const TaskId& task, What what, Wake wake) {
    Watching watching;
    const std::scoped_lock lock(mutex_);
    watching.of_ = this;
    watching.task_ = task.value;
    watching.number_ = next_number_++;
    waiting_.emplace(task.value, Waiting{what, std::move(wake), watching.number_});
    return watching;
}

void TaskWatch::forget(const std::string& task, std::int64_t number) {
    const std::scoped_lock lock(mutex_);
    const auto [begin, end] = waiting_.equal_range(task);
    for (auto it = begin; it != end; ++it) {
        if (it->second.number == number) {
            waiting_.erase(it);
            return;
        }
    }
}

void TaskWatch::tell(std::span<const ports::Event> events) {
    const std::scoped_lock lock(mutex_);
    if (waiting_.empty()) {
        return;
    }
    for (const ports::Event& event : events) {
        const bool state = event.type == "task.state";
        const bool part = event.type == "unit.completed" || event.type == "unit.failed";
        if (!state && !part) {
            continue;
        }
        const auto [begin, end] = waiting_.equal_range(event.task_id.value);
        for (auto it = begin; it != end; ++it) {
            if (state || it->second.what == What::state_parts) {
                it->second.wake();
            }
        }
    }
}

}  // namespace durascribe::api
