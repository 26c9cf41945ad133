#include "durascribe/api/cors.h"

#include <algorithm>

#include "durascribe/api/negotiation.h"

namespace durascribe::api {
namespace {

constexpr std::string_view kMayRead =
    "Location, ETag, Content-Disposition, Content-Range, Retry-After, Idempotency-Replayed, "
    "Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, "
    "Upload-Offset, Upload-Length, Upload-Metadata, Upload-Expires, Upload-Defer-Length, "
    "X-Durascribe-Media-Id, X-Durascribe-Task-Id, X-Durascribe-Task-Status, "
    "X-Transcript-Complete, X-Transcript-Status, X-Transcript-Task, X-Request-Id, X-Should-Retry";
constexpr std::string_view kMaySend =
    "Authorization, Content-Type, Content-Disposition, Accept, Idempotency-Key, If-Match, "
    "If-None-Match, If-Range, Range, Last-Event-ID, Tus-Resumable, Upload-Length, Upload-Offset, "
    "Upload-Metadata, Upload-Checksum, Upload-Defer-Length, X-HTTP-Method-Override, X-Request-Id, "
    "X-Requested-With";
constexpr std::string_view kKnownFor = "600";  // seconds for which a browser need not ask again

// RFC 9110 §5.6.2.
bool is_token(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view{"!#$%&'*+-.^_`|~"}.contains(c);
    });
}

// What a page of the list wants to send besides: libraries have fields of their own
// (X-Stainless-Lang), which nothing here reads. A name that is none goes no further.
std::string fields_asked_for(std::string_view list) {
    constexpr std::string_view kSpace = " \t";
    std::string all;
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        std::string_view name = list.substr(0, comma);
        list.remove_prefix(std::min(comma + 1, list.size()));
        name.remove_prefix(std::min(name.find_first_not_of(kSpace), name.size()));
        name = name.substr(0, name.find_last_not_of(kSpace) + 1);
        if (is_token(name)) {
            all += ", ";
            all += name;
        }
    }
    return all;
}

}  // namespace

ForeignPage foreign_page_of(const Request& request, std::span<const std::string> origins) {
    ForeignPage page;
    page.configured = !origins.empty();
    const std::string* origin = request.header("origin");
    if (origin == nullptr || std::ranges::find(origins, *origin) == origins.end()) {
        return page;
    }
    page.origin = *origin;
    page.asks_first = request.method == Method::options &&
                      request.header("access-control-request-method") != nullptr;
    page.asks_for_private_network =
        page.asks_first && request.header("access-control-request-private-network") != nullptr;
    if (page.asks_first) {
        page.more_fields =
            fields_asked_for(joined_fields(request, "access-control-request-headers"));
    }
    return page;
}

void add_cors_fields(const ForeignPage& page, Response& response) {
    if (page.configured) {
        response.headers.emplace_back("Vary", "Origin");
    }
    if (page.origin.empty()) {
        return;
    }
    response.headers.emplace_back("Access-Control-Allow-Origin", page.origin);
    if (!page.asks_first) {
        response.headers.emplace_back("Access-Control-Expose-Headers", std::string{kMayRead});
        return;
    }
    const auto allow = std::ranges::find(response.headers, "Allow", &Fields::value_type::first);
    if (allow != response.headers.end()) {
        std::string methods = allow->second;
        response.headers.emplace_back("Access-Control-Allow-Methods", std::move(methods));
    }
    response.headers.emplace_back("Access-Control-Allow-Headers",
                                  std::string{kMaySend} + page.more_fields);
    response.headers.emplace_back("Access-Control-Max-Age", std::string{kKnownFor});
    if (page.asks_for_private_network) {
        response.headers.emplace_back("Access-Control-Allow-Private-Network", "true");
    }
}

}  // namespace durascribe::api
