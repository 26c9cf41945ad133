// The part of the store that holds webhooks. Private to store/sqlite.
#pragma once

#include "durascribe/ports/clock.h"
#include "durascribe/ports/webhook_store.h"

namespace durascribe::store {

class Readers;
class Writer;

// Owned by the store, as are its references.
class SqliteWebhooks final : public ports::WebhookStore {
  public:
    SqliteWebhooks(Writer& writer, Readers& readers, const ports::Clock& clock)
        : writer_(writer), readers_(readers), clock_(clock) {}

    Result<Created> create_webhook(
        const ports::WebhookRow& webhook,
        const std::optional<ports::IdempotencyKey>& idempotency = {}) override;
    Result<std::vector<ports::WebhookRow>> list_webhooks() override;
    Result<ports::WebhookRow> webhook(const ports::WebhookId& id) override;
    Result<ports::WebhookRow> change_webhook(const ports::WebhookId& id,
                                             const ports::WebhookChange& change) override;
    Result<void> delete_webhook(const ports::WebhookId& id) override;
    Result<ports::WebhookRow> rotate_secret(const ports::WebhookId& id, const std::string& secret,
                                            Millis old_signs) override;
    Result<ports::WebhookRow> set_webhook_state(const ports::WebhookId& id,
                                                ports::WebhookState state,
                                                const std::string& reason) override;
    Result<ports::DeliveryRow> ping_webhook(const ports::WebhookId& id) override;
    Result<ports::DeliveryRow> replay_delivery(const ports::WebhookId& id,
                                               const ports::DeliveryId& delivery) override;
    Result<ports::Replayed> replay_events(const ports::WebhookId& id, std::optional<WallTime> since,
                                          std::optional<std::int64_t> after, int limit) override;
    Result<bool> fan_out(int limit) override;
    Result<ports::DueDeliveries> due_deliveries(int per_webhook, Millis longest_wait) override;
    Result<void> record_attempts(std::span<const ports::AttemptEnd> ends) override;
    Result<ports::PageOf<ports::DeliveryRow>> list_deliveries(const ports::WebhookId& id,
                                                              const ports::DeliveryFilter& filter,
                                                              const ports::Page& page) override;
    Result<ports::DeliveryRow> delivery(const ports::WebhookId& id,
                                        const ports::DeliveryId& delivery) override;

  private:
    Writer& writer_;
    Readers& readers_;
    const ports::Clock& clock_;
};

}  // namespace durascribe::store
