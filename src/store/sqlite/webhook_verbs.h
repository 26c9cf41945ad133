// What ports/webhook_store.h asks for: the verbs, each within the writer's transaction, and the
// reads, each on one snapshot. Private to store/sqlite.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "durascribe/ports/webhook_store.h"
#include "durascribe/store/sqlite/transitions.h"

namespace durascribe::store {

// webhook_verbs.cpp
Result<ports::WebhookStore::Created> create_webhook(
    WriteTx& tx, const ports::WebhookRow& webhook,
    const std::optional<ports::IdempotencyKey>& idempotency);
Result<ports::WebhookRow> change_webhook(WriteTx& tx, const ports::WebhookId& id,
                                         const ports::WebhookChange& change);
Result<void> delete_webhook(WriteTx& tx, const ports::WebhookId& id);
Result<ports::WebhookRow> rotate_secret(WriteTx& tx, const ports::WebhookId& id,
                                        const std::string& secret, Millis old_signs);
Result<ports::WebhookRow> set_webhook_state(WriteTx& tx, const ports::WebhookId& id,
                                            ports::WebhookState state, const std::string& reason);
Result<ports::DeliveryRow> ping_webhook(WriteTx& tx, const ports::WebhookId& id);
Result<ports::DeliveryRow> replay_delivery(WriteTx& tx, const ports::WebhookId& id,
                                           const ports::DeliveryId& delivery);
Result<ports::Replayed> replay_events(WriteTx& tx, const ports::WebhookId& id,
                                      std::optional<WallTime> since,
                                      std::optional<std::int64_t> after, int limit);
Result<bool> fan_out(WriteTx& tx, int limit);
Result<void> record_attempts(WriteTx& tx, std::span<const ports::AttemptEnd> ends);
int prune_deliveries(WriteTx& tx, WallTime ended_before, int limit);

// webhook_queries.cpp
Result<std::vector<ports::WebhookRow>> list_webhooks(Connection& db);
Result<ports::WebhookRow> webhook(Connection& db, const ports::WebhookId& id);
Result<ports::DueDeliveries> due_deliveries(Connection& db, WallTime now, int per_webhook,
                                            Millis longest_wait);
Result<ports::PageOf<ports::DeliveryRow>> list_deliveries(Connection& db,
                                                          const ports::WebhookId& id,
                                                          const ports::DeliveryFilter& filter,
                                                          const ports::Page& page);
Result<ports::DeliveryRow> delivery(Connection& db, const ports::WebhookId& id,
                                    const ports::DeliveryId& delivery);
// The last event that has become deliveries; nullopt: nobody is to be told.
std::optional<std::int64_t> told_to_webhooks(Connection& db);
std::int64_t last_event(Connection& db);

#define DURASCRIBE_DELIVERY_COLUMNS                                                        \
    "id, webhook_id, message_id, event_seq, type, task_id, body, state, attempts, tries, " \
    "created_at, "                                                                         \
    "next_attempt_at, ended_at, number"
struct NumberedDelivery {
    ports::DeliveryRow row;
    std::int64_t number = 0;
};
NumberedDelivery read_delivery(Rows& rows);

}  // namespace durascribe::store
