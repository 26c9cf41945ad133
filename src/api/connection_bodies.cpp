// What comes in: small bodies and uploads.
#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/beast/http/read.hpp>

#include "durascribe/api/admission.h"
#include "durascribe/api/blocking.h"
#include "durascribe/api/compression.h"
#include "durascribe/api/http_connection.h"
#include "durascribe/api/live_hub.h"
#include "durascribe/api/problem.h"

namespace durascribe::api {
namespace {

constexpr std::size_t kUploadChunk = 256 << 10;  // read, then written to disk, then the next
// What was changed is told to those who listen before it is answered; one who does not read makes
// nobody wait longer.
constexpr Millis kSettlePatience{100};
constexpr std::chrono::seconds kFillPatience{1};  // a slow upload is passed on meanwhile
// Of addresses that ask for no token: thousands of strangers may send one, and be slow about it.
constexpr std::int64_t kOpenBodyMax = 4 << 10;
constexpr std::int64_t kSlowestBody = 512;  // bytes a second, once the body's patience is over

}  // namespace

asio::awaitable<HttpConnection::Next> HttpConnection::serve_small(Parser& parser, Request request,
                                                                  const Route* route) {
    const std::int64_t limit = route->need == access::Need::open
                                   ? std::min(kOpenBodyMax, settings_.json_limit_bytes)
                                   : settings_.json_limit_bytes;
    const auto too_large = [limit] {
        return Error{ErrorClass::request,
                     "body_too_large",
                     fmt::format("The body is larger than {} bytes.", limit),
                     {}};
    };
    if (request.content_length.value_or(0) > limit) {
        co_return co_await respond_unread(problem_response(too_large(), request.path), parser);
    }
    if (request.has_body()) {
        receiving_ = true;
        if (!co_await say_continue(parser)) {
            co_return Next::hang_up;
        }
        std::vector<char> piece(8 << 10);  // not in the frame, which an answer over time keeps
        while (!parser.is_done()) {
            std::size_t got = 0;
            const error_code ec = co_await read_body(parser, piece.data(), piece.size(), got);
            if (ec) {
                if (!is_parse_error(ec)) {
                    co_return Next::hang_up;
                }
                co_return co_await respond_unread(
                    problem_response(error_of_parse(ec), request.path), parser);
            }
            request.body.append(piece.data(), got);
            if (static_cast<std::int64_t>(request.body.size()) > limit) {
                co_return co_await respond_unread(problem_response(too_large(), request.path),
                                                  parser);
            }
        }
        receiving_ = false;
    }
    if (access_ended_) {
        co_return Next::hang_up;  // while its body came
    }
    const Services& services = services_;
    const auto answer = [&services, &request, route]() -> Result<Response> {
        try {
            Result<Response> done = route->handler(services, request);
            if (done) {
                compress(request, *done);
            }
            if (done && changes_state(request.method)) {
                services.live.settle(kSettlePatience);
            }
            return done;
        } catch (const std::exception& e) {
            return std::unexpected(error_of_exception(e));
        }
    };
    Result<Response> result = Response{};
    if (reads_by_key(*route) && pool_.reads_are_quick()) {
        const auto begun = Steady::now();
        {
            const log::Scope about{{"request_id", now_.id}};
            result = answer();
        }
        now_.worked = Steady::now() - begun;
        pool_.note_read(now_.worked);
    } else {
        result = co_await at_work(answer);
    }
    Response response =
        result ? std::move(*result) : problem_response(result.error(), request.path);
    const bool keep_alive = keeps_alive(parser);
    const bool sent =
        co_await respond(std::move(response), request.method == Method::head, keep_alive);
    co_return sent&& keep_alive ? Next::keep_alive : Next::hang_up;
}

asio::awaitable<HttpConnection::Next> HttpConnection::serve_upload(Parser& parser, Request request,
                                                                   const Route* route) {
    const Services& services = services_;
    std::unique_ptr<BodySink> sink;
    error_code broken;
    {
        Result<std::unique_ptr<BodySink>> made =
            co_await at_work([&services, &request, route]() -> Result<std::unique_ptr<BodySink>> {
                try {
                    return route->sink(services, request);
                } catch (const std::exception& e) {
                    return std::unexpected(error_of_exception(e));
                }
            });
        if (!made) {
            co_return co_await respond_unread(problem_response(made.error(), request.path), parser);
        }
        sink = std::move(*made);
    }
    Result<void> good;
    receiving_ = true;
    if (!co_await say_continue(parser) || access_ended_) {
        broken = http::error::end_of_stream;
    }
    std::vector<char> chunk(broken || parser.is_done() ? 0 : kUploadChunk);
    // Beast reads as much at a time as the buffer has room: after a small header, 512 bytes.
    buffer_.reserve(kReadBufferMax);
    while (good && !broken && !parser.is_done()) {
        std::size_t got = 0;
        broken = co_await read_body(parser, chunk.data(), chunk.size(), got);
        // Also where the connection broke: a piece of an upload keeps what has come.
        if (!broken || got > 0) {
            const std::string_view bytes{chunk.data(), got};
            good = co_await at_work([&sink, bytes]() -> Result<void> {
                try {
                    return sink->write(bytes);
                } catch (const std::exception& e) {
                    return std::unexpected(error_of_exception(e));
                }
            });
        }
    }
    receiving_ = false;
    if (access_ended_) {
        broken = http::error::end_of_stream;
    }
    const bool whole = good && !broken;
    // Finished or dropped, on a blocking thread either way: dropping removes a file.
    Result<Response> result =
        co_await at_work([&services, &sink, whole, &good]() -> Result<Response> {
            try {
                Result<Response> done = !good   ? std::unexpected(good.error())
                                        : whole ? sink->finish()
                                                : Result<Response>{Response{}};
                sink.reset();
                if (whole && done) {
                    services.live.settle(kSettlePatience);
                }
                return done;
            } catch (const std::exception& e) {
                return std::unexpected(error_of_exception(e));
            }
        });
    // The answer may come much later (LaterResponse): nothing that large waits with it.
    std::vector<char>{}.swap(chunk);
    buffer_.shrink_to_fit();
    if (broken) {
        if (!is_parse_error(broken)) {
            co_return Next::hang_up;
        }
        co_return co_await respond_unread(problem_response(error_of_parse(broken), request.path),
                                          parser);
    }
    Response response =
        result ? std::move(*result) : problem_response(result.error(), request.path);
    if (!parser.is_done()) {
        co_return co_await respond_unread(std::move(response), parser);
    }
    const bool keep_alive = keeps_alive(parser);
    co_return co_await respond(std::move(response), false, keep_alive) && keep_alive
        ? Next::keep_alive
        : Next::hang_up;
}

// To a client that waits for it (RFC 9110 §10.1.1). False: the client is gone.
asio::awaitable<bool> HttpConnection::say_continue(const Parser& parser) {
    const bool asked = parser.get().count(http::field::expect) > 0 && parser.get().version() >= 11;
    if (!asked || parser.is_done() || buffer_.size() > 0) {
        co_return true;  // a body that is coming already needs no word
    }
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    co_return co_await send(kContinue.data(), kContinue.size());
}

// Reads until `into` is full, the body ends, or it took kFillPatience to get some.
asio::awaitable<error_code> HttpConnection::read_body(Parser& parser, char* into, std::size_t size,
                                                      std::size_t& got) {
    auto& body = parser.get().body();
    body.data = into;
    body.size = size;
    body.more = true;
    error_code failure;
    const auto begun = Steady::now();
    const auto in_time = [&] { return got == 0 || Steady::now() - begun < kFillPatience; };
    while (!failure && !parser.is_done() && body.size > 0 && in_time()) {
        const auto since = Steady::now();
        stream_.expires_after(settings_.body_timeout);
        const auto [ec, transferred] =
            co_await http::async_read_some(stream_, buffer_, parser, kTuple);
        body_waited_ += Steady::now() - since;
        body_received_ += static_cast<std::int64_t>(transferred);
        services_.metrics.received(transferred);
        got = size - body.size;
        if (ec && ec != http::error::need_buffer) {
            failure = ec;
        } else if (body_waited_ > settings_.body_timeout &&
                   body_received_ <
                       kSlowestBody *
                           std::chrono::duration_cast<std::chrono::seconds>(body_waited_).count()) {
            failure = beast::error::timeout;  // a trickle that would hold the upload for ever
        }
    }
    if (parser.is_done()) {
        body_waited_ = {};
        body_received_ = 0;
    }
    co_return failure;
}

}  // namespace durascribe::api
