#include "durascribe/api/router.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace durascribe::api {
namespace {

// Every request is held against every route: nothing here allocates but for what matches.

// Takes the first segment off a path that begins with a slash.
std::string_view take_segment(std::string_view& path) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    return segment;
}

bool fits(std::string_view pattern, std::string_view segment) {
    const std::size_t brace = pattern.find('{');
    if (brace == std::string_view::npos) {
        return pattern == segment;
    }
    return segment.size() > brace && segment.starts_with(pattern.substr(0, brace));
}

bool fits(std::string_view pattern, const std::vector<std::string>& segments) {
    // Most fail here, at the cost of a glance: "/" alone has a slash more than segments.
    const auto slashes = static_cast<std::size_t>(std::ranges::count(pattern, '/'));
    if (slashes != std::max<std::size_t>(segments.size(), 1)) {
        return false;
    }
    for (const std::string& segment : segments) {
        if (pattern.size() < 2 || !fits(take_segment(pattern), segment)) {
            return false;
        }
    }
    return pattern.size() < 2;  // at its end, or "/"
}

// Requires fits().
Fields captures_of(std::string_view pattern, const std::vector<std::string>& segments) {
    Fields captures;
    for (const std::string& segment : segments) {
        const std::string_view wanted = take_segment(pattern);
        const std::size_t brace = wanted.find('{');
        if (brace != std::string_view::npos) {
            captures.emplace_back(wanted.substr(brace + 1, wanted.size() - brace - 2),
                                  segment.substr(brace));
        }
    }
    return captures;
}

// How many segments of the path `from` is, where the segments begin with it.
std::optional<std::size_t> begins_with(const std::vector<std::string>& segments,
                                       std::string_view from) {
    std::size_t count = 0;
    while (!from.empty()) {
        if (count == segments.size() || take_segment(from) != segments[count]) {
            return std::nullopt;
        }
        ++count;
    }
    return count;
}

void resolve_alias(std::span<const PathAlias> aliases, Request& request) {
    for (const auto& [from, to] : aliases) {
        const auto old = begins_with(request.segments, from);
        if (!old) {
            continue;
        }
        std::vector<std::string> segments;
        for (std::string_view now = to; !now.empty();) {
            segments.emplace_back(take_segment(now));
        }
        segments.insert(segments.end(),
                        request.segments.begin() + static_cast<std::ptrdiff_t>(*old),
                        request.segments.end());
        request.segments = std::move(segments);
        request.legacy_path = true;
        return;
    }
}

// Empty: no route is there.
std::string allowed_at(std::span<const Route> routes, const std::vector<std::string>& segments) {
    std::string allow;
    bool known = false;
    for (const Route& route : routes) {
        if (!fits(route.pattern, segments)) {
            continue;
        }
        known = true;
        if (route.method != Method::options) {  // told at the end, of every path
            allow += to_string(route.method);
            allow += route.method == Method::get ? ", HEAD, " : ", ";
        }
    }
    return known ? allow + "OPTIONS" : allow;
}

}  // namespace

RouteMatch find_route(std::span<const Route> routes, std::span<const PathAlias> aliases,
                      Request& request) {
    resolve_alias(aliases, request);
    const Method wanted = request.method == Method::head ? Method::get : request.method;
    for (const Route& route : routes) {
        if (route.method == wanted && fits(route.pattern, request.segments)) {
            request.captures = captures_of(route.pattern, request.segments);
            return {.route = &route, .allow = {}};
        }
    }
    return {.route = nullptr, .allow = allowed_at(routes, request.segments)};
}

}  // namespace durascribe::api
