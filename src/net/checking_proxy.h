// An HTTP proxy for a program that is shut in: it can reach nothing but this, and this connects to
// nothing but addresses that the policy lets pass, by the rules of Transfers. A name is resolved
// here, once; where one of its addresses is refused, the request is; the connection is made to the
// checked addresses.
#pragma once

#include <poll.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/base/unique_fd.h"
#include "durascribe/net/address_policy.h"
#include "durascribe/net/resolver.h"

namespace durascribe::net {

struct CheckingProxyLimits {
    int connections_max = 32;        // more wait to be accepted
    Millis connect_timeout{10'000};  // to one address
};

// CONNECT (RFC 9110 §9.3.6), and requests for http addresses in absolute form, one on a connection.
// What it refuses is answered 403, what can't be reached 502, what is no such request 400. One
// thread.
class CheckingProxy {
  public:
    // `listener`: a listening TCP socket. The resolver outlives it.
    CheckingProxy(UniqueFd listener, Resolver& resolver, AddressPolicy policy,
                  CheckingProxyLimits limits = {});
    ~CheckingProxy();  // what is under way is cut

    // As of a Resolver, whose own are among them.
    void add_descriptors(std::vector<pollfd>& to);
    std::optional<Millis> patience();
    void process(std::span<const pollfd> seen);

    std::int64_t bytes() const;  // passed on so far, both ways
    // The first request that the policy refused: input "address_refused", as Transfers says it.
    const std::optional<Error>& refused() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace durascribe::net
