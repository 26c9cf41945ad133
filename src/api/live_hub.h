// Brings each committed event to all who listen: made into text once, kept for a while, and read by
// each listener at its own pace. What a listener was too slow for, it reads from the outbox.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "durascribe/api/body_stream.h"
#include "durascribe/api/live_filter.h"
#include "durascribe/base/time.h"
#include "durascribe/engine/engine.h"

namespace durascribe::api {

// One event as it is sent; shared by those that are sending it.
struct LiveEvent {
    std::int64_t seq = 0;
    std::string type;
    std::string media;
    std::string task;
    std::shared_ptr<const std::string> text;  // one line of JSON
};

// The texts of a batch of events in order. The last event of a task also says how the task stands
// now. Blocking.
std::vector<LiveEvent> live_events(engine::Engine& engine, std::vector<ports::Event> events);

// Leaves out each "task.progress" that a later one of the same task, in the same list, overtakes.
void drop_overtaken_progress(std::vector<LiveEvent>& events);

// Thread-safe. Owner: the server. One thread of its own, ds-live, from start() to stop().
class LiveHub {
  public:
    static constexpr std::size_t kKeptEvents = 2048;
    static constexpr std::size_t kKeptBytes = 4 << 20;
    static constexpr std::size_t kBatchBytes = 64 << 10;  // what one listener takes at a time

    LiveHub(engine::Engine& engine, ports::Store& store);
    ~LiveHub();  // stop(); no listener is left
    LiveHub(const LiveHub&) = delete;
    LiveHub& operator=(const LiveHub&) = delete;

    Result<void> start();  // errors: the store's
    void stop();

    // Its methods are called from one thread at a time. A listener is idle (it has all there is for
    // it, and is woken by the next event that matches) or at work (from a wake until take() gives
    // nothing).
    class Listener {
      public:
        ~Listener();
        Listener(const Listener&) = delete;
        Listener& operator=(const Listener&) = delete;

        struct Batch {
            std::vector<LiveEvent> events;
            bool behind = false;  // read the outbox from position() on, then call moved_to()
        };
        // What comes next, at most kBatchBytes or one event. Says by being called that what the
        // last call gave has been handed to the socket. Empty: the listener is idle.
        Batch take();
        std::int64_t position() const;    // all up to this event was taken, or did not match
        void moved_to(std::int64_t seq);  // all up to `seq` was taken from elsewhere

      private:
        friend class LiveHub;
        Listener(LiveHub& hub, std::int64_t after, LiveFilter filter, Wake wake);
        LiveHub& hub_;
        // Guarded by the hub's mutex.
        const Wake wake_;
        const LiveFilter filter_;
        std::int64_t position_;
        std::int64_t sent_;
        bool idle_ = false;
        // Began in the past, or once kept an answer waiting: none waits for it until it is idle.
        bool slow_ = false;
    };
    // Of what comes after the event `after`.
    std::unique_ptr<Listener> listen(std::int64_t after, LiveFilter filter, Wake wake);

    // Blocks until what has been committed so far was handed to the sockets of all listeners that
    // keep up, or until `patience` is over.
    void settle(Millis patience);

  private:
    struct Settling {
        std::int64_t seq = 0;
        std::unordered_set<const Listener*> missing;
    };

    void run(const std::stop_token& stop);
    std::vector<LiveEvent> read(std::int64_t after, bool& whole);
    void publish(std::vector<LiveEvent> events, std::int64_t up_to, bool whole);
    void note_sent(const Listener& listener);  // under the lock

    engine::Engine& engine_;
    ports::Store& store_;
    std::mutex mutex_;  // guards what follows
    std::condition_variable changed_;
    std::deque<LiveEvent> kept_;
    std::size_t kept_bytes_ = 0;
    std::int64_t kept_after_ = 0;  // every event after this one and up to taken_ is kept
    std::int64_t taken_ = 0;
    std::unordered_set<Listener*> listeners_;
    std::list<Settling> settling_;
    std::jthread thread_;
};

}  // namespace durascribe::api
