#include "durascribe/api/router.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace durascribe::api {
namespace {

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> segments;
    while (!path.empty()) {
        path.remove_prefix(1);  // the slash
        const std::size_t end = std::min(path.find('/'), path.size());
        segments.push_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    if (!segments.empty() && segments.back().empty()) {
        segments.pop_back();
    }
    return segments;
}

bool match_segment(std::string_view pattern, std::string_view segment, Fields& captures) {
    const std::size_t brace = pattern.find('{');
    if (brace == std::string_view::npos) {
        return pattern == segment;
    }
    const std::string_view fixed = pattern.substr(0, brace);
    if (!segment.starts_with(fixed) || segment.size() == fixed.size()) {
        return false;
    }
    captures.emplace_back(pattern.substr(brace + 1, pattern.size() - brace - 2),
                          segment.substr(fixed.size()));
    return true;
}

std::optional<Fields> match(std::string_view pattern, const std::vector<std::string>& segments) {
    const auto wanted = split(pattern);
    if (wanted.size() != segments.size()) {
        return std::nullopt;
    }
    Fields captures;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (!match_segment(wanted[i], segments[i], captures)) {
            return std::nullopt;
        }
    }
    return captures;
}

void resolve_alias(std::span<const PathAlias> aliases, Request& request) {
    for (const auto& [from, to] : aliases) {
        const auto old = split(from);
        if (request.segments.size() < old.size() ||
            !std::equal(old.begin(), old.end(), request.segments.begin())) {
            continue;
        }
        const auto now = split(to);
        std::vector<std::string> segments{now.begin(), now.end()};
        segments.insert(segments.end(),
                        request.segments.begin() + static_cast<std::ptrdiff_t>(old.size()),
                        request.segments.end());
        request.segments = std::move(segments);
        request.legacy_path = true;
        return;
    }
}

}  // namespace

RouteMatch find_route(std::span<const Route> routes, std::span<const PathAlias> aliases,
                      Request& request) {
    resolve_alias(aliases, request);
    const Method wanted = request.method == Method::head ? Method::get : request.method;
    RouteMatch found;
    bool known = false;
    for (const Route& route : routes) {
        auto captures = match(route.pattern, request.segments);
        if (!captures) {
            continue;
        }
        known = true;
        if (route.method != Method::options) {  // told at the end, of every path
            found.allow += to_string(route.method);
            found.allow += route.method == Method::get ? ", HEAD, " : ", ";
        }
        if (route.method == wanted && found.route == nullptr) {
            found.route = &route;
            request.captures = std::move(*captures);
        }
    }
    if (known) {
        found.allow += "OPTIONS";
    }
    return found;
}

}  // namespace durascribe::api
