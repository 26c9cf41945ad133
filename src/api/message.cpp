#include "durascribe/api/message.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>
#include <boost/url.hpp>

#include "durascribe/api/names.h"
#include "durascribe/api/problem.h"

namespace durascribe::api {
namespace {

constexpr std::size_t kTargetMax = 8 << 10;
constexpr std::size_t kParametersMax = 100;
constexpr std::size_t kUsualHead = 512;

bool is_one_line(std::string_view text) {
    return text.find_first_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos;
}

Error bad_target(std::string detail) {
    return {ErrorClass::request, "bad_target",
            "The address of the request is malformed. Percent-encode every character that a URL "
            "does not allow.",
            std::move(detail)};
}

std::string format_http_date(WallTime now) {
    static constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = std::chrono::floor<std::chrono::days>(now);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(now - day)};
    return fmt::format(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday{day}.c_encoding()],
        static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
        static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
        clock.seconds().count());
}

}  // namespace

std::string http_date(WallTime now) {
    // Thousands are asked for within one second.
    thread_local WallTime made_for;
    thread_local std::string made;
    const WallTime second{std::chrono::floor<std::chrono::seconds>(now.time_since_epoch())};
    if (made.empty() || second != made_for) {
        made = format_http_date(now);
        made_for = second;
    }
    return made;
}

std::string_view to_string(Method m) {
    switch (m) {
        case Method::get:
            return "GET";
        case Method::head:
            return "HEAD";
        case Method::post:
            return "POST";
        case Method::put:
            return "PUT";
        case Method::patch:
            return "PATCH";
        case Method::del:
            return "DELETE";
        case Method::options:
            return "OPTIONS";
        case Method::other:
            return "OTHER";
    }
    assertion_failed("known Method", __FILE__, __LINE__);
}

const std::string* Request::header(std::string_view name) const {
    const auto found = std::ranges::find(headers, name, &Fields::value_type::first);
    return found == headers.end() ? nullptr : &found->second;
}

bool Request::asks_for_websocket() const {
    static constexpr std::string_view kWanted = "websocket";
    const std::string* upgrade = header("upgrade");
    return upgrade != nullptr && !std::ranges::search(*upgrade, kWanted, [](char a, char b) {
                                      return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
                                  }).empty();
}

std::string_view Request::capture(std::string_view name) const {
    const auto found = std::ranges::find(captures, name, &Fields::value_type::first);
    return found == captures.end() ? std::string_view{} : std::string_view{found->second};
}

Result<void> parse_target(std::string_view target, Request& into) {
    if (target.size() > kTargetMax) {
        return fail(ErrorClass::request, "uri_too_long",
                    fmt::format("The address of the request is longer than {} bytes. Shorten its "
                                "query.",
                                kTargetMax));
    }
    if (target == "*" && into.method == Method::options) {
        into.path = "*";
        return {};
    }
    const boost::core::string_view text{target.data(), target.size()};
    auto parsed = boost::urls::parse_origin_form(text);
    if (parsed.has_error()) {
        parsed = boost::urls::parse_absolute_uri(text);
    }
    if (parsed.has_error()) {
        return std::unexpected(bad_target(parsed.error().message()));
    }
    const boost::urls::url_view url = *parsed;
    into.path = std::string{url.encoded_path()};
    for (const auto segment : url.encoded_segments()) {
        into.segments.push_back(segment.decode());
        if (!is_valid_utf8(into.segments.back())) {
            return std::unexpected(bad_target("path is not UTF-8"));
        }
    }
    // "/api/v1/media/" is "/api/v1/media".
    if (!into.segments.empty() && into.segments.back().empty()) {
        into.segments.pop_back();
    }
    boost::urls::encoding_opts form;
    form.space_as_plus = true;
    for (const auto param : url.encoded_params()) {
        if (into.query.size() == kParametersMax) {
            return fail(ErrorClass::request, "bad_target",
                        fmt::format("The address of the request has more than {} query parameters. "
                                    "Send fewer, or several values in one, with commas.",
                                    kParametersMax));
        }
        into.query.emplace_back(param.key.decode(form), param.value.decode(form));
        if (!is_valid_utf8(into.query.back().first) || !is_valid_utf8(into.query.back().second)) {
            return std::unexpected(bad_target("query is not UTF-8"));
        }
    }
    return {};
}

std::int64_t Response::length() const {
    return static_cast<std::int64_t>(body.size()) + (file ? file->length : 0);
}

Error LaterResponse::interrupted() const {
    return {ErrorClass::request, "busy", "The server is stopping. Ask again in a moment.", {}};
}

Response LaterResponse::refused(const Error& error) const {
    return problem_response(error, "");
}

std::string response_head(const Response& response, bool keep_alive, WallTime now,
                          Framing framing) {
    std::string head;
    head.reserve(kUsualHead + response.body.size());  // the body is appended to it
    fmt::format_to(std::back_inserter(head), "HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status,
                   reason_phrase(response.status), http_date(now));
    for (const auto& [name, value] : response.headers) {
        DURASCRIBE_ASSERT(is_one_line(name) && is_one_line(value));
        head.append(name).append(": ").append(value).append("\r\n");
    }
    // A 204 and a 304 have no body and say no length (RFC 9110 §8.6).
    if (framing == Framing::chunked) {
        head += "Transfer-Encoding: chunked\r\n";
    } else if (framing == Framing::length && response.status != 204 && response.status != 304) {
        fmt::format_to(std::back_inserter(head), "Content-Length: {}\r\n", response.length());
    }
    head += "X-Content-Type-Options: nosniff\r\n";
    // What says Upgrade says so of its connection, too (RFC 9110 §7.8).
    head += response.status == 426 ? "Connection: upgrade, " : "Connection: ";
    head += keep_alive ? "keep-alive\r\n\r\n" : "close\r\n\r\n";
    return head;
}

std::string_view reason_phrase(int status) {
    static constexpr std::array kPhrases{
        std::pair{200, std::string_view{"OK"}},
        std::pair{201, std::string_view{"Created"}},
        std::pair{202, std::string_view{"Accepted"}},
        std::pair{204, std::string_view{"No Content"}},
        std::pair{206, std::string_view{"Partial Content"}},
        std::pair{304, std::string_view{"Not Modified"}},
        std::pair{400, std::string_view{"Bad Request"}},
        std::pair{401, std::string_view{"Unauthorized"}},
        std::pair{403, std::string_view{"Forbidden"}},
        std::pair{404, std::string_view{"Not Found"}},
        std::pair{405, std::string_view{"Method Not Allowed"}},
        std::pair{406, std::string_view{"Not Acceptable"}},
        std::pair{409, std::string_view{"Conflict"}},
        std::pair{410, std::string_view{"Gone"}},
        std::pair{412, std::string_view{"Precondition Failed"}},
        std::pair{413, std::string_view{"Content Too Large"}},
        std::pair{414, std::string_view{"URI Too Long"}},
        std::pair{415, std::string_view{"Unsupported Media Type"}},
        std::pair{416, std::string_view{"Range Not Satisfiable"}},
        std::pair{417, std::string_view{"Expectation Failed"}},
        std::pair{422, std::string_view{"Unprocessable Content"}},
        std::pair{423, std::string_view{"Locked"}},
        std::pair{426, std::string_view{"Upgrade Required"}},
        std::pair{428, std::string_view{"Precondition Required"}},
        std::pair{429, std::string_view{"Too Many Requests"}},
        std::pair{431, std::string_view{"Request Header Fields Too Large"}},
        std::pair{460, std::string_view{"Checksum Mismatch"}},
        std::pair{500, std::string_view{"Internal Server Error"}},
        std::pair{502, std::string_view{"Bad Gateway"}},
        std::pair{503, std::string_view{"Service Unavailable"}},
        std::pair{504, std::string_view{"Gateway Timeout"}},
        std::pair{507, std::string_view{"Insufficient Storage"}},
    };
    const auto* found =
        std::ranges::find(kPhrases, status, &std::pair<int, std::string_view>::first);
    return found == kPhrases.end() ? "Unknown" : found->second;
}

}  // namespace durascribe::api
