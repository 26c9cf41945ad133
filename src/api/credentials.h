// What a request and its socket say of who asks: read here, judged by access::AccessControl. Pure,
// but for peer_of().
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "durascribe/access/access_control.h"
#include "durascribe/api/message.h"
#include "durascribe/api/server.h"

namespace durascribe::api {

inline constexpr std::string_view kSessionCookie = "durascribe_session";

// The other end of a connection.
struct Peer {
    std::string address;    // as text, IPv4 where it is mapped into IPv6; empty: not known
    bool loopback = false;  // both ends are
};
Peer peer_of(int socket);

// A request that a proxy passed on says so (Forwarded, X-Forwarded-…, Via), or its peer is in
// TRUSTED_PROXIES: it is not from this machine, whatever its address.
access::Credentials credentials_of(const Request& request, const Peer& peer, bool bound_to_loopback,
                                   const ServerSettings& settings);

// Whether the client spoke https to a proxy that is trusted to say so.
bool came_by_https(const Request& request, const Peer& peer, const ServerSettings& settings);

// The value of Set-Cookie. `seconds` 0: the browser forgets it.
std::string session_cookie(std::string_view secret, std::int64_t seconds, bool by_https);

}  // namespace durascribe::api
