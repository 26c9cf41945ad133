// IPv4 and IPv6 addresses and networks, as values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;

namespace durascribe::net {

struct IpAddress {
    bool v6 = false;
    std::array<std::uint8_t, 16> bytes{};  // the first four of them, where it is no IPv6 address

    // Four decimal numbers without leading zeros, or an IPv6 address without brackets and zone.
    static std::optional<IpAddress> parse(std::string_view text);
    // nullopt: of another family.
    static std::optional<IpAddress> of(const sockaddr* address);
    std::string text() const;
    auto operator<=>(const IpAddress&) const = default;
};

struct Network {
    IpAddress address;
    int prefix = 0;

    // "10.0.0.0/8", "fd00::/8", or an address alone, which is a network of one.
    static std::optional<Network> parse(std::string_view text);
    bool contains(const IpAddress& other) const;
    bool operator==(const Network&) const = default;
};

}  // namespace durascribe::net
