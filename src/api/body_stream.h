// A body that is made while it is sent: its length is not known, and what comes next may take long.
#pragma once

#include <functional>
#include <string>

namespace durascribe::api {

// Asked for as the socket's buffer in the kernel where what is sent has no end.
inline constexpr int kLiveSendBuffer = 64 << 10;

// Says that there is something to look at. Any thread, any number of times, also under locks: it
// only posts. Calls before the look are one.
using Wake = std::function<void()>;

// Owner: the connection, which destroys it on an I/O thread when the body has ended, when the
// client has gone, or at shutdown. Its methods are called one at a time, and none of them while
// what an earlier one gave is still being written: what a slow client does not read is not made.
class BodyStream {
  public:
    virtual ~BodyStream() = default;

    enum class Then {
        look,   // call next() again once the bytes are written
        wait,   // call next() again once woken
        work,   // call work() once the bytes are written
        end,    // the body is whole
        broken  // it never will be: the connection is cut, so that the client sees it
    };
    struct Piece {
        std::string bytes;  // may be empty
        Then then = Then::wait;
    };

    // Once, before all else. `wake` must not be called any more once the stream is destroyed.
    virtual void start(Wake wake) = 0;
    // On an I/O thread: what there is now. Never waits, never calls the store or the disk.
    virtual Piece next() = 0;
    // On a blocking thread, after a `work`: may call the store and the disk, never waits for more.
    virtual Piece work() { return {{}, Then::broken}; }
    // What is sent when nothing was for ServerSettings::keep_alive_interval; empty: nothing.
    virtual std::string keep_alive() { return ": keep-alive\n\n"; }
    // What is sent last when the server stops in the middle.
    virtual std::string farewell() { return {}; }
};

}  // namespace durascribe::api
