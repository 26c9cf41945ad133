// What an http(s) address names. Read by libcurl's own parser, so that what is checked is what is
// connected to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "durascribe/base/error.h"
#include "durascribe/net/ip_address.h"

namespace durascribe::net {

inline constexpr std::size_t kWebAddressMax = 4096;  // bytes

struct WebAddress {
    std::string text;    // normalised, without a fragment
    std::string scheme;  // "http", "https"
    std::string host;    // lower case; an IPv6 address without brackets
    std::uint16_t port = 0;
    std::string path;                  // percent-encoded, from its slash on
    std::optional<IpAddress> literal;  // where the host is an address

    // Errors: input "bad_url": not http or https, with a user name, too long, with a host that is
    // no name and no plain address (decimal, octal and hexadecimal forms of IPv4 are none).
    static Result<WebAddress> parse(std::string_view text);
    // A Location header as the answer to this address.
    Result<WebAddress> resolve(std::string_view reference) const;

    // The last segment of the path, decoded; empty where there is none.
    std::string file_name() const;
};

}  // namespace durascribe::net
