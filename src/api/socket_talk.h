// One side of a conversation over a WebSocket, without sockets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "durascribe/api/body_stream.h"
#include "durascribe/base/error.h"

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
    // A whole text message (UTF-8), on an I/O thread; next() is called afterwards. An error closes
    // the connection with 1008 and the error's message.
    virtual Result<void> received(std::string text) = 0;
};

}  // namespace durascribe::api
