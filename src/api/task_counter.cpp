#include "durascribe/api/task_counter.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <pthread.h>
#include <boost/json.hpp>

#include "durascribe/base/log.h"

namespace durascribe::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kWaitingMax = 4'096;  // events; beyond it they are read from the outbox
constexpr int kBatch = 500;
constexpr Millis kPatience{3'600'000};

std::string_view text_in(const json::object& object, const char* key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string()
               ? std::string_view{value->get_string().data(), value->get_string().size()}
               : std::string_view{};
}

std::optional<metrics::Seconds> between(const std::optional<WallTime>& from,
                                        const std::optional<WallTime>& to) {
    return from && to ? std::optional<metrics::Seconds>{*to - *from} : std::nullopt;
}

}  // namespace

TaskCounter::TaskCounter(engine::Engine& engine, ports::Store& store, metrics::Metrics& metrics)
    : engine_(engine), store_(store), metrics_(metrics) {}

TaskCounter::~TaskCounter() {
    stop();
}

Result<void> TaskCounter::start() {
    const auto range = store_.event_range();
    if (!range) {
        return std::unexpected(range.error());
    }
    mailbox_ = std::make_unique<engine::Mailbox>(kWaitingMax, range->second);
    subscription_ = engine_.feed().subscribe([this](std::span<const ports::Event> events) {
        for (const ports::Event& event : events) {
            if (event.type == "task.state") {
                mailbox_->put({&event, 1});
            }
        }
    });
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
    return {};
}

void TaskCounter::stop() {
    if (!thread_.joinable()) {
        return;
    }
    engine_.feed().unsubscribe(subscription_);
    thread_.request_stop();
    thread_.join();
}

void TaskCounter::run(std::stop_token stop) {
    pthread_setname_np(pthread_self(), "ds-metrics");
    while (!stop.stop_requested()) {
        const auto mail = mailbox_->take(kPatience, stop);
        if (mail.resync_after) {
            catch_up(*mail.resync_after, stop);
        }
        for (const ports::Event& event : mail.events) {
            count(event);
        }
    }
}

void TaskCounter::catch_up(std::int64_t after, std::stop_token stop) {
    while (!stop.stop_requested()) {
        const auto events = store_.events_after(after, kBatch);
        if (!events) {
            const auto range = store_.event_range();
            log::warning("Some tasks are not in the metrics: {}", events.error().message);
            mailbox_->seen_up_to(range ? range->second : after);
            return;
        }
        if (events->empty()) {
            mailbox_->seen_up_to(after);
            return;
        }
        for (const ports::Event& event : *events) {
            if (event.type == "task.state") {
                count(event);
            }
            after = event.seq;
        }
    }
}

void TaskCounter::count(const ports::Event& event) {
    boost::system::error_code bad;
    const json::value payload = json::parse(event.payload, bad);
    if (bad || !payload.is_object()) {
        return;
    }
    const json::object& told = payload.get_object();
    const auto state = domain::task_state_from(text_in(told, "state"));
    if (!state) {
        return;
    }
    if (*state == domain::TaskState::processing) {
        const auto row = store_.task(event.task_id);
        // The first start of all, not that of a later step or after a retry.
        if (row && row->started_at == event.at) {
            if (const auto waited = between(row->created_at, row->started_at)) {
                metrics_.task_started(*waited);
            }
        }
        return;
    }
    if (!domain::is_terminal(*state)) {
        return;
    }
    std::optional<metrics::Seconds> took;
    if (*state == domain::TaskState::completed || *state == domain::TaskState::partial_failure) {
        if (const auto row = store_.task(event.task_id)) {  // unless it is deleted by now
            took = between(row->started_at, event.at);
        }
    }
    metrics_.task_ended(*state, took);
}

}  // namespace durascribe::api
