// The waiting events of one subscriber of the EventFeed, bounded.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "durascribe/base/time.h"
#include "durascribe/ports/store.h"

namespace durascribe::engine {

// Thread-safe; one reader. Subscribe put(), then take(): the first answer asks for a resync, so
// that what was committed before is read from the outbox and nothing is missed or seen twice.
class Mailbox {
  public:
    // The reader has seen all events up to `seen`.
    Mailbox(std::size_t capacity, std::int64_t seen);

    // Never waits for the reader. A "task.progress" replaces the waiting one of its task. When
    // full, all that waits is dropped and the reader is told to resync.
    void put(std::span<const ports::Event> events);

    struct Mail {
        std::vector<ports::Event> events;  // by seq
        // Read the outbox (events_after) from this seq to its end, then call seen_up_to(). Where it
        // says "events_pruned": look at what there is now, and call it with the newest event.
        std::optional<std::int64_t> resync_after;
    };
    // Empty when `patience` is over or `stop` was asked for.
    Mail take(Millis patience, std::stop_token stop = {});

    // The reader has read the outbox up to `seq`: what waits of that is dropped.
    void seen_up_to(std::int64_t seq);

  private:
    const std::size_t capacity_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::list<ports::Event> waiting_;
    std::map<std::string, std::list<ports::Event>::iterator> progress_;  // by task
    std::int64_t seen_;
    bool resync_ = true;
};

}  // namespace durascribe::engine
