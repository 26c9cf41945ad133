#include "durascribe/store/sqlite/sqlite_webhooks.h"

#include "durascribe/base/failpoint.h"
#include "durascribe/store/sqlite/readers.h"
#include "durascribe/store/sqlite/webhook_verbs.h"
#include "durascribe/store/sqlite/writer.h"

namespace durascribe::store {

Result<ports::WebhookStore::Created> SqliteWebhooks::create_webhook(
    const ports::WebhookRow& webhook, const std::optional<ports::IdempotencyKey>& idempotency) {
    return writer_.run(
        [&](WriteTx& tx) { return store::create_webhook(tx, webhook, idempotency); });
}

Result<ports::WebhookRow> SqliteWebhooks::change_webhook(const ports::WebhookId& id,
                                                         const ports::WebhookChange& change) {
    return writer_.run([&](WriteTx& tx) { return store::change_webhook(tx, id, change); });
}

Result<void> SqliteWebhooks::delete_webhook(const ports::WebhookId& id) {
    return writer_.run([&](WriteTx& tx) { return store::delete_webhook(tx, id); });
}

Result<ports::WebhookRow> SqliteWebhooks::rotate_secret(const ports::WebhookId& id,
                                                        const std::string& secret,
                                                        Millis old_signs) {
    return writer_.run(
        [&](WriteTx& tx) { return store::rotate_secret(tx, id, secret, old_signs); });
}

Result<ports::WebhookRow> SqliteWebhooks::set_webhook_state(const ports::WebhookId& id,
                                                            ports::WebhookState state,
                                                            const std::string& reason) {
    return writer_.run(
        [&](WriteTx& tx) { return store::set_webhook_state(tx, id, state, reason); });
}

Result<ports::DeliveryRow> SqliteWebhooks::ping_webhook(const ports::WebhookId& id) {
    return writer_.run([&](WriteTx& tx) { return store::ping_webhook(tx, id); });
}

Result<ports::DeliveryRow> SqliteWebhooks::replay_delivery(const ports::WebhookId& id,
                                                           const ports::DeliveryId& delivery) {
    return writer_.run([&](WriteTx& tx) { return store::replay_delivery(tx, id, delivery); });
}

Result<ports::Replayed> SqliteWebhooks::replay_events(const ports::WebhookId& id,
                                                      std::optional<WallTime> since,
                                                      std::optional<std::int64_t> after,
                                                      int limit) {
    return writer_.run(
        [&](WriteTx& tx) { return store::replay_events(tx, id, since, after, limit); });
}

// Without a transaction where nobody is to be told, or nothing has happened.
Result<bool> SqliteWebhooks::fan_out(int limit) {
    const auto anything = readers_.run([](Connection& db) {
        const auto told = told_to_webhooks(db);
        return Result<bool>(told && *told < last_event(db));
    });
    if (!anything || !*anything) {
        return anything;
    }
    const auto more = writer_.run([&](WriteTx& tx) { return store::fan_out(tx, limit); });
    DURASCRIBE_FAILPOINT("webhooks.deliveries_made");
    return more;
}

Result<void> SqliteWebhooks::record_attempts(std::span<const ports::AttemptEnd> ends) {
    return writer_.run([&](WriteTx& tx) { return store::record_attempts(tx, ends); });
}

Result<std::vector<ports::WebhookRow>> SqliteWebhooks::list_webhooks() {
    return readers_.run([](Connection& db) { return store::list_webhooks(db); });
}

Result<ports::WebhookRow> SqliteWebhooks::webhook(const ports::WebhookId& id) {
    return readers_.run([&](Connection& db) { return store::webhook(db, id); });
}

Result<ports::DueDeliveries> SqliteWebhooks::due_deliveries(int per_webhook, Millis longest_wait) {
    return readers_.run([&](Connection& db) {
        return store::due_deliveries(db, clock_.wall(), per_webhook, longest_wait);
    });
}

Result<ports::PageOf<ports::DeliveryRow>> SqliteWebhooks::list_deliveries(
    const ports::WebhookId& id, const ports::DeliveryFilter& filter, const ports::Page& page) {
    return readers_.run(
        [&](Connection& db) { return store::list_deliveries(db, id, filter, page); });
}

Result<ports::DeliveryRow> SqliteWebhooks::delivery(const ports::WebhookId& id,
                                                    const ports::DeliveryId& delivery) {
    return readers_.run([&](Connection& db) { return store::delivery(db, id, delivery); });
}

}  // namespace durascribe::store
