// Wakes those who wait for tasks: one subscriber of the event feed for all of them, so that a
// commit costs no more with a thousand that wait than with one.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

#include "durascribe/api/body_stream.h"
#include "durascribe/engine/event_feed.h"

namespace durascribe::api {

// Thread-safe. Outlives every Watching.
class TaskWatch {
  public:
    explicit TaskWatch(engine::EventFeed& feed);  // outlives this
    ~TaskWatch();
    TaskWatch(const TaskWatch&) = delete;
    TaskWatch& operator=(const TaskWatch&) = delete;

    // Ends with its destruction: then `wake` is not running and will not be called.
    class Watching {
      public:
        Watching() = default;
        Watching(Watching&& other) noexcept { *this = std::move(other); }
        Watching& operator=(Watching&& other) noexcept;
        ~Watching();

      private:
        friend class TaskWatch;
        TaskWatch* of_ = nullptr;
        std::string task_;
        std::int64_t number_ = 0;
    };

    enum class What {
        state,        // the task's state has changed
        state_parts,  // or one of its units has ended
    };
    // `wake` is called after each commit that changes it, from the store's thread, under a lock.
    // What was committed before is not told of: look once after this call.
    [[nodiscard]] Watching watch(const TaskId& task, What what, Wake wake);

  private:
    struct Waiting {
        What what;
        Wake wake;
        std::int64_t number;
    };
    void tell(std::span<const ports::Event> events);
    void forget(const std::string& task, std::int64_t number);

    engine::EventFeed& feed_;
    int subscription_ = 0;
    std::mutex mutex_;  // guards what follows; taken under the feed's
    std::unordered_multimap<std::string, Waiting> waiting_;  // by task
    std::int64_t next_number_ = 1;
};

}  // namespace durascribe::api
