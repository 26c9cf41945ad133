#include "durascribe/api/connection.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/http/read.hpp>

#include "durascribe/api/admission.h"
#include "durascribe/api/blocking.h"
#include "durascribe/api/contract.h"
#include "durascribe/api/http_connection.h"
#include "durascribe/api/negotiation.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/request_id.h"
#include "durascribe/api/routes.h"

namespace durascribe::api {
namespace {

constexpr std::uint32_t kHeaderMax = 16 << 10;
constexpr std::size_t kFirstRead = 512;  // what an idle connection holds
constexpr std::chrono::seconds kLinger{2};
constexpr std::size_t kLingerBytes = 4 << 20;
constexpr const char* kWebSocketVersion = "13";
constexpr std::size_t kWebSocketKeySize = 24;
// More is no length that anybody means, and would not fit the numbers here.
constexpr std::uint64_t kBodyMax = std::uint64_t{1} << 60;

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

// What says where a request ends must say it in one way (RFC 9112 §6.3). Beast passes over a
// Transfer-Encoding that is not just "chunked": the body would be read as the next request.
Result<void> check_framing(const Parser& parser) {
    const auto& header = parser.get();
    const auto codings = header.count(http::field::transfer_encoding);
    const bool chunked = codings == 1 && header.version() >= 11 && parser.chunked() &&
                         lower(header[http::field::transfer_encoding]) == "chunked" &&
                         header.count(http::field::content_length) == 0;
    if (codings > 0 && !chunked) {
        return fail(ErrorClass::request, "bad_request",
                    "The only Transfer-Encoding that is taken is chunked, in HTTP/1.1 and without "
                    "a Content-Length.");
    }
    if (parser.content_length().value_or(0) > kBodyMax) {
        return fail(ErrorClass::request, "body_too_large",
                    "The Content-Length is larger than any that is taken.");
    }
    return {};
}

// What Beast would refuse in words of its own (RFC 6455 §4.2.1).
Result<void> check_handshake(const Request& request) {
    const std::string* version = request.header("sec-websocket-version");
    if (version == nullptr || *version != kWebSocketVersion) {
        return fail(ErrorClass::request, "upgrade_required",
                    fmt::format("The WebSocket that is spoken here is version {}: "
                                "Sec-WebSocket-Version must say so.",
                                kWebSocketVersion));
    }
    const std::string* key = request.header("sec-websocket-key");
    if (key == nullptr || key->size() != kWebSocketKeySize) {
        return fail(ErrorClass::request, "bad_request",
                    "Sec-WebSocket-Key must be there once, 16 bytes in Base64.");
    }
    if (!lower(joined_fields(request, "connection")).contains("upgrade")) {
        return fail(ErrorClass::request, "upgrade_required",
                    "Connection must say Upgrade where a WebSocket is asked for.");
    }
    return {};
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

}  // namespace

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

asio::awaitable<void> HttpConnection::serve() {
    bool first = true;
    while (!stopping_ && co_await wait_for_request(std::exchange(first, false))) {
        Parser parser;
        parser.header_limit(kHeaderMax);
        parser.body_limit(boost::none);  // handlers and the engine count
        page_ = {};
        takes_gzip_ = false;
        body_left_ = 0;
        const error_code ec = co_await read_header(parser);
        if (ec) {
            now_ = {};
            if (is_parse_error(ec)) {
                co_await respond(problem_response(error_of_parse(ec), ""), false, false);
                co_await linger();
            }
            break;
        }
        if (const auto framed = check_framing(parser); !framed) {
            now_ = {};
            co_await respond(problem_response(framed.error(), ""), false, false);
            co_await linger();
            break;
        }
        const Next next = co_await serve_one(parser);
        tell_of_request();
        // At a stop the process may end soon, and with it, in a container, what the kernel still
        // has to send: the client hangs up when it has all of it.
        if (next == Next::linger || (next == Next::hang_up && stopping_ && !gone_ && !closing_)) {
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

// What is there already mostly holds all of it: then nothing is waited for.
asio::awaitable<error_code> HttpConnection::read_header(Parser& parser) {
    error_code ec;
    const std::size_t held = parser.put(buffer_.data(), ec);
    buffer_.consume(held);
    services_.metrics.received(held);
    if (ec == http::error::need_more) {
        stream_.expires_after(settings_.header_timeout);
        const auto [failed, size] =
            co_await http::async_read_header(stream_, buffer_, parser, kTuple);
        services_.metrics.received(size);
        ec = failed;
    }
    co_return ec;
}

asio::awaitable<HttpConnection::Next> HttpConnection::serve_one(Parser& parser) {
    Request request = request_of(parser);
    body_refused_ = false;
    body_left_ =
        parser.chunked() ? std::nullopt : std::optional{parser.content_length().value_or(0)};
    now_ = {};
    now_.id = request_id_of(request);
    now_.method = to_string(request.method);
    http11_ = parser.get().version() >= 11;
    takes_gzip_ = accepts_gzip(joined_fields(request, "accept-encoding"));
    page_ = foreign_page_of(request, settings_.cors_origins);
    const std::string_view target{parser.get().target().data(), parser.get().target().size()};
    Result<const Route*> admitted = nullptr;
    if (auto parsed = parse_target(target, request); !parsed) {
        admitted = std::unexpected(parsed.error());
    } else {
        RouteMatch match = find_route(routes_, path_aliases(), request);
        now_.what = fmt::format("{} {}", now_.method, request.path);
        now_.route = match.route != nullptr ? match.route->pattern : std::string_view{};
        admitted = admit(request, http11_);
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
                      : no_route(request.path),
                request.path);
            if (known) {
                response.headers.emplace_back("Allow", match.allow);
            }
            co_return co_await respond_unread(std::move(response), parser);
        }
        if (admitted) {
            const auto known = authorise(request, *match.route);
            const auto asked = known ? check_contract(*match.route, request) : known;
            admitted = asked ? Result<const Route*>(match.route) : std::unexpected(asked.error());
        }
    }
    if (!admitted) {
        Response refused = problem_response(admitted.error(), request.path);
        if (admitted.error().code == "bad_host") {
            // Whom the rest of such a connection speaks to is not known (RFC 9112 §3.2).
            co_return co_await respond(std::move(refused), request.method == Method::head, false)
                ? Next::linger
                : Next::hang_up;
        }
        co_return co_await respond_unread(std::move(refused), parser);
    }
    Next next = Next::hang_up;
    if ((*admitted)->talk != nullptr) {
        next = co_await serve_websocket(parser, std::move(request), *admitted);
    } else if ((*admitted)->sink != nullptr) {
        next = co_await serve_upload(parser, std::move(request), *admitted);
    } else {
        next = co_await serve_small(parser, std::move(request), *admitted);
    }
    co_return next;
}

// The one place from which a request is told to the log and the metrics.
void HttpConnection::tell_of_request() {
    if (now_.status == 0) {
        return;  // the client went before there was an answer
    }
    services_.metrics.answered(now_.method, now_.route, now_.status, now_.worked);
    const Millis worked = std::chrono::duration_cast<Millis>(now_.worked);
    const bool slow = settings_.slow_request > Millis{0} && worked >= settings_.slow_request;
    if (!slow && !log::enabled(log::Level::debug)) {
        return;
    }
    const log::Scope about{{"request_id", now_.id},
                           {"route", now_.route},
                           {"status", std::to_string(now_.status)},
                           {"took_ms", std::to_string(worked.count())}};
    if (slow) {
        log::warning("slow request: {} took the server {} ms, status {}, request {}", now_.what,
                     worked.count(), now_.status, now_.id);
    } else {
        log::debug("{}: {}, {} ms", now_.what, now_.status, worked.count());
    }
}

// What can be refused before any route is asked; the route itself is found by the caller.
Result<const Route*> HttpConnection::admit(Request& request, bool http11) {
    if (auto allowed = check_origin(request, http11, bound_to_loopback_, settings_.allowed_hosts,
                                    !page_.origin.empty());
        !allowed) {
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

// The one place where it is decided who may do what, by what the route needs.
Result<void> HttpConnection::authorise(Request& request, const Route& route) {
    access_ended_ = false;
    auto who = services_.access.admit(credentials_of(request, peer_, bound_to_loopback_, settings_),
                                      route.need);
    if (!who) {
        return std::unexpected(who.error());
    }
    who_ = *who;
    request.who = std::move(*who);
    request.by_https = came_by_https(request, peer_, settings_);
    return {};
}

// Returns when the WebSocket has ended, or where it was refused.
asio::awaitable<HttpConnection::Next> HttpConnection::serve_websocket(Parser& parser,
                                                                      Request request,
                                                                      const Route* route) {
    Result<std::unique_ptr<SocketTalk>> talk = nullptr;
    if (!settings_.websockets) {
        talk = fail(ErrorClass::request, "websocket_off",
                    "WebSockets are turned off here (ENABLE_PROGRESS_WEBSOCKET). The same events "
                    "come from /api/v1/events.");
    } else if (!http11_ || !request.asks_for_websocket()) {
        talk = fail(ErrorClass::request, "upgrade_required",
                    "This address speaks WebSocket alone. Over plain HTTP the same events come "
                    "from /api/v1/events.");
    } else if (auto offered = check_handshake(request); !offered) {
        talk = std::unexpected(offered.error());
    } else if (request.has_body() || buffer_.size() > 0) {
        talk = fail(ErrorClass::request, "bad_request",
                    "A request for a WebSocket has no body, and nothing follows it before the "
                    "answer.");
    } else {
        const Services& services = services_;
        talk =
            co_await at_work([&services, &request, route]() -> Result<std::unique_ptr<SocketTalk>> {
                try {
                    return route->talk(services, request);
                } catch (const std::exception& e) {
                    return std::unexpected(error_of_exception(e));
                }
            });
    }
    if (!talk) {
        Response response = problem_response(talk.error(), request.path);
        if (response.status == 426) {
            response.headers.emplace_back("Upgrade", "websocket");
            response.headers.emplace_back("Sec-WebSocket-Version", kWebSocketVersion);
        }
        co_return co_await respond_unread(std::move(response), parser);
    }
    if (stopping_ || access_ended_) {
        co_return Next::hang_up;
    }
    stream_.expires_never();
    now_.status = 101;
    socket_ = std::make_shared<WebSocketSession>(stream_.release_socket(), pool_, settings_,
                                                 services_.metrics, std::move(*talk));
    // It may last for days: what only the request needed goes.
    request = {};
    buffer_.shrink_to_fit();
    co_await socket_->run(std::move(parser.release().base()));
    socket_.reset();
    co_return Next::hang_up;
}

// Closing with unread bytes would reset the connection and take the answer with it (RFC 9112 §9.6):
// says that no more will be sent, then reads a little of what still comes.
asio::awaitable<void> HttpConnection::linger() {
    error_code ec;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ec);
    std::vector<char> waste(16 << 10);
    std::size_t total = 0;
    stream_.expires_after(kLinger);
    while (!ec && total < kLingerBytes) {
        const auto [error, size] = co_await stream_.async_read_some(asio::buffer(waste), kTuple);
        ec = error;
        total += size;
    }
}

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
    tcp.non_blocking(true, ec);  // see HttpConnection::send
    // Co-owned by its coroutine until that ends, and by whoever is calling one of its methods.
    return std::make_shared<HttpConnection>(std::move(tcp), context, welcome);
}

}  // namespace durascribe::api
