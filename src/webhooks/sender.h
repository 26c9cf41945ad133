// Sends webhooks: makes deliveries of what has happened, and sends what is due, many at once in one
// thread (net/transfers.h). All that it must not forget is in the store; what is under way when it
// ends, or the process dies, is sent again.
#pragma once

#include <memory>
#include <string>

#include "durascribe/base/error.h"
#include "durascribe/net/address_policy.h"
#include "durascribe/ports/clock.h"
#include "durascribe/ports/webhook_store.h"
#include "durascribe/webhooks/delivery_plan.h"

namespace durascribe::webhooks {

struct SenderSettings {
    net::AddressPolicy policy;
    std::string dns_servers;  // DNS_SERVERS
    std::string user_agent = "durascribe";
    Millis timeout{20'000};         // of one attempt
    Millis connect_timeout{5'000};  // of it
    int at_once_max = 4;  // attempts of one webhook, of different tasks; one while it fails
    PlanSettings plan;
};

class Sender {
  public:
    // Starts its thread. The references outlive it. Errors: request "bad_dns_servers".
    static Result<std::unique_ptr<Sender>> start(ports::WebhookStore& store,
                                                 const ports::Clock& clock,
                                                 SenderSettings settings);
    ~Sender();  // stops at once

    // Something has happened, or a webhook was changed: any thread, and quick.
    void wake();

  private:
    class Impl;
    explicit Sender(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace durascribe::webhooks
