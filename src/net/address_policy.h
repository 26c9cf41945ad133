// Which addresses durascribe connects to when somebody else names them: public ones, and those that
// the operator allows. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/net/ip_address.h"

namespace durascribe::net {

class AddressPolicy {
  public:
    AddressPolicy() = default;  // public addresses alone
    explicit AddressPolicy(std::vector<Network> allowed) : allowed_(std::move(allowed)) {}

    // ALLOW_PRIVATE_ADDRESSES: networks with commas between them. nullopt: one is malformed.
    static std::optional<AddressPolicy> parse(std::string_view networks);
    std::string text() const;  // as parse() takes it

    // Why it is not connected to, as "a private address"; nullopt: it may be.
    std::optional<std::string_view> refusal(const IpAddress& address) const;

  private:
    std::vector<Network> allowed_;
};

// What is said where a name leads to an address of a `kind` that refusal() gave: input
// "address_refused".
Error address_refused(std::string_view host, std::string_view kind);

}  // namespace durascribe::net
