#include "durascribe/cli/http_connection.h"

#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace durascribe::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::uint64_t kReplyBytesMax = 512ULL << 20;

// One request and its answer. The operations are asynchronous because only those have deadlines in
// Beast; each is waited for at once.
class Exchange {
  public:
    Exchange(const std::string& host, std::uint16_t port, Millis patience, const std::string& token)
        : host_(host), port_(port), patience_(patience), token_(token), stream_(io_) {}

    Result<void> connect() {
        error_code problem;
        asio::ip::tcp::resolver resolver(io_);
        const auto found = resolver.resolve(host_, fmt::format("{}", port_), problem);
        if (!problem) {
            stream_.expires_after(patience_);
            stream_.async_connect(found, [&](error_code e, const auto&) { problem = e; });
            run();
        }
        return outcome(problem);
    }

    template <typename Body>
    http::request<Body> request(http::verb verb, const std::string& target) const {
        http::request<Body> out(verb, target, 11);
        // RFC 3986 §3.2.2: an IPv6 address stands in brackets.
        out.set(http::field::host, host_.find(':') == std::string::npos
                                       ? fmt::format("{}:{}", host_, port_)
                                       : fmt::format("[{}]:{}", host_, port_));
        out.set(http::field::user_agent, "durascribe");
        out.set(http::field::connection, "close");
        if (!token_.empty()) {
            out.set(http::field::authorization, "Bearer " + token_);
        }
        return out;
    }

    template <typename Message>
    error_code write(Message& message) {
        error_code problem;
        stream_.expires_after(patience_);
        http::async_write(stream_, message, [&](error_code e, std::size_t) { problem = e; });
        run();
        return problem;
    }

    template <typename Serializer>
    error_code write_some(Serializer& serializer) {
        error_code problem;
        stream_.expires_after(patience_);
        http::async_write(stream_, serializer, [&](error_code e, std::size_t) { problem = e; });
        run();
        return problem;
    }

    Result<HttpReply> read() {
        error_code problem;
        beast::flat_buffer buffer;
        http::response_parser<http::string_body> parser;
        parser.body_limit(kReplyBytesMax);
        stream_.expires_after(patience_);
        http::async_read(stream_, buffer, parser, [&](error_code e, std::size_t) { problem = e; });
        run();
        if (auto fine = outcome(problem); !fine) {
            return std::unexpected(fine.error());
        }
        return HttpReply{parser.get().result_int(), std::move(parser.get().body())};
    }

    // The whole of it; `body` is JSON where it is not empty.
    template <typename Body>
    Result<HttpReply> ask(http::verb verb, const std::string& target,
                          typename Body::value_type body) {
        if (auto connected = connect(); !connected) {
            return std::unexpected(connected.error());
        }
        auto message = request<Body>(verb, target);
        message.body() = std::move(body);
        if constexpr (std::is_same_v<Body, http::string_body>) {
            if (!message.body().empty()) {
                message.set(http::field::content_type, "application/json");
            }
            message.prepare_payload();
        }
        if (auto sent = outcome(write(message)); !sent) {
            return std::unexpected(sent.error());
        }
        return read();
    }

    Result<void> outcome(error_code problem) const {
        if (problem) {
            return unreachable(problem);
        }
        return {};
    }

    std::unexpected<Error> unreachable(error_code problem) const {
        return fail(
            ErrorClass::network, "server_unreachable",
            fmt::format(
                "The durascribe server on {}:{} does not answer. If it still runs, stop it and "
                "start it again; nothing that it had accepted is lost.",
                host_, port_),
            problem.message());
    }

  private:
    void run() {
        io_.restart();
        io_.run();
    }

    const std::string& host_;
    std::uint16_t port_;
    Millis patience_;
    const std::string& token_;
    asio::io_context io_{1};
    beast::tcp_stream stream_;
};

}  // namespace

HttpConnection::HttpConnection(std::string host, std::uint16_t port, Millis patience,
                               std::string token)
    : host_(std::move(host)), port_(port), patience_(patience), token_(std::move(token)) {}

Result<HttpReply> HttpConnection::get(const std::string& target) {
    return Exchange(host_, port_, patience_, token_)
        .ask<http::empty_body>(http::verb::get, target, {});
}

Result<HttpReply> HttpConnection::post(const std::string& target) {
    return post_json(target, {});
}

Result<HttpReply> HttpConnection::post_json(const std::string& target, std::string body) {
    return Exchange(host_, port_, patience_, token_)
        .ask<http::string_body>(http::verb::post, target, std::move(body));
}

Result<HttpReply> HttpConnection::del(const std::string& target) {
    return Exchange(host_, port_, patience_, token_)
        .ask<http::empty_body>(http::verb::delete_, target, {});
}

Result<HttpReply> HttpConnection::post_bytes(const std::string& target, std::int64_t size,
                                             const NextPiece& next, std::string_view type) {
    Exchange exchange(host_, port_, patience_, token_);
    if (auto connected = exchange.connect(); !connected) {
        return std::unexpected(connected.error());
    }
    auto request = exchange.request<http::buffer_body>(http::verb::post, target);
    request.set(http::field::content_type, boost::beast::string_view(type.data(), type.size()));
    request.content_length(static_cast<std::uint64_t>(size));
    request.body().data = nullptr;
    request.body().more = true;
    http::request_serializer<http::buffer_body> serializer(request);
    // "need_buffer" is how the serializer says that the piece has been sent.
    error_code problem = exchange.write_some(serializer);
    for (std::int64_t sent = 0; sent < size && problem == http::error::need_buffer;) {
        const auto piece = next();
        if (piece.empty()) {
            return exchange.unreachable(asio::error::operation_aborted);
        }
        sent += static_cast<std::int64_t>(piece.size());
        request.body().data =
            const_cast<std::byte*>(piece.data());  // only read: Beast's body is untyped
        request.body().size = piece.size();
        request.body().more = sent < size;
        problem = exchange.write_some(serializer);
    }
    // A server that refuses a body answers and closes: its answer says more than the broken pipe.
    auto reply = exchange.read();
    if (!reply && problem && problem != http::error::need_buffer) {
        return exchange.unreachable(problem);
    }
    return reply;
}

std::string url_encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

}  // namespace durascribe::cli
