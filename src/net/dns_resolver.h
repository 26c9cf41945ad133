// The resolver of real programs: /etc/hosts and DNS, by c-ares, each question limited in time.
#pragma once

#include <memory>
#include <string>

#include "durascribe/net/resolver.h"

namespace durascribe::net {

struct DnsSettings {
    std::string servers;    // DNS_SERVERS: "192.0.2.53,192.0.2.54:5353"; empty: those of the system
    Millis timeout{3'000};  // of one question to one server
    int tries = 3;
};

class DnsResolver final : public Resolver {
  public:
    // Errors: request "bad_dns_servers"; internal.
    static Result<std::unique_ptr<DnsResolver>> create(const DnsSettings& settings);
    ~DnsResolver() override;  // what is under way is never answered

    void resolve(const std::string& host, Done done) override;
    void add_descriptors(std::vector<pollfd>& to) override;
    std::optional<Millis> patience() override;
    void process(std::span<const pollfd> seen) override;

  private:
    struct Parts;
    explicit DnsResolver(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace durascribe::net
