#include "durascribe/api/websocket_session.h"

#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/buffers_to_string.hpp>

#include "durascribe/api/blocking.h"
#include "durascribe/api/thrown.h"

namespace durascribe::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kClosingPatience{1};
constexpr std::size_t kReasonMax = 120;  // RFC 6455 §5.5: 125 bytes with the code

}  // namespace

WebSocketSession::WebSocketSession(asio::ip::tcp::socket socket, BlockingPool& pool,
                                   const ServerSettings& settings, metrics::Metrics& metrics,
                                   std::unique_ptr<SocketTalk> talk)
    : stream_(std::move(socket)),
      pool_(pool),
      settings_(settings),
      metrics_(metrics),
      talk_(std::move(talk)),
      buffer_(kMessageMax),
      look_(std::make_shared<WakeSignal>(stream_.get_executor())),
      room_(std::make_shared<WakeSignal>(stream_.get_executor())),
      writer_ended_(std::make_shared<WakeSignal>(stream_.get_executor())),
      patience_(stream_.get_executor()) {}

asio::awaitable<void> WebSocketSession::run(beast::http::request_header<> header) {
    const auto self = shared_from_this();
    // Pings a peer that has said nothing for half of that time, and cuts one that does not answer.
    stream_.set_option(websocket::stream_base::timeout{settings_.header_timeout,
                                                       settings_.socket_idle_timeout, true});
    stream_.read_message_max(kMessageMax);
    stream_.auto_fragment(false);
    {
        const beast::http::request<beast::http::empty_body> request{std::move(header)};
        const auto [refused] = co_await stream_.async_accept(request, kTuple);
        if (refused) {
            co_return;  // Beast has said why
        }
    }
    error_code ignored;  // then the system's default holds
    beast::get_lowest_layer(stream_).socket().set_option(
        asio::socket_base::send_buffer_size{kLiveSendBuffer}, ignored);
    talk_->start(look_->waker());
    asio::co_spawn(stream_.get_executor(), write_messages(), [self](std::exception_ptr thrown) {
        if (thrown) {
            log_exception("A WebSocket ended with an exception", thrown);
            self->cut();
        }
        self->writing_ = false;
        self->room_->wake_here();
        self->writer_ended_->wake_here();
    });
    co_await read_messages();
    ended_ = true;
    look_->wake_here();
    if (writing_) {
        cut_after_patience();  // it said that it has ended, but does not read what is being sent
    }
    co_await writer_ended_->wait(std::nullopt);
    patience_.cancel();
    talk_.reset();
    beast::get_lowest_layer(stream_).close();
}

asio::awaitable<void> WebSocketSession::read_messages() {
    for (;;) {
        // Ends also with what breaks the protocol: Beast has then sent 1002, 1007 or 1009.
        const auto [ec, size] = co_await stream_.async_read(buffer_, kTuple);
        metrics_.received(size);
        if (ec) {
            co_return;
        }
        if (closing_.code != websocket::close_code::none) {
            buffer_.consume(buffer_.size());
            continue;  // only the peer's close is of interest now
        }
        if (!stream_.got_text()) {
            close_with(websocket::close_code::unknown_data, "Send text: one JSON object.");
        } else {
            std::string text = beast::buffers_to_string(buffer_.data());
            full_ = !talk_->received(std::move(text));
            look_->wake_here();
        }
        buffer_.consume(buffer_.size());
        buffer_.shrink_to_fit();
        while (full_ && writing_) {
            co_await room_->wait(std::nullopt);
        }
    }
}

asio::awaitable<void> WebSocketSession::write_messages() {
    SocketTalk::Piece piece{{}, BodyStream::Then::look};
    while (!ended_) {
        if (closing_.code != websocket::close_code::none) {
            // Whatever comes of it, the reader ends with it.
            co_await stream_.async_close(closing_, kTuple);
            co_return;
        }
        switch (piece.then) {
            case BodyStream::Then::look:
                piece = talk_->next();
                full_ = false;
                room_->wake_here();
                break;
            case BodyStream::Then::work:
                piece = co_await blocking(pool_, [this] { return talk_->work(); });
                break;
            case BodyStream::Then::wait:
                co_await look_->wait(std::nullopt);
                piece = {{}, BodyStream::Then::look};
                break;
            case BodyStream::Then::end:
                close_with(websocket::close_code::normal, "That was all.");
                break;
            case BodyStream::Then::broken:
                close_with(websocket::close_code::internal_error,
                           "Something went wrong in the server. Its log says more.");
                break;
        }
        if (!ended_ && !co_await write_piece(piece)) {
            co_return;
        }
        piece.texts.clear();
    }
}

// False: the peer is gone.
asio::awaitable<bool> WebSocketSession::write_piece(const SocketTalk::Piece& piece) {
    for (const auto& text : piece.texts) {
        if (closing_.code != websocket::close_code::none) {
            break;
        }
        const auto [ec, size] = co_await stream_.async_write(asio::buffer(*text), kTuple);
        metrics_.sent(size);
        if (ec) {
            cut();
            co_return false;
        }
    }
    co_return true;
}

void WebSocketSession::close_with(std::uint16_t code, std::string_view reason) {
    if (closing_.code != websocket::close_code::none) {
        return;
    }
    reason = reason.substr(0, kReasonMax);
    closing_ = Close{static_cast<websocket::close_code>(code), {reason.data(), reason.size()}};
    look_->wake_here();
    cut_after_patience();
}

// A peer that reads nothing, or does not answer the close, is not waited for.
void WebSocketSession::cut_after_patience() {
    patience_.expires_after(kClosingPatience);
    patience_.async_wait([weak = weak_from_this()](error_code ec) {
        const auto self = weak.lock();
        if (!ec && self) {
            self->cut();
        }
    });
}

void WebSocketSession::finish_soon() {
    close_with(websocket::close_code::going_away, "The server is stopping. Connect again soon.");
}

void WebSocketSession::end_access() {
    close_with(websocket::close_code::policy_error, "The token was revoked, or has run out.");
}

void WebSocketSession::cut() {
    beast::get_lowest_layer(stream_).close();
    look_->wake_here();
}

}  // namespace durascribe::api
