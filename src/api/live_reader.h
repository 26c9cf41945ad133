// What one listener is sent, in order: a snapshot or a replay, then each event as it is committed.
// The same for server-sent events and WebSockets, which differ only in the wrapping.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "durascribe/api/body_stream.h"
#include "durascribe/api/live_hub.h"
#include "durascribe/api/services.h"

namespace durascribe::api {

struct LiveMessage {
    // Up to which the reader knows all once it has read this; none: a reset.
    std::optional<std::int64_t> seq;
    std::shared_ptr<const std::string> text;
};

// Used by one connection; no two methods at a time. Holds at most one batch beside what is shared.
class LiveReader {
  public:
    // `after` none: begins with a snapshot; 0: with the oldest event that is kept. Where it names
    // what is not kept any more, or was never there: with a "reset", then a snapshot.
    LiveReader(const Services& services, LiveFilter filter, std::optional<std::int64_t> after);

    void start(Wake wake) { wake_ = std::move(wake); }
    // From now on with this filter, beginning as the constructor says.
    void begin_again(LiveFilter filter, std::optional<std::int64_t> after);

    struct Batch {
        std::vector<LiveMessage> messages;
        BodyStream::Then then = BodyStream::Then::wait;
    };
    Batch next();  // on an I/O thread
    Batch work();  // on a blocking thread

    // Up to which everything that matches was given.
    std::int64_t position() const { return listener_ ? listener_->position() : 0; }

  private:
    Result<Batch> open();
    Result<Batch> open_anew();
    Result<Batch> replay();
    Result<void> snapshot(Batch& batch);

    const Services& services_;
    LiveFilter filter_;
    std::optional<std::int64_t> after_;
    Wake wake_;
    std::unique_ptr<LiveHub::Listener> listener_;  // none: open() is due
};

// Whether events after `seq` can be replayed. Errors: request "events_pruned"; the store's.
Result<void> check_replayable(ports::Store& store, std::int64_t seq);

// {type: "snapshot", seq, tasks, truncated, paused, counts} in one line: the tasks that the filter
// names, else those that are active. Blocking.
Result<std::string> snapshot_text(const Services& services, const LiveFilter& filter,
                                  std::int64_t seq);

}  // namespace durascribe::api
