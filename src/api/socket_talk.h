// One side of a conversation over a WebSocket, without sockets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "durascribe/api/body_stream.h"

namespace durascribe::api {

// Owner, threads and order of calls as of a BodyStream; received() may come while work() runs.
class SocketTalk {
  public:
    virtual ~SocketTalk() = default;

    struct Piece {
        std::vector<std::shared_ptr<const std::string>> texts;  // one message each
        BodyStream::Then then = BodyStream::Then::wait;         // `broken`: closed with 1011
    };
    // Once, before all else. `wake` must not be called any more once this is destroyed.
    virtual void start(Wake wake) = 0;
    virtual Piece next() = 0;  // on an I/O thread, never waits
    virtual Piece work() = 0;  // on a blocking thread, after a `work`
    // A whole text message (UTF-8), on an I/O thread; next() is called afterwards. False: that is
    // as much as is kept until next() has been called; nothing more is read before.
    virtual bool received(std::string text) = 0;
};

}  // namespace durascribe::api
