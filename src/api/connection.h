// One HTTP/1.1 connection: reads requests one after another, answers each in order, and keeps every
// phase within its deadline. Beast is behind this: only what includes http_connection.h uses it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include <boost/asio/io_context.hpp>

#include "durascribe/api/blocking_pool.h"
#include "durascribe/api/routes.h"
#include "durascribe/api/services.h"
#include "durascribe/base/unique_fd.h"

namespace durascribe::api {

struct ConnectionContext {
    const Services& services;
    BlockingPool& pool;
    bool bound_to_loopback = false;
    std::span<const Route> routes = api::routes();
};

// Runs on a strand of its own. Every method may be called from any thread, all but begin() also
// after its end.
class Connection {
  public:
    virtual ~Connection() = default;

    // Once. `ended` is called from an I/O thread as the last thing that the connection does; until
    // then it keeps itself alive.
    virtual void begin(std::function<void(Connection*)> ended) = 0;
    // Ends a WebSocket, an answer over time or an upload of the token of this id, or of the session
    // of this digest, which may do nothing any more.
    virtual void hang_up_on(const std::string& owner) = 0;
    // No further request: closes now where it waits for one, else after the answer in progress;
    // what is made over time (a WebSocket, events) ends with its last words.
    virtual void finish_soon() = 0;
    // After finish_soon(): cuts what is made over time and whose last words are not taken.
    virtual void cut_live() = 0;
    // Ends all reading and writing now. A blocking call in progress still returns first, and its
    // answer is sent to a client that takes it within two seconds.
    virtual void close() = 0;
};

// What becomes of a new connection.
enum class Welcome {
    serve,
    refuse,  // too many: answers 503 and closes
};

// Takes a connected TCP socket. nullptr (and a log line): the socket was broken already.
std::shared_ptr<Connection> make_connection(boost::asio::io_context& io, UniqueFd socket,
                                            const ConnectionContext& context, Welcome welcome);

}  // namespace durascribe::api
