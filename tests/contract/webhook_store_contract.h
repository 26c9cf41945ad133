// What every ports::WebhookStore must do, as part of a store.
#pragma once

#include <string>
#include <vector>

#include "durascribe/ports/webhook_store.h"
#include "store_contract.h"

namespace durascribe::contract {

class WebhookStoreContract : public StoreContract {
  protected:
    ports::WebhookStore& hooks() { return store_->webhooks(); }
    ports::WebhookRow add(ports::WebhookFilter filter = {}) {
        const auto made = hooks().create_webhook({.id = new_id<ports::WebhookId>(),
                                                  .url = "https://receiver.example/hook",
                                                  .filter = std::move(filter),
                                                  .secret = "whsec_new"});
        EXPECT_TRUE(made.has_value()) << made.error().message << made.error().detail;
        return made->webhook;
    }
    void fan_out() {
        const auto more = hooks().fan_out(1'000);
        ASSERT_TRUE(more.has_value()) << more.error().message << more.error().detail;
        EXPECT_FALSE(*more);
    }
    ports::DueDeliveries due(int per_webhook = 100) {
        auto found = hooks().due_deliveries(per_webhook, kLongest);
        EXPECT_TRUE(found.has_value()) << found.error().message << found.error().detail;
        return *found;
    }
    std::vector<std::string> due_types() {
        std::vector<std::string> types;
        for (const auto& d : due().due) {
            types.push_back(d.delivery.type);
        }
        return types;
    }
    void record(ports::AttemptEnd end) {
        end.attempt.started_at = clock_.wall();
        const auto recorded = hooks().record_attempts(std::span(&end, 1));
        ASSERT_TRUE(recorded.has_value()) << recorded.error().message << recorded.error().detail;
    }
    void take(const ports::DueDelivery& d) {
        record({.delivery = d.delivery.id, .attempt = {.status = 200}, .taken = true});
    }
    ports::WebhookRow row(const ports::WebhookId& id) {
        const auto found = hooks().webhook(id);
        EXPECT_TRUE(found.has_value());
        return *found;
    }

    static constexpr Millis kLongest{24LL * 3600 * 1000};
};

}  // namespace durascribe::contract
