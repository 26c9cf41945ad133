#include "durascribe/api/live_hub.h"

#include <algorithm>
#include <limits>
#include <ranges>
#include <unordered_map>
#include <utility>

#include <pthread.h>

#include <boost/json.hpp>

#include "durascribe/api/json_text.h"
#include "durascribe/api/shapes.h"
#include "durascribe/base/log.h"

namespace durascribe::api {
namespace {

constexpr int kReadAtOnce = 256;
constexpr std::size_t kViewsAtOnce = 16;  // of tasks; more in one batch: the events alone
constexpr Millis kFeedPatience{60'000};

json::value id_or_null(const std::string& id) {
    return id.empty() ? json::value(nullptr) : json::value(id);
}

json::object event_shape(const ports::Event& event) {
    json::object out;
    out["type"] = event.type;
    out["seq"] = event.seq;
    out["at"] = to_rfc3339(event.at);
    out["media_id"] = id_or_null(event.media_id.value);
    out["task_id"] = id_or_null(event.task_id.value);
    json::error_code ec;
    out["data"] = json::parse(event.payload, ec);
    if (ec) {
        log::error("Event {} has a payload that is not JSON.", event.seq);
        out["data"] = nullptr;
    }
    return out;
}

// The last event of each task, by its place in the list.
std::unordered_map<std::size_t, TaskId> last_of_each_task(const std::vector<ports::Event>& events) {
    std::unordered_map<std::string, std::size_t> last;
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (!events[i].task_id.value.empty()) {
            last[events[i].task_id.value] = i;
        }
    }
    std::unordered_map<std::size_t, TaskId> out;
    if (last.size() <= kViewsAtOnce) {
        for (const auto& [task, at] : last) {
            out.emplace(at, TaskId{task});
        }
    }
    return out;
}

}  // namespace

std::vector<LiveEvent> live_events(engine::Engine& engine, std::vector<ports::Event> events) {
    const auto viewed = last_of_each_task(events);
    std::vector<LiveEvent> out;
    out.reserve(events.size());
    for (std::size_t i = 0; i < events.size(); ++i) {
        ports::Event& event = events[i];
        json::object shape = event_shape(event);
        if (const auto found = viewed.find(i); found != viewed.end()) {
            // A task deleted meanwhile has no view.
            if (const auto view = engine.view(found->second)) {
                shape["status"] = status_shape(view->row.media_id, *view, Dialect::current);
            }
        }
        out.push_back({event.seq, std::move(event.type), std::move(event.media_id.value),
                       std::move(event.task_id.value),
                       std::make_shared<const std::string>(json_line(shape))});
    }
    return out;
}

void drop_overtaken_progress(std::vector<LiveEvent>& events) {
    std::unordered_set<std::string> seen;
    std::vector<LiveEvent> kept;
    for (LiveEvent& event : std::views::reverse(events)) {
        if (event.type != "task.progress" || seen.insert(event.task).second) {
            kept.push_back(std::move(event));
        }
    }
    std::ranges::reverse(kept);
    events = std::move(kept);
}

// ---- the hub ----------------------------------------------------------------------------------

LiveHub::LiveHub(engine::Engine& engine, ports::Store& store) : engine_(engine), store_(store) {}

LiveHub::~LiveHub() {
    stop();
    DURASCRIBE_ASSERT(listeners_.empty());
}

Result<void> LiveHub::start() {
    const auto range = store_.event_range();
    if (!range) {
        return std::unexpected(range.error());
    }
    taken_ = kept_after_ = range->second;
    thread_ = std::jthread{[this](const std::stop_token& stop) {
        pthread_setname_np(pthread_self(), "ds-live");
        run(stop);
    }};
    return {};
}

void LiveHub::stop() {
    thread_ = {};  // asks it to end, and joins
}

void LiveHub::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        std::int64_t taken = 0;
        {
            const std::scoped_lock lock{mutex_};
            taken = taken_;
        }
        const std::int64_t newest = engine_.feed().wait_after(taken, kFeedPatience, stop);
        if (newest <= taken || stop.stop_requested()) {
            continue;
        }
        bool listened_to = false;
        {
            const std::scoped_lock lock{mutex_};
            listened_to = !listeners_.empty();
        }
        bool whole = false;
        std::vector<LiveEvent> events;
        if (listened_to) {
            events = read(taken, whole);
        }
        const bool some = whole && !events.empty();
        const std::int64_t up_to = some ? events.back().seq : newest;
        publish(std::move(events), up_to, whole);
    }
}

// `whole` false: it could not be read here; listeners read for themselves, and see why.
std::vector<LiveEvent> LiveHub::read(std::int64_t after, bool& whole) {
    auto events = store_.events_after(after, kReadAtOnce);
    whole = events.has_value();
    if (!whole) {
        log::warning("Events after {} could not be read: {}", after, events.error().message);
        return {};
    }
    return live_events(engine_, std::move(*events));
}

void LiveHub::publish(std::vector<LiveEvent> events, std::int64_t up_to, bool whole) {
    const std::scoped_lock lock{mutex_};
    taken_ = std::max(taken_, up_to);
    if (!whole) {
        kept_.clear();
        kept_bytes_ = 0;
        kept_after_ = taken_;
    }
    for (Listener* listener : listeners_) {
        if (!listener->idle_) {
            continue;  // it looks again by itself
        }
        const bool wanted =
            !whole || std::ranges::any_of(events, [listener](const LiveEvent& event) {
                return listener->filter_.matches(event.media, event.task, event.type);
            });
        if (wanted) {
            listener->idle_ = false;
            listener->wake_();
        } else {
            // One that began with a snapshot may be ahead of the hub.
            listener->position_ = std::max(listener->position_, taken_);
            listener->sent_ = listener->position_;
        }
    }
    for (LiveEvent& event : events) {
        kept_bytes_ += event.text->size();
        kept_.push_back(std::move(event));
    }
    while (kept_.size() > kKeptEvents || kept_bytes_ > kKeptBytes) {
        kept_bytes_ -= kept_.front().text->size();
        kept_after_ = kept_.front().seq;
        kept_.pop_front();
    }
    changed_.notify_all();
}

// ---- listeners --------------------------------------------------------------------------------

std::unique_ptr<LiveHub::Listener> LiveHub::listen(std::int64_t after, LiveFilter filter,
                                                   Wake wake) {
    std::unique_ptr<Listener> listener{
        new Listener(*this, after, std::move(filter), std::move(wake))};
    const std::scoped_lock lock{mutex_};
    listener->slow_ = after < taken_;
    listeners_.insert(listener.get());
    return listener;
}

LiveHub::Listener::Listener(LiveHub& hub, std::int64_t after, LiveFilter filter, Wake wake)
    : hub_(hub),
      wake_(std::move(wake)),
      filter_(std::move(filter)),
      position_(after),
      sent_(after) {}

LiveHub::Listener::~Listener() {
    const std::scoped_lock lock{hub_.mutex_};
    hub_.listeners_.erase(this);
    sent_ = std::numeric_limits<std::int64_t>::max();
    hub_.note_sent(*this);
}

LiveHub::Listener::Batch LiveHub::Listener::take() {
    const std::scoped_lock lock{hub_.mutex_};
    sent_ = position_;
    Batch batch;
    if (position_ < hub_.kept_after_) {
        batch.behind = true;
        hub_.note_sent(*this);
        return batch;
    }
    auto next = std::ranges::upper_bound(hub_.kept_, position_, {}, &LiveEvent::seq);
    std::size_t bytes = 0;
    for (; next != hub_.kept_.end(); ++next) {
        if (filter_.matches(next->media, next->task, next->type)) {
            bytes += next->text->size();
            if (bytes > kBatchBytes && !batch.events.empty()) {
                break;
            }
            batch.events.push_back(*next);
        }
        position_ = next->seq;
    }
    if (batch.events.empty()) {
        position_ = std::max(position_, hub_.taken_);
        sent_ = position_;
        idle_ = true;
        slow_ = false;
    } else if (batch.events.size() > 1) {
        drop_overtaken_progress(batch.events);
    }
    hub_.note_sent(*this);
    return batch;
}

std::int64_t LiveHub::Listener::position() const {
    const std::scoped_lock lock{hub_.mutex_};
    return position_;
}

void LiveHub::Listener::moved_to(std::int64_t seq) {
    const std::scoped_lock lock{hub_.mutex_};
    position_ = std::max(position_, seq);
}

// ---- settling ---------------------------------------------------------------------------------

void LiveHub::settle(Millis patience) {
    const std::int64_t seq = engine_.feed().newest();
    const auto until = std::chrono::steady_clock::now() + patience;
    std::unique_lock lock{mutex_};
    if (listeners_.empty() || !changed_.wait_until(lock, until, [&] { return taken_ >= seq; })) {
        return;
    }
    const auto settling = settling_.insert(settling_.end(), {seq, {}});
    for (const Listener* listener : listeners_) {
        if (!listener->idle_ && !listener->slow_ && listener->sent_ < seq) {
            settling->missing.insert(listener);
        }
    }
    if (!changed_.wait_until(lock, until, [&] { return settling->missing.empty(); })) {
        for (Listener* listener : listeners_) {
            listener->slow_ = listener->slow_ || settling->missing.contains(listener);
        }
    }
    settling_.erase(settling);
}

void LiveHub::note_sent(const Listener& listener) {
    bool done = false;
    for (Settling& settling : settling_) {
        if (listener.sent_ >= settling.seq && settling.missing.erase(&listener) > 0) {
            done = done || settling.missing.empty();
        }
    }
    if (done) {
        changed_.notify_all();
    }
}

}  // namespace durascribe::api
