// One HTTP request and one answer as the handlers see them: plain values, no sockets, no Beast.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "durascribe/access/principal.h"
#include "durascribe/api/body_stream.h"
#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/base/unique_fd.h"

namespace durascribe::api {

enum class Method { get, head, post, put, patch, del, options, other };

std::string_view to_string(Method m);

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Request {
    Method method = Method::other;
    std::string path;                   // as sent, without the query; has no control characters
    std::vector<std::string> segments;  // of the path, percent-decoded, no empty one at the end
    Fields query;                       // percent-decoded, in order
    Fields headers;                     // names in lower case
    Fields captures;                    // what the route's pattern named
    std::optional<std::int64_t> content_length;
    bool chunked = false;
    std::string body;          // of routes that take a small body
    bool legacy_path = false;  // came by a path of earlier clients
    bool by_https = false;     // to the proxy that passed it on
    access::Principal who;     // may do what the route needs

    // Asks to become a WebSocket (RFC 6455 §4.2.1).
    bool asks_for_websocket() const;
    bool has_body() const { return chunked || content_length.value_or(0) > 0; }
    // The first of that name (lower case), or nullptr.
    const std::string* header(std::string_view name) const;
    // Empty where the pattern names no such part.
    std::string_view capture(std::string_view name) const;
};

// Fills path, segments and query from a request target in origin or absolute form. Errors: request
// "uri_too_long", "bad_target" (not RFC 3986, or percent-encoded bytes that are not UTF-8).
Result<void> parse_target(std::string_view target, Request& into);

// A stretch of a file, read as it is sent.
struct FileBody {
    UniqueFd fd;
    std::int64_t offset = 0;
    std::int64_t length = 0;
};

class LaterResponse;

// One of body, file, stream and later; a body with a file comes before it.
struct Response {
    int status = 200;
    Fields headers;  // without Content-Length, Connection, Date: those are the connection's
    std::string body;
    std::optional<FileBody> file;
    std::unique_ptr<BodyStream> stream;
    std::unique_ptr<LaterResponse> later;  // is asked for the whole response in place of this one

    std::int64_t length() const;
};

// An answer that is not there yet, and for which no thread is held. Owner and destruction as of a
// BodyStream.
class LaterResponse {
  public:
    virtual ~LaterResponse() = default;
    // Once, before all else. `wake` must not be called any more once this is destroyed.
    virtual void start(Wake wake) = 0;
    // On a blocking thread, once at first and then after each wake: the answer, which may have a
    // stream; nullopt: not yet. Never waits.
    virtual Result<std::optional<Response>> look() = 0;
    // On an I/O thread: what is answered when the server stops before.
    virtual Error interrupted() const;  // request "busy"
    // On an I/O thread: how that, and an error of look(), is said.
    virtual Response refused(const Error& error) const;  // problem_response
};

// How the end of a body is told.
enum class Framing { length, chunked, until_close };

// Status line and fields up to and with the blank line.
std::string response_head(const Response& response, bool keep_alive, WallTime now,
                          Framing framing = Framing::length);

std::string_view reason_phrase(int status);

std::string http_date(WallTime t);  // RFC 9110 §5.6.7

}  // namespace durascribe::api
