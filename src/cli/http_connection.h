// HTTP/1.1 requests to one server, each on a connection of its own, with a deadline for every wait.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"

namespace durascribe::cli {

struct HttpReply {
    unsigned status = 0;
    std::string body;
};

// One thread. All errors: network "server_unreachable".
class HttpConnection {
  public:
    HttpConnection(std::string host, std::uint16_t port, Millis patience = Millis{30'000});

    Result<HttpReply> get(const std::string& target);
    Result<HttpReply> post(const std::string& target);
    Result<HttpReply> post_json(const std::string& target, const std::string& json);

    // Sends `size` bytes that `next` gives piece by piece (empty: its source failed; the request is
    // broken off). A server that answers before the end is listened to.
    using NextPiece = std::function<std::span<const std::byte>()>;
    Result<HttpReply> post_bytes(const std::string& target, std::int64_t size,
                                 const NextPiece& next,
                                 std::string_view type = "application/octet-stream");

  private:
    std::string host_;
    std::uint16_t port_;
    Millis patience_;
};

// For a query: everything but letters, digits and -._~ as %XX.
std::string url_encoded(std::string_view text);

}  // namespace durascribe::cli
