// Tells threads of this process what the store has committed. The events themselves are in the
// store's outbox: a reader that fell behind reads them from there.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>

#include "durascribe/base/time.h"
#include "durascribe/ports/store.h"

namespace durascribe::engine {

// Thread-safe.
class EventFeed {
  public:
    // Called by the engine after each commit.
    void publish(std::span<const ports::Event> events);

    // The sequence number of the newest event known here; 0 before the first.
    std::int64_t newest() const;

    // Blocks until an event after `seq` was committed, `patience` is over or `stop` was asked for;
    // returns newest().
    std::int64_t wait_after(std::int64_t seq, Millis patience, std::stop_token stop = {});

    // `subscriber` is called after each commit on the store's thread: it must be quick and must not
    // call the store (post to your own executor). Returned id ends it; after unsubscribe() returns,
    // the subscriber is not running and will not be called.
    using Subscriber = std::function<void(std::span<const ports::Event>)>;
    int subscribe(Subscriber subscriber);
    void unsubscribe(int id);

  private:
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::int64_t newest_ = 0;
    int next_id_ = 1;
    std::map<int, Subscriber> subscribers_;
};

}  // namespace durascribe::engine
