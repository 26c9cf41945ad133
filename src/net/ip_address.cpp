#include "durascribe/net/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace durascribe::net {

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string terminated(text);
    if (terminated.size() != std::strlen(terminated.c_str())) {
        return std::nullopt;
    }
    IpAddress address;
    // inet_pton takes no short, octal or hexadecimal form (POSIX).
    if (::inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) {
        return address;
    }
    address.v6 = true;
    if (::inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) {
        return address;
    }
    return std::nullopt;
}

std::optional<IpAddress> IpAddress::of(const sockaddr* address) {
    IpAddress out;
    if (address->sa_family == AF_INET) {
        std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
        return out;
    }
    if (address->sa_family == AF_INET6) {
        out.v6 = true;
        std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr,
                    16);
        return out;
    }
    return std::nullopt;
}

std::string IpAddress::text() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    ::inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), buffer.data(), buffer.size());
    return buffer.data();
}

std::optional<Network> Network::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) {
        return std::nullopt;
    }
    const int longest = address->v6 ? 128 : 32;
    int prefix = longest;
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        const auto [end, problem] =
            std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
        if (problem != std::errc{} || end != digits.data() + digits.size() || prefix < 0 ||
            prefix > longest) {
            return std::nullopt;
        }
    }
    return Network{*address, prefix};
}

bool Network::contains(const IpAddress& other) const {
    if (other.v6 != address.v6) {
        return false;
    }
    for (int bit = 0; bit < prefix; bit += 8) {
        const auto i = static_cast<std::size_t>(bit / 8);
        const int bits = std::min(8, prefix - bit);
        const auto mask = static_cast<std::uint8_t>(0xff << (8 - bits));
        if (((address.bytes[i] ^ other.bytes[i]) & mask) != 0) {
            return false;
        }
    }
    return true;
}

}  // namespace durascribe::net
