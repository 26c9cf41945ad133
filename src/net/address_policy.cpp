#include "durascribe/net/address_policy.h"

#include <fmt/format.h>

#include <array>

#include "durascribe/base/error.h"

namespace durascribe::net {
namespace {

struct Special {
    std::string_view network;
    std::string_view kind;
};

// The special-purpose registries of IANA (RFC 6890 and what was added since), and multicast.
constexpr std::array kSpecial{
    Special{"0.0.0.0/8", "an address of this network"},
    Special{"10.0.0.0/8", "a private address"},
    Special{"100.64.0.0/10", "a shared address (carrier-grade NAT)"},
    Special{"127.0.0.0/8", "a loopback address"},
    Special{"169.254.0.0/16", "a link-local address"},
    Special{"172.16.0.0/12", "a private address"},
    Special{"192.0.0.0/24", "a reserved address"},
    Special{"192.0.2.0/24", "an address for documentation"},
    Special{"192.31.196.0/24", "a reserved address"},
    Special{"192.52.193.0/24", "a reserved address"},
    Special{"192.88.99.0/24", "a 6to4 relay"},
    Special{"192.168.0.0/16", "a private address"},
    Special{"192.175.48.0/24", "a reserved address"},
    Special{"198.18.0.0/15", "an address for measurements"},
    Special{"198.51.100.0/24", "an address for documentation"},
    Special{"203.0.113.0/24", "an address for documentation"},
    Special{"224.0.0.0/4", "a multicast address"},
    Special{"240.0.0.0/4", "a reserved address"},
    Special{"::/128", "no address at all"},
    Special{"::1/128", "a loopback address"},
    Special{"::ffff:0:0/96", "an IPv4-mapped address"},
    Special{"::ffff:0:0:0/96", "an IPv4-translated address"},
    Special{"::/96", "an IPv4-compatible address"},
    Special{"64:ff9b::/96", "a NAT64 address"},
    Special{"64:ff9b:1::/48", "a NAT64 address"},
    Special{"2001::/32", "a Teredo address"},
    Special{"2001:db8::/32", "an address for documentation"},
    Special{"2001::/23", "a reserved address"},
    Special{"2002::/16", "a 6to4 address"},
    Special{"2620:4f:8000::/48", "a reserved address"},
    Special{"3fff::/20", "an address for documentation"},
    Special{"fc00::/7", "a private address"},
    Special{"fe80::/10", "a link-local address"},
    Special{"fec0::/10", "a site-local address"},
    Special{"ff00::/8", "a multicast address"},
};

// All that is given out as global unicast (RFC 4291 §2.4).
constexpr std::string_view kGlobalUnicast = "2000::/3";

const std::vector<std::pair<Network, std::string_view>>& special_networks() {
    static const auto kNetworks = [] {
        std::vector<std::pair<Network, std::string_view>> list;
        for (const Special& s : kSpecial) {
            const auto network = Network::parse(s.network);
            DURASCRIBE_ASSERT(network.has_value());
            list.emplace_back(*network, s.kind);
        }
        return list;
    }();
    return kNetworks;
}

}  // namespace

std::optional<AddressPolicy> AddressPolicy::parse(std::string_view networks) {
    std::vector<Network> allowed;
    while (!networks.empty()) {
        const auto comma = networks.find(',');
        std::string_view one = networks.substr(0, comma);
        networks = comma == std::string_view::npos ? "" : networks.substr(comma + 1);
        while (one.starts_with(' ')) {
            one.remove_prefix(1);
        }
        while (one.ends_with(' ')) {
            one.remove_suffix(1);
        }
        if (one.empty()) {
            continue;
        }
        const auto network = Network::parse(one);
        if (!network) {
            return std::nullopt;
        }
        allowed.push_back(*network);
    }
    return AddressPolicy(std::move(allowed));
}

std::string AddressPolicy::text() const {
    std::string out;
    for (const Network& network : allowed_) {
        out += (out.empty() ? "" : ",") + network.address.text() + "/" +
               std::to_string(network.prefix);
    }
    return out;
}

std::optional<std::string_view> AddressPolicy::refusal(const IpAddress& address) const {
    for (const Network& network : allowed_) {
        if (network.contains(address)) {
            return std::nullopt;
        }
    }
    for (const auto& [network, kind] : special_networks()) {
        if (network.contains(address)) {
            return kind;
        }
    }
    static const Network kGlobal = *Network::parse(kGlobalUnicast);
    if (address.v6 && !kGlobal.contains(address)) {
        return "a reserved address";
    }
    return std::nullopt;
}

Error address_refused(std::string_view host, std::string_view kind) {
    return {ErrorClass::input,
            "address_refused",
            fmt::format("{} leads to {}, to which durascribe does not connect. An operator can "
                        "allow it with ALLOW_PRIVATE_ADDRESSES.",
                        host, kind),
            {}};
}

}  // namespace durascribe::net
