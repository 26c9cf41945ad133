#include "durascribe/api/admission.h"

#include <algorithm>
#include <optional>
#include <string>

#include <boost/url.hpp>

namespace durascribe::api {
namespace {

struct HostAndPort {
    std::string host;  // lower case, without brackets
    std::string port;  // "80" where none is said
    bool is_address = false;
};

std::optional<HostAndPort> parse_url(std::string_view text) {
    const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
    if (parsed.has_error() || !parsed->has_authority() || parsed->has_userinfo() ||
        parsed->encoded_host().empty()) {
        return std::nullopt;
    }
    HostAndPort out;
    out.host = parsed->host_type() == boost::urls::host_type::ipv6 ? parsed->host_address()
                                                                   : parsed->host();
    std::ranges::transform(out.host, out.host.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    out.port = std::string{parsed->port()};
    if (out.port.empty()) {
        out.port = parsed->scheme() == "https" ? "443" : "80";
    }
    out.is_address = parsed->host_type() != boost::urls::host_type::name;
    // Of a name that begins with an address (127.0.0.1.evil.example) Boost.URL 1.81 takes the
    // address for the host, and the rest for a path without a slash.
    const std::string path{parsed->encoded_path()};
    if (!path.empty() && !path.starts_with('/')) {
        out.host += path;
        out.is_address = false;
    }
    return out;
}

// Names that resolve to this machine everywhere (RFC 6761 §6.3).
bool is_loopback_name(std::string_view host) {
    return host == "localhost" || host.ends_with(".localhost");
}

}  // namespace

bool changes_state(Method m) {
    return m != Method::get && m != Method::head && m != Method::options;
}

bool names_this_server(const Request& request, std::span<const std::string> allowed_hosts) {
    const std::string* field = request.header("host");
    if (field == nullptr) {
        return true;
    }
    const auto host = parse_url("http://" + *field);
    return host && (host->is_address || is_loopback_name(host->host) ||
                    std::ranges::find(allowed_hosts, host->host) != allowed_hosts.end());
}

Result<void> check_origin(const Request& request, bool http11, bool bound_to_loopback,
                          std::span<const std::string> allowed_hosts, bool origin_is_let_in) {
    const auto is_allowed = [&](const HostAndPort& host) {
        return std::ranges::find(allowed_hosts, host.host) != allowed_hosts.end();
    };
    const auto hosts = std::ranges::count(request.headers, "host", &Fields::value_type::first);
    const std::string* host_field = request.header("host");
    if (hosts > 1 || (hosts == 0 && http11)) {
        return fail(ErrorClass::request, "bad_host", "A request must have exactly one Host field.");
    }
    std::optional<HostAndPort> host;
    if (host_field != nullptr) {
        host = parse_url("http://" + *host_field);
        if (!host) {
            return fail(ErrorClass::request, "bad_host", "The Host field is malformed.");
        }
    }
    const bool names_matter = bound_to_loopback || !allowed_hosts.empty();
    if (names_matter && host && !host->is_address && !is_loopback_name(host->host) &&
        !is_allowed(*host)) {
        return fail(ErrorClass::request, "foreign_host",
                    "This server does not answer to that name. Use its address, or have the name "
                    "added to ALLOWED_HOSTS.");
    }
    const std::string* origin_field = request.header("origin");
    // A WebSocket of a foreign page would read everything: browsers ask no one before.
    const bool guarded = changes_state(request.method) || request.asks_for_websocket();
    if (origin_field == nullptr || !guarded || origin_is_let_in) {
        return {};
    }
    const auto origin = parse_url(*origin_field);
    // Behind a proxy that ends TLS, the page's port is 443 where the Host field says none.
    const bool same = origin && host && origin->host == host->host &&
                      (origin->port == host->port || (origin->port == "443" && host->port == "80"));
    if (!same && !(origin && is_allowed(*origin))) {
        return fail(ErrorClass::request, "foreign_origin",
                    "A page of another site asked for this, and was refused. Use the page "
                    "that this server itself serves.");
    }
    return {};
}

}  // namespace durascribe::api
