// One connection after it has become a WebSocket (RFC 6455): the handshake, messages both ways,
// pings, and the ways in which it ends. Included by the connection alone: it includes Beast.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "durascribe/api/blocking_pool.h"
#include "durascribe/api/server.h"
#include "durascribe/api/socket_talk.h"
#include "durascribe/api/wake_signal.h"

namespace durascribe::api {

// Used on the socket's strand alone. Co-owned by the connection and by the two coroutines that read
// and write, both of which have ended when run() returns.
class WebSocketSession : public std::enable_shared_from_this<WebSocketSession> {
  public:
    static constexpr std::size_t kMessageMax = 16 << 10;  // that a client may send

    WebSocketSession(boost::asio::ip::tcp::socket socket, BlockingPool& pool,
                     const ServerSettings& settings, std::unique_ptr<SocketTalk> talk);

    // From the request for the upgrade to the end of the connection.
    boost::asio::awaitable<void> run(boost::beast::http::request_header<> request);
    // Closes with 1001 once the message being sent is out; a peer that does not take part in the
    // closing is cut soon after.
    void finish_soon();
    void cut();

  private:
    using Close = boost::beast::websocket::close_reason;

    boost::asio::awaitable<void> read_messages();
    boost::asio::awaitable<void> write_messages();
    boost::asio::awaitable<bool> write_piece(const SocketTalk::Piece& piece);
    void close_with(std::uint16_t code, std::string_view reason);
    void cut_after_patience();

    boost::beast::websocket::stream<boost::beast::tcp_stream, false> stream_;
    BlockingPool& pool_;
    const ServerSettings& settings_;
    std::unique_ptr<SocketTalk> talk_;
    boost::beast::flat_buffer buffer_;
    std::shared_ptr<WakeSignal> look_;  // the writer waits on it
    std::shared_ptr<WakeSignal> room_;  // the reader waits on it where the talk takes no more
    std::shared_ptr<WakeSignal> writer_ended_;
    boost::asio::steady_timer patience_;  // of a closing
    Close closing_{boost::beast::websocket::close_code::none};
    bool full_ = false;    // the talk takes no more until its next()
    bool ended_ = false;   // the reader has
    bool writing_ = true;  // the writer has not
};

}  // namespace durascribe::api
