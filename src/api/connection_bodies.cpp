// What comes in: small bodies and uploads.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/beast/http/read.hpp>

#include "durascribe/api/admission.h"
#include "durascribe/api/blocking.h"
#include "durascribe/api/http_connection.h"
#include "durascribe/api/live_hub.h"
#include "durascribe/api/problem.h"

namespace durascribe::api {
namespace {

// One is hashed and written while the next comes.
constexpr std::size_t kUploadPiece = 256 << 10;
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
        while (!body_ended(parser)) {
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
    if (!broken && good) {
        broken = co_await pass_body_on(parser, *sink, good);
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
    buffer_.shrink_to_fit();
    if (good && broken) {
        if (!is_parse_error(broken)) {
            co_return Next::hang_up;
        }
        co_return co_await respond_unread(problem_response(error_of_parse(broken), request.path),
                                          parser);
    }
    Response response =
        result ? std::move(*result) : problem_response(result.error(), request.path);
    if (!body_ended(parser)) {
        co_return co_await respond_unread(std::move(response), parser);
    }
    const bool keep_alive = keeps_alive(parser);
    co_return co_await respond(std::move(response), false, keep_alive) && keep_alive
        ? Next::keep_alive
        : Next::hang_up;
}

// Reads the body and writes it to `sink`, until it has ended, the connection broke, or `good` tells
// that the sink refused a piece. Returns what broke. Where the connection broke, what has come is
// written all the same: a piece of an upload keeps it.
asio::awaitable<error_code> HttpConnection::pass_body_on(Parser& parser, BodySink& sink,
                                                         Result<void>& good) {
    using namespace asio::experimental::awaitable_operators;
    // Not zeroed: what is never used takes no memory.
    const auto make_piece = [] { return std::make_unique_for_overwrite<char[]>(kUploadPiece); };
    std::unique_ptr<char[]> coming = make_piece();
    std::unique_ptr<char[]> held;
    std::size_t held_size = 0;
    error_code broken;
    // Beast reads as much at a time as the buffer has room: after a small header, 512 bytes.
    buffer_.reserve(kReadBufferMax);
    while (good && (held_size > 0 || (!broken && !body_ended(parser)))) {
        std::size_t got = 0;
        if (held_size == 0) {
            broken = co_await read_body(parser, coming.get(), kUploadPiece, got);
        } else if (broken || body_ended(parser)) {
            good = co_await write_piece(sink, {held.get(), held_size});
        } else {
            if (coming == nullptr) {
                coming = make_piece();
            }
            auto both = write_piece(sink, {held.get(), held_size}) &&
                        read_body(parser, coming.get(), kUploadPiece, got);
            std::tie(good, broken) = co_await std::move(both);
        }
        held.swap(coming);
        held_size = got;
    }
    co_return broken;
}

asio::awaitable<Result<void>> HttpConnection::write_piece(BodySink& sink, std::string_view bytes) {
    auto good = co_await at_work([&sink, bytes]() -> Result<void> {
        try {
            return sink.write(bytes);
        } catch (const std::exception& e) {
            return std::unexpected(error_of_exception(e));
        }
    });
    if (!good) {
        body_refused_ = true;  // that is told without waiting for the next piece
        stream_.cancel();
    }
    co_return good;
}

// To a client that waits for it (RFC 9110 §10.1.1). False: the client is gone.
asio::awaitable<bool> HttpConnection::say_continue(const Parser& parser) {
    const bool asked = parser.get().count(http::field::expect) > 0 && parser.get().version() >= 11;
    if (!asked || body_ended(parser) || buffer_.size() > 0) {
        co_return true;  // a body that is coming already needs no word
    }
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    co_return co_await send(kContinue.data(), kContinue.size());
}

// Reads until `into` is full, the body ends, or it took kFillPatience to get some. What a body of
// told length brings comes straight to its place: the parser would take 64 KiB at a time, and copy.
asio::awaitable<error_code> HttpConnection::read_body(Parser& parser, char* into, std::size_t size,
                                                      std::size_t& got) {
    error_code failure;
    if (closing_) {
        co_return asio::error::operation_aborted;
    }
    const auto begun = Steady::now();
    const auto in_time = [&] { return got == 0 || Steady::now() - begun < kFillPatience; };
    while (!failure && !body_refused_ && !body_ended(parser) && got < size && in_time()) {
        const auto since = Steady::now();
        stream_.expires_after(settings_.body_timeout);
        std::size_t came = 0;
        if (body_left_) {
            const auto room = std::min<std::uint64_t>(size - got, *body_left_);
            const auto place = asio::buffer(into + got, room);
            if (buffer_.size() > 0) {
                came = asio::buffer_copy(place, buffer_.data());
                buffer_.consume(came);
            } else {
                std::tie(failure, came) = co_await stream_.async_read_some(place, kTuple);
            }
            got += came;
            *body_left_ -= came;
        } else {
            auto& body = parser.get().body();
            body.data = into + got;
            body.size = size - got;
            body.more = true;
            std::tie(failure, came) =
                co_await http::async_read_some(stream_, buffer_, parser, kTuple);
            got = size - body.size;
            if (failure == http::error::need_buffer) {
                failure = {};
            }
        }
        body_waited_ += Steady::now() - since;
        body_received_ += static_cast<std::int64_t>(came);
        services_.metrics.received(came);
        if (!failure && body_waited_ > settings_.body_timeout &&
            body_received_ <
                kSlowestBody *
                    std::chrono::duration_cast<std::chrono::seconds>(body_waited_).count()) {
            failure = beast::error::timeout;  // a trickle that would hold the upload for ever
        }
    }
    if (body_ended(parser)) {
        body_waited_ = {};
        body_received_ = 0;
    }
    co_return failure;
}

}  // namespace durascribe::api
