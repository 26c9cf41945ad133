#include "durascribe/api/request_id.h"

#include <algorithm>

#include <fmt/format.h>

#include "durascribe/base/ids.h"

namespace durascribe::api {
namespace {

constexpr std::size_t kLongest = 128;

bool well_formed(const std::string& id) {
    return !id.empty() && id.size() <= kLongest && std::ranges::all_of(id, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_';
    });
}

bool has_field(const Response& response, std::string_view name, std::string_view value = {}) {
    return std::ranges::any_of(response.headers, [&](const auto& field) {
        return field.first == name && (value.empty() || field.second == value);
    });
}

}  // namespace

std::string request_id_of(const Request& request) {
    const std::string* given = request.header("x-request-id");
    return given != nullptr && well_formed(*given) ? *given : new_uuid();
}

void name_request(Response& response, const std::string& id) {
    if (id.empty()) {
        return;
    }
    if (!has_field(response, "X-Request-Id")) {
        response.headers.emplace_back("X-Request-Id", id);
    }
    // Made of letters, digits and three marks: there is nothing to escape.
    if (has_field(response, "Content-Type", "application/problem+json") &&
        response.body.starts_with('{')) {
        response.body.insert(1, fmt::format("\"request_id\":\"{}\",", id));
    }
}

}  // namespace durascribe::api
