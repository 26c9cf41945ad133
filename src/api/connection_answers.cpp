// What goes out: whole answers, files, and bodies and answers that are made over time.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "durascribe/api/blocking.h"
#include "durascribe/api/compression.h"
#include "durascribe/api/http_connection.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/request_id.h"

namespace durascribe::api {
namespace {

constexpr std::size_t kFileChunk = 256 << 10;
constexpr std::size_t kWritePiece = 64 << 10;
constexpr std::chrono::seconds kLastAnswer{2};  // all of it, once the server is closing
constexpr std::size_t kPackedHere = 32 << 10;   // bytes; more than that is a blocking thread's work

}  // namespace

// False: the client is gone, or this was the last answer that the connection can carry.
asio::awaitable<bool> HttpConnection::respond(Response response, bool head_only, bool keep_alive) {
    if (response.later) {
        auto settled = co_await settle(std::move(response));
        if (!settled) {
            co_return false;
        }
        response = std::move(*settled);
    }
    if (is_worth_packing(response)) {
        if (!takes_gzip_ || response.body.size() <= kPackedHere) {
            pack(takes_gzip_, response);
        } else {
            co_await at_work([&response] {
                pack(true, response);
                return true;
            });
        }
    }
    name_request(response, now_.id);
    now_.status = response.status;
    const auto now = std::chrono::floor<Millis>(std::chrono::system_clock::now());
    const bool bodiless = head_only || response.status == 204 || response.status == 304;
    const Framing framing = !response.stream ? Framing::length
                            : http11_        ? Framing::chunked
                                             : Framing::until_close;
    if (framing == Framing::until_close) {
        keep_alive = false;
    }
    add_cors_fields(page_, response);
    std::string text = response_head(response, keep_alive, now, framing);
    if (!bodiless && !response.stream) {
        text += response.body;
        response.body = {};
    }
    if (!co_await send(text.data(), text.size())) {
        co_return false;
    }
    if (!bodiless && response.stream) {
        co_return co_await send_stream(std::move(response.stream), framing);
    }
    if (!bodiless && response.file) {
        co_return co_await send_file(std::move(*response.file));
    }
    co_return framing != Framing::until_close;
}

// nullopt: the client went before there was an answer.
asio::awaitable<std::optional<Response>> HttpConnection::settle(Response response) {
    const std::unique_ptr<LaterResponse> later = std::move(response.later);
    std::optional<Response> settled;
    begin_waiting();
    later->start(waiting_->waker());
    while (!settled && !gone_) {
        if (stopping_) {
            settled = later->refused(later->interrupted());
            break;
        }
        auto found = co_await blocking(pool_, [&later]() -> Result<std::optional<Response>> {
            try {
                return later->look();
            } catch (const std::exception& e) {
                return std::unexpected(error_of_exception(e));
            }
        });
        if (!found) {
            settled = later->refused(found.error());
        } else if (*found) {
            settled = std::move(*found);
        } else {
            co_await waiting_->wait(std::nullopt);
        }
    }
    end_waiting();
    co_return gone_ ? std::nullopt : std::move(settled);
}

asio::awaitable<bool> HttpConnection::send_stream(std::unique_ptr<BodyStream> body,
                                                  Framing framing) {
    error_code ignored;  // then the system's default holds
    stream_.socket().set_option(asio::socket_base::send_buffer_size{kLiveSendBuffer}, ignored);
    begin_waiting();
    bool whole = false;
    try {
        body->start(waiting_->waker());
        whole = co_await send_pieces(*body, framing);
    } catch (const std::exception& e) {
        log::error("A body that was being made broke off: {}.", e.what());
    }
    end_waiting();
    if (!whole || framing == Framing::until_close) {
        co_return false;
    }
    static constexpr std::string_view kLastChunk = "0\r\n\r\n";
    co_return co_await send(kLastChunk.data(), kLastChunk.size());
}

// False: cut short.
asio::awaitable<bool> HttpConnection::send_pieces(BodyStream& body, Framing framing) {
    BodyStream::Piece piece{{}, BodyStream::Then::look};
    while (!gone_) {
        if (stopping_) {
            co_return co_await send_piece(body.farewell(), framing);
        }
        switch (piece.then) {
            case BodyStream::Then::look:
                piece = body.next();
                break;
            case BodyStream::Then::work:
                piece = co_await blocking(pool_, [&body] { return body.work(); });
                break;
            case BodyStream::Then::wait:
                piece = co_await waiting_->wait(settings_.keep_alive_interval)
                            ? body.next()
                            : BodyStream::Piece{body.keep_alive(), BodyStream::Then::wait};
                break;
            case BodyStream::Then::end:
                co_return true;
            case BodyStream::Then::broken:
                co_return false;
        }
        if (!co_await send_piece(std::exchange(piece.bytes, {}), framing)) {
            co_return false;
        }
    }
    co_return false;
}

asio::awaitable<bool> HttpConnection::send_piece(std::string bytes, Framing framing) {
    if (bytes.empty()) {
        co_return true;
    }
    if (framing == Framing::chunked) {
        bytes.insert(0, fmt::format("{:x}\r\n", bytes.size()));
        bytes += "\r\n";
    }
    co_return co_await send(bytes.data(), bytes.size());
}

// Until end_waiting(): the client's departure, finish_soon() and close() wake waiting_.
void HttpConnection::begin_waiting() {
    waiting_ = std::make_shared<WakeSignal>(stream_.get_executor());
    gone_ = gone_ || access_ended_;
    watch_for_departure();
}

void HttpConnection::end_waiting() {
    waiting_.reset();
    error_code ignored;  // nothing was under way
    stream_.socket().cancel(ignored);
}

// A request that comes before this answer has ended (pipelining) stays in the socket; from then on
// a departure shows only where something is sent.
void HttpConnection::watch_for_departure() {
    stream_.socket().async_wait(
        asio::ip::tcp::socket::wait_read, [self = shared_from_this()](error_code ec) {
            if (ec || !self->waiting_) {
                return;  // ended, or closed by close(), which wakes
            }
            char byte = 0;
            const ssize_t got =
                ::recv(self->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
            if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
                self->gone_ = true;
                self->wake_waiting();
            }
        });
}

// An answer to a request whose body was perhaps not read: then the connection can't go on.
asio::awaitable<HttpConnection::Next> HttpConnection::respond_unread(Response response,
                                                                     const Parser& parser) {
    const bool keep_alive = body_ended(parser) && keeps_alive(parser);
    const bool sent = co_await respond(std::move(response),
                                       parser.get().method() == http::verb::head, keep_alive);
    if (!sent) {
        co_return Next::hang_up;
    }
    co_return keep_alive ? Next::keep_alive : Next::linger;
}

asio::awaitable<bool> HttpConnection::send_file(FileBody file) {
    std::vector<char> chunk(static_cast<std::size_t>(
        std::min<std::int64_t>(file.length, static_cast<std::int64_t>(kFileChunk))));
    while (file.length > 0) {
        if (closing_) {
            co_return false;
        }
        const std::size_t wanted = static_cast<std::size_t>(
            std::min<std::int64_t>(file.length, static_cast<std::int64_t>(chunk.size())));
        const ssize_t got = co_await blocking(pool_, [&file, &chunk, wanted] {
            ssize_t n = 0;
            do {
                n = ::pread(file.fd.get(), chunk.data(), wanted, file.offset);
            } while (n < 0 && errno == EINTR);
            return n;
        });
        if (got <= 0) {
            // The length was promised: a broken connection is the only honest end.
            log::error("A file being sent ended early, {} bytes before its end.", file.length);
            co_return false;
        }
        file.offset += got;
        file.length -= got;
        if (!co_await send(chunk.data(), static_cast<std::size_t>(got))) {
            co_return false;
        }
    }
    co_return true;
}

// Piece by piece, each within the body's patience: a client that does not read is cut. Waits only
// where the socket has no room: mostly it has.
asio::awaitable<bool> HttpConnection::send(const char* data, std::size_t size) {
    while (size > 0) {
        const auto piece = asio::buffer(data, std::min(size, kWritePiece));
        error_code ec;
        std::size_t written = stream_.socket().write_some(piece, ec);
        if (ec == asio::error::would_block) {
            if (!closing_) {
                stream_.expires_after(settings_.body_timeout);
            } else if (!std::exchange(last_answer_, true)) {
                stream_.expires_after(kLastAnswer);
            }
            std::tie(ec, written) = co_await asio::async_write(stream_, piece, kTuple);
        }
        services_.metrics.sent(written);
        if (ec) {
            co_return false;
        }
        data += written;
        size -= written;
    }
    co_return true;
}

}  // namespace durascribe::api
