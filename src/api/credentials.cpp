#include "durascribe/api/credentials.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "durascribe/api/admission.h"

namespace durascribe::api {
namespace {

bool says_proxy(std::string_view field) {
    return field == "forwarded" || field == "via" || field == "x-real-ip" ||
           field.starts_with("x-forwarded-");
}

struct End {
    std::string address;
    bool loopback = false;
};

End end_of_v4(const in_addr& address) {
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &address, text.data(), text.size());
    return {text.data(), (ntohl(address.s_addr) >> 24U) == 127};
}

End end_of(const sockaddr_storage& from) {
    if (from.ss_family == AF_INET) {
        return end_of_v4(reinterpret_cast<const sockaddr_in*>(&from)->sin_addr);
    }
    if (from.ss_family != AF_INET6) {
        return {};
    }
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(&from)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6) != 0) {
        in_addr v4{};
        std::copy_n(&v6.s6_addr[12], 4, reinterpret_cast<unsigned char*>(&v4.s_addr));
        return end_of_v4(v4);
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET6, &v6, text.data(), text.size());
    return {text.data(), IN6_IS_ADDR_LOOPBACK(&v6) != 0};
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    return first == std::string_view::npos
               ? std::string_view{}
               : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool same_word(std::string_view a, std::string_view lower) {
    return std::ranges::equal(a, lower, [](char x, char y) {
        return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y;
    });
}

std::optional<std::string> bearer_of(const Request& request) {
    const std::string* field = request.header("authorization");
    if (field == nullptr) {
        return std::nullopt;
    }
    const std::string_view text = trimmed(*field);
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos || !same_word(text.substr(0, space), "bearer")) {
        return std::nullopt;
    }
    return std::string{trimmed(text.substr(space))};
}

std::optional<std::string> cookie_of(const Request& request) {
    for (const auto& [name, value] : request.headers) {
        if (name != "cookie") {
            continue;
        }
        std::string_view rest = value;
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find(';'), rest.size());
            const std::string_view pair = trimmed(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
            const std::size_t equals = pair.find('=');
            if (equals != std::string_view::npos && pair.substr(0, equals) == kSessionCookie) {
                return std::string{pair.substr(equals + 1)};
            }
        }
    }
    return std::nullopt;
}

bool is_trusted_proxy(const Peer& peer, const ServerSettings& settings) {
    return std::ranges::find(settings.trusted_proxies, peer.address) !=
           settings.trusted_proxies.end();
}

}  // namespace

Peer peer_of(int socket) {
    sockaddr_storage mine{};
    sockaddr_storage theirs{};
    socklen_t my_length = sizeof mine;
    socklen_t their_length = sizeof theirs;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&mine), &my_length) != 0 ||
        ::getpeername(socket, reinterpret_cast<sockaddr*>(&theirs), &their_length) != 0) {
        return {};  // gone already, or no socket of ours: nobody's privileges
    }
    End end = end_of(theirs);
    return {std::move(end.address), end.loopback && end_of(mine).loopback};
}

access::Credentials credentials_of(const Request& request, const Peer& peer, bool bound_to_loopback,
                                   const ServerSettings& settings) {
    const bool by_proxy = is_trusted_proxy(peer, settings);
    const bool passed_on =
        by_proxy || std::ranges::any_of(request.headers, says_proxy, &Fields::value_type::first);
    const std::string* csrf = request.header("x-csrf-token");
    return {.bearer = bearer_of(request),
            .session = cookie_of(request),
            .csrf = csrf != nullptr ? std::optional{*csrf} : std::nullopt,
            // A page that a browser of this machine shows, under a name that was made to lead here,
            // is no program of this machine.
            .from_this_machine =
                peer.loopback && !passed_on && names_this_server(request, settings.allowed_hosts),
            .proxied_on_loopback = peer.loopback && bound_to_loopback && !by_proxy,
            .changes_state = changes_state(request.method)};
}

bool came_by_https(const Request& request, const Peer& peer, const ServerSettings& settings) {
    const std::string* scheme = request.header("x-forwarded-proto");
    return scheme != nullptr && is_trusted_proxy(peer, settings) &&
           same_word(trimmed(*scheme), "https");
}

std::string session_cookie(std::string_view secret, std::int64_t seconds, bool by_https) {
    return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{}", kSessionCookie,
                       secret, seconds, by_https ? "; Secure" : "");
}

}  // namespace durascribe::api
