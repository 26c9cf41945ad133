#include "durascribe/api/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include "durascribe/api/admission.h"
#include "durascribe/api/blocking.h"
#include "durascribe/api/header_values.h"
#include "durascribe/api/message.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/routes.h"
#include "durascribe/base/log.h"

namespace durascribe::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Steady = std::chrono::steady_clock;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

constexpr std::uint32_t kHeaderMax = 16 << 10;
constexpr std::size_t kReadBufferMax = 64 << 10;
constexpr std::size_t kFirstRead = 512;          // what an idle connection holds
constexpr std::size_t kUploadChunk = 256 << 10;  // read, then written to disk, then the next
constexpr std::size_t kWritePiece = 64 << 10;
constexpr std::int64_t kSlowestBody = 512;  // bytes a second, once the body's patience is over
constexpr std::chrono::seconds kFillPatience{1};  // a slow upload is passed on meanwhile
constexpr std::chrono::seconds kLinger{2};
constexpr std::size_t kLingerBytes = 4 << 20;

using Parser = http::request_parser<http::buffer_body>;

Method method_of(http::verb verb) {
    switch (verb) {
        case http::verb::get:
            return Method::get;
        case http::verb::head:
            return Method::head;
        case http::verb::post:
            return Method::post;
        case http::verb::put:
            return Method::put;
        case http::verb::patch:
            return Method::patch;
        case http::verb::delete_:
            return Method::del;
        case http::verb::options:
            return Method::options;
        default:
            return Method::other;
    }
}

std::string lower(beast::string_view text) {
    std::string out{text};
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

Request request_of(const Parser& parser) {
    Request request;
    request.method = method_of(parser.get().method());
    for (const auto& field : parser.get()) {
        request.headers.emplace_back(lower(field.name_string()), std::string{field.value()});
    }
    request.chunked = parser.chunked();
    if (const auto length = parser.content_length()) {
        request.content_length = static_cast<std::int64_t>(*length);
    }
    return request;
}

Error error_of_parse(error_code ec) {
    if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
        return {ErrorClass::request,
                "header_too_large",
                fmt::format("The header of the request is larger than {} bytes.", kHeaderMax),
                {}};
    }
    return {ErrorClass::request,
            "bad_request",
            fmt::format("The request is not well-formed HTTP ({}).", ec.message()),
            {}};
}

bool is_parse_error(error_code ec) {
    return ec.category() == error_code{http::error::bad_method}.category() &&
           ec != http::error::end_of_stream && ec != http::error::partial_message;
}

Error error_of_exception(const std::exception& e) {
    return {ErrorClass::internal, "internal_error",
            "Something went wrong in the server. Its log says more.", e.what()};
}

class HttpConnection final : public Connection,
                             public std::enable_shared_from_this<HttpConnection> {
  public:
    HttpConnection(asio::ip::tcp::socket socket, const ConnectionContext& context, Welcome welcome)
        : stream_(std::move(socket)),
          services_(context.services),
          settings_(context.services.settings),
          pool_(context.pool),
          bound_to_loopback_(context.bound_to_loopback),
          welcome_(welcome) {}

    void begin(std::function<void(Connection*)> ended) override {
        asio::co_spawn(stream_.get_executor(), welcome_ == Welcome::serve ? serve() : refuse(),
                       [self = shared_from_this(), ended = std::move(ended)](std::exception_ptr e) {
                           if (e) {
                               self->log_exception(e);
                           }
                           self->stream_.close();
                           ended(self.get());
                       });
    }

    void finish_soon() override {
        asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
            self->stopping_ = true;
            if (self->idle_) {
                self->stream_.close();
            }
        });
    }

    void close() override {
        asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
            self->stopping_ = true;
            self->stream_.close();
        });
    }

  private:
    enum class Next { keep_alive, hang_up, linger };

    asio::awaitable<void> serve();
    asio::awaitable<void> refuse();

    asio::awaitable<bool> wait_for_request(bool first);
    asio::awaitable<Next> serve_one(Parser& parser);
    Result<const Route*> admit(Request& request, bool http11);
    asio::awaitable<Next> serve_small(Parser& parser, Request request, const Route* route);
    asio::awaitable<Next> serve_upload(Parser& parser, Request request, const Route* route);
    asio::awaitable<bool> say_continue(const Parser& parser);
    asio::awaitable<error_code> read_body(Parser& parser, char* into, std::size_t size,
                                          std::size_t& got);
    asio::awaitable<bool> respond(Response response, bool head_only, bool keep_alive);
    asio::awaitable<Next> respond_unread(Response response, const Parser& parser);
    asio::awaitable<bool> send_file(FileBody file);
    asio::awaitable<bool> send(const char* data, std::size_t size);
    asio::awaitable<void> linger();

    static void log_exception(const std::exception_ptr& thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception& e) {
            log::error("A connection ended with an exception: {}.", e.what());
        }
    }

    bool keeps_alive(const Parser& parser) const { return parser.get().keep_alive() && !stopping_; }

    // All used on the stream's strand alone.
    beast::tcp_stream stream_;
    const Services& services_;
    const ServerSettings& settings_;
    BlockingPool& pool_;
    bool bound_to_loopback_;
    Welcome welcome_;
    beast::flat_buffer buffer_{kReadBufferMax};
    bool idle_ = false;  // nothing is lost by closing now
    bool stopping_ = false;
    // Of the body now read: time that the client let pass, and what it sent.
    Steady::duration body_waited_{};
    std::int64_t body_received_ = 0;
};

asio::awaitable<void> HttpConnection::serve() {
    bool first = true;
    while (!stopping_ && co_await wait_for_request(std::exchange(first, false))) {
        Parser parser;
        parser.header_limit(kHeaderMax);
        parser.body_limit(boost::none);  // handlers and the engine count
        stream_.expires_after(settings_.header_timeout);
        const auto [ec, size] = co_await http::async_read_header(stream_, buffer_, parser, kTuple);
        if (ec) {
            if (is_parse_error(ec)) {
                co_await respond(problem_response(error_of_parse(ec), ""), false, false);
                co_await linger();
            }
            break;
        }
        const Next next = co_await serve_one(parser);
        if (next == Next::linger) {
            co_await linger();
        }
        if (next != Next::keep_alive) {
            break;
        }
    }
}

// Too many connections: says so without reading more than it must.
asio::awaitable<void> HttpConnection::refuse() {
    co_await respond(problem_response({ErrorClass::request,
                                       "busy",
                                       "The server has as many connections as it takes. Try again "
                                       "in a moment.",
                                       {}},
                                      ""),
                     false, false);
    co_await linger();
}

// False: closed, or nothing came in time. Holds next to no memory while it waits.
asio::awaitable<bool> HttpConnection::wait_for_request(bool first) {
    if (buffer_.size() > 0) {
        co_return true;  // pipelined
    }
    buffer_.shrink_to_fit();
    stream_.expires_after(first ? settings_.header_timeout : settings_.idle_timeout);
    idle_ = true;
    const auto [ec, size] = co_await stream_.async_read_some(buffer_.prepare(kFirstRead), kTuple);
    idle_ = false;
    if (ec) {
        co_return false;
    }
    buffer_.commit(size);
    co_return true;
}

asio::awaitable<HttpConnection::Next> HttpConnection::serve_one(Parser& parser) {
    Request request = request_of(parser);
    const std::string_view target{parser.get().target().data(), parser.get().target().size()};
    Result<const Route*> admitted = nullptr;
    if (auto parsed = parse_target(target, request); !parsed) {
        admitted = std::unexpected(parsed.error());
    } else {
        RouteMatch match = find_route(routes(), path_aliases(), request);
        admitted = admit(request, parser.get().version() >= 11);
        if (admitted && request.method == Method::options && match.route == nullptr &&
            (request.path == "*" || !match.allow.empty())) {
            Response response;
            response.status = 204;
            response.headers.emplace_back("Allow", match.allow.empty()
                                                       ? "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
                                                       : match.allow);
            co_return co_await respond_unread(std::move(response), parser);
        }
        if (admitted && match.route == nullptr) {
            const bool known = !match.allow.empty();
            Response response = problem_response(
                known ? Error{ErrorClass::request,
                              "method_not_allowed",
                              "This address does not take this method. It takes: " + match.allow +
                                  ".",
                              {}}
                      : Error{ErrorClass::request,
                              "no_route",
                              "There is nothing at this address. The API begins at /api/v1/media.",
                              {}},
                request.path);
            if (known) {
                response.headers.emplace_back("Allow", match.allow);
            }
            co_return co_await respond_unread(std::move(response), parser);
        }
        if (admitted) {
            admitted = match.route;
        }
    }
    if (!admitted) {
        co_return co_await respond_unread(problem_response(admitted.error(), request.path), parser);
    }
    const auto begun = Steady::now();
    const std::string what = fmt::format("{} {}", to_string(request.method), request.path);
    const Next next = (*admitted)->sink != nullptr
                          ? co_await serve_upload(parser, std::move(request), *admitted)
                          : co_await serve_small(parser, std::move(request), *admitted);
    log::debug("{}: {} ms", what,
               std::chrono::duration_cast<Millis>(Steady::now() - begun).count());
    co_return next;
}

// What can be refused before any route is asked; the route itself is found by the caller.
Result<const Route*> HttpConnection::admit(Request& request, bool http11) {
    if (auto allowed = check_origin(request, http11, bound_to_loopback_); !allowed) {
        return std::unexpected(allowed.error());
    }
    const std::string* expect = request.header("expect");
    if (expect != nullptr && lower(*expect) != "100-continue") {
        return fail(ErrorClass::request, "expectation_failed",
                    "The only expectation that is met is 100-continue.");
    }
    if (pool_.crowded()) {
        return fail(ErrorClass::request, "busy", "The server is busy. Try again in a moment.");
    }
    return nullptr;
}

asio::awaitable<HttpConnection::Next> HttpConnection::serve_small(Parser& parser, Request request,
                                                                  const Route* route) {
    const Error too_large{
        ErrorClass::request,
        "body_too_large",
        fmt::format("The body is larger than {} bytes.", settings_.json_limit_bytes),
        {}};
    if (request.content_length.value_or(0) > settings_.json_limit_bytes) {
        co_return co_await respond_unread(problem_response(too_large, request.path), parser);
    }
    if (request.has_body()) {
        if (!co_await say_continue(parser)) {
            co_return Next::hang_up;
        }
        std::array<char, 8 << 10> piece;
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
            if (static_cast<std::int64_t>(request.body.size()) > settings_.json_limit_bytes) {
                co_return co_await respond_unread(problem_response(too_large, request.path),
                                                  parser);
            }
        }
    }
    const Services& services = services_;
    Result<Response> result =
        co_await blocking(pool_, [&services, &request, route]() -> Result<Response> {
            try {
                return route->handler(services, request);
            } catch (const std::exception& e) {
                return std::unexpected(error_of_exception(e));
            }
        });
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
        Result<std::unique_ptr<BodySink>> made = co_await blocking(
            pool_, [&services, &request, route]() -> Result<std::unique_ptr<BodySink>> {
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
    if (!co_await say_continue(parser)) {
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
            good = co_await blocking(pool_, [&sink, bytes]() -> Result<void> {
                try {
                    return sink->write(bytes);
                } catch (const std::exception& e) {
                    return std::unexpected(error_of_exception(e));
                }
            });
        }
    }
    const bool whole = good && !broken;
    // Finished or dropped, on a blocking thread either way: dropping removes a file.
    Result<Response> result = co_await blocking(pool_, [&sink, whole, &good]() -> Result<Response> {
        try {
            Result<Response> done = !good   ? std::unexpected(good.error())
                                    : whole ? sink->finish()
                                            : Result<Response>{Response{}};
            sink.reset();
            return done;
        } catch (const std::exception& e) {
            return std::unexpected(error_of_exception(e));
        }
    });
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

// False: the client is gone.
asio::awaitable<bool> HttpConnection::respond(Response response, bool head_only, bool keep_alive) {
    const auto now = std::chrono::floor<Millis>(std::chrono::system_clock::now());
    std::string text = response_head(response, keep_alive, now);
    const bool bodiless = head_only || response.status == 204 || response.status == 304;
    if (!bodiless && !response.file) {
        text += response.body;
        response.body = {};
    }
    if (!co_await send(text.data(), text.size())) {
        co_return false;
    }
    if (!bodiless && response.file) {
        co_return co_await send_file(std::move(*response.file));
    }
    co_return true;
}

// An answer to a request whose body was perhaps not read: then the connection can't go on.
asio::awaitable<HttpConnection::Next> HttpConnection::respond_unread(Response response,
                                                                     const Parser& parser) {
    const bool keep_alive = parser.is_done() && keeps_alive(parser);
    const bool sent = co_await respond(std::move(response),
                                       parser.get().method() == http::verb::head, keep_alive);
    if (!sent) {
        co_return Next::hang_up;
    }
    co_return keep_alive ? Next::keep_alive : Next::linger;
}

asio::awaitable<bool> HttpConnection::send_file(FileBody file) {
    std::vector<char> chunk(static_cast<std::size_t>(
        std::min<std::int64_t>(file.length, static_cast<std::int64_t>(kUploadChunk))));
    while (file.length > 0) {
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

// Piece by piece, each within the body's patience: a client that does not read is cut.
asio::awaitable<bool> HttpConnection::send(const char* data, std::size_t size) {
    while (size > 0) {
        const std::size_t piece = std::min(size, kWritePiece);
        stream_.expires_after(settings_.body_timeout);
        const auto [ec, written] =
            co_await asio::async_write(stream_, asio::buffer(data, piece), kTuple);
        if (ec) {
            co_return false;
        }
        data += piece;
        size -= piece;
    }
    co_return true;
}

// Closing with unread bytes would reset the connection and take the answer with it (RFC 9112 §9.6):
// says that no more will be sent, then reads a little of what still comes.
asio::awaitable<void> HttpConnection::linger() {
    error_code ec;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ec);
    std::vector<char> waste(16 << 10);
    std::size_t total = 0;
    stream_.expires_after(kLinger);
    idle_ = true;
    while (!ec && !stopping_ && total < kLingerBytes) {
        const auto [error, size] = co_await stream_.async_read_some(asio::buffer(waste), kTuple);
        ec = error;
        total += size;
    }
}

}  // namespace

std::shared_ptr<Connection> make_connection(asio::io_context& io, UniqueFd socket,
                                            const ConnectionContext& context, Welcome welcome) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    error_code ec;
    asio::ip::tcp::socket tcp{asio::make_strand(io)};
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        ec.assign(errno, boost::system::system_category());
    } else {
        tcp.assign(address.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(),
                   socket.get(), ec);
    }
    if (ec) {
        log::warning("A new connection could not be taken: {}.", ec.message());
        return nullptr;
    }
    std::ignore = socket.release();  // now the stream's
    tcp.set_option(asio::ip::tcp::no_delay{true}, ec);
    // Co-owned by its coroutine until that ends, and by whoever is calling one of its methods.
    return std::make_shared<HttpConnection>(std::move(tcp), context, welcome);
}

}  // namespace durascribe::api
