// Names to addresses, without blocking: an answer comes at once or from process().
#pragma once

#include <poll.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/net/ip_address.h"

namespace durascribe::net {

// One thread.
class Resolver {
  public:
    virtual ~Resolver() = default;

    // Errors: network "name_not_resolved".
    using Done = std::function<void(Result<std::vector<IpAddress>>)>;
    virtual void resolve(const std::string& host, Done done) = 0;

    // What to wait for: readable or writable descriptors, or a time.
    virtual void add_descriptors(std::vector<pollfd>& to) = 0;
    virtual std::optional<Millis> patience() = 0;  // nullopt: nothing is under way
    virtual void process(std::span<const pollfd> seen) = 0;
};

}  // namespace durascribe::net
