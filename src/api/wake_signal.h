// Lets a coroutine wait until any thread says that there is something to look at.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "durascribe/api/body_stream.h"

namespace durascribe::api {

// Of one waiting coroutine, on one strand. Co-owned by that coroutine and by what may wake it, of
// which each holds a reference until its post has run.
class WakeSignal : public std::enable_shared_from_this<WakeSignal> {
  public:
    explicit WakeSignal(const boost::asio::any_io_executor& strand) : timer_(strand) {}

    // Any thread: only posts, and only where no post is under way.
    void wake() {
        if (!posted_.exchange(true)) {
            boost::asio::post(timer_.get_executor(), [self = shared_from_this()] {
                self->posted_ = false;
                self->wake_here();
            });
        }
    }
    Wake waker() {
        return [self = shared_from_this()] { self->wake(); };
    }

    // What follows: on the strand alone.
    void wake_here() {
        set_ = true;
        timer_.cancel();
    }
    // Returns at the next wake, or at once after one since the last wait; false: patience is over.
    boost::asio::awaitable<bool> wait(std::optional<std::chrono::milliseconds> patience) {
        if (!set_) {
            if (patience) {
                timer_.expires_after(*patience);
            } else {
                timer_.expires_at(std::chrono::steady_clock::time_point::max());
            }
            // Whatever it says, set_ says what happened.
            co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        }
        co_return std::exchange(set_, false);
    }

  private:
    boost::asio::steady_timer timer_;
    std::atomic<bool> posted_ = false;
    bool set_ = false;
};

}  // namespace durascribe::api
