// The durable record of webhooks: who is told of which events, what waits to be told, and how each
// attempt ended. Part of the store (Store::webhooks), under the same rules: a verb returns after
// its commit, and an error means that nothing changed.
//
// Events become deliveries from the outbox: fan_out() reads what is behind a cursor, makes a row
// for each webhook that wants the event, and moves the cursor, in one transaction. Until then the
// outbox keeps the event (prune() stops at the cursor). So each event becomes a delivery once,
// whenever the process dies; a delivery is sent until its end is recorded, and so may be sent
// twice.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/ids.h"
#include "durascribe/base/time.h"
#include "durascribe/ports/idempotency.h"
#include "durascribe/ports/page.h"

namespace durascribe::ports {

using WebhookId = TextId<struct WebhookTag>;
using DeliveryId = TextId<struct DeliveryTag>;

inline constexpr int kWebhooksMax = 100;
// Of one webhook that wait; beyond it the webhook is disabled.
inline constexpr int kWaitingDeliveriesMax = 100'000;

enum class WebhookState {
    active,
    paused,    // deliveries are made and wait: by request, or after a day without a success
    disabled,  // none are made: the receiver said that it is gone, or too many waited
};
std::string_view to_string(WebhookState s);

// Which events. Empty lists: all types but task.progress; all states.
struct WebhookFilter {
    std::vector<std::string> types;   // "task.state", or "task." for all that begin so
    std::vector<std::string> states;  // of tasks, for events "task.state"
    bool operator==(const WebhookFilter&) const = default;
};

struct WebhookRow {
    WebhookId id;
    std::string url;
    std::string description;
    WebhookFilter filter;
    std::string secret;      // "whsec_" and base64 of its bytes
    std::string old_secret;  // signs, too, until old_secret_until; empty: none
    std::optional<WallTime> old_secret_until;
    WebhookState state = WebhookState::active;
    std::string state_reason;            // for a person; empty while active
    int failures = 0;                    // attempts since the last success
    std::optional<WallTime> held_until;  // no attempt before, but for a ping
    WallTime created_at;
    WallTime updated_at;
    std::optional<WallTime> last_success_at;
    std::optional<WallTime> last_failure_at;
    int waiting = 0;  // deliveries
};

enum class DeliveryState { waiting, delivered, failed };
std::string_view to_string(DeliveryState s);
std::optional<DeliveryState> delivery_state_from(std::string_view name);

struct DeliveryAttempt {
    int number = 0;  // from 1
    WallTime started_at;
    Millis duration{0};
    int status = 0;       // of HTTP; 0: there was no answer
    std::string error;    // for a person; empty where it was taken
    std::string excerpt;  // the first bytes of the answer, as clean text
};

struct DeliveryRow {
    DeliveryId id;
    WebhookId webhook;
    std::string message_id;      // webhook-id: the same for all attempts and replays of one event
    std::int64_t event_seq = 0;  // 0: a ping
    std::string type;
    std::string task_id;  // empty where the event is of no task
    std::string body;
    DeliveryState state = DeliveryState::waiting;
    int attempts = 0;  // in all
    int tries = 0;     // of them, since it was made or its webhook went on
    WallTime created_at;
    std::optional<WallTime> next_attempt_at;  // while it waits
    std::optional<WallTime> ended_at;
    std::vector<DeliveryAttempt> log;  // of delivery() alone
    bool ping = false;
};

// What is to be sent now, with what it takes.
struct DueDelivery {
    DeliveryRow delivery;
    WebhookRow webhook;
};

struct DueDeliveries {
    std::vector<DueDelivery> due;
    std::optional<WallTime> next;  // when a further one is; of those that `due` does not hold
};

// How an attempt ended, and what follows; the sender decides (webhooks/retry_plan.h).
struct AttemptEnd {
    DeliveryId delivery;
    DeliveryAttempt attempt;  // `number` is given by the store
    bool taken = false;
    bool final = false;                       // not taken, and not tried again
    std::optional<WallTime> next_attempt_at;  // where it is tried again
    std::optional<WallTime> hold_until;       // the whole webhook
    std::optional<WebhookState> state;        // the webhook's from now on
    std::string state_reason;
};

struct WebhookChange {
    std::optional<std::string> url;
    std::optional<std::string> description;
    std::optional<std::vector<std::string>> types;
    std::optional<std::vector<std::string>> states;
};

struct Replayed {
    int queued = 0;
    std::int64_t last_seq = 0;  // of the events looked at
    bool more = false;          // there are more behind it
};

struct DeliveryFilter {
    std::optional<DeliveryState> state;
};

// Thread-safe; the calling thread blocks.
class WebhookStore {
  public:
    virtual ~WebhookStore() = default;

    // It is told of what happens from now on. The same key again: the row that was made then, as it
    // was then. Errors: request "too_many_webhooks" beyond kWebhooksMax; request
    // "idempotency_key_reused"; request "not_found" where what the key had made is gone.
    struct Created {
        WebhookRow webhook;
        bool replayed = false;
    };
    virtual Result<Created> create_webhook(
        const WebhookRow& webhook, const std::optional<IdempotencyKey>& idempotency = {}) = 0;
    // All of them, the oldest first.
    virtual Result<std::vector<WebhookRow>> list_webhooks() = 0;
    virtual Result<WebhookRow> webhook(const WebhookId& id) = 0;  // errors: request "not_found"
    virtual Result<WebhookRow> change_webhook(const WebhookId& id, const WebhookChange& change) = 0;
    // With all that waits for it and its log.
    virtual Result<void> delete_webhook(const WebhookId& id) = 0;
    // What signed until now signs for so long, too.
    virtual Result<WebhookRow> rotate_secret(const WebhookId& id, const std::string& secret,
                                             Millis old_signs) = 0;
    // To active: what waits may be sent at once, and starts its attempts anew.
    virtual Result<WebhookRow> set_webhook_state(const WebhookId& id, WebhookState state,
                                                 const std::string& reason) = 0;

    // A delivery of no event, sent whatever the webhook's state, once.
    virtual Result<DeliveryRow> ping_webhook(const WebhookId& id) = 0;
    // Once more, as a delivery of its own. Errors: request "not_found".
    virtual Result<DeliveryRow> replay_delivery(const WebhookId& id,
                                                const DeliveryId& delivery) = 0;
    // The events that the outbox still has, from a time on or behind a number, at most `limit` of
    // them looked at. Errors: request "not_found".
    virtual Result<Replayed> replay_events(const WebhookId& id, std::optional<WallTime> since,
                                           std::optional<std::int64_t> after, int limit) = 0;

    // At most `limit` events; true: there are more.
    virtual Result<bool> fan_out(int limit) = 0;
    // In the order in which they were made, at most `per_webhook` of each; of the deliveries of one
    // webhook and one task the oldest that waits alone. A time further off than `longest_wait` is
    // one that a wall clock set when it was wrong: it has come.
    virtual Result<DueDeliveries> due_deliveries(int per_webhook, Millis longest_wait) = 0;
    // One transaction. What is no longer there, or has ended, is skipped.
    virtual Result<void> record_attempts(std::span<const AttemptEnd> ends) = 0;

    // Newest first. Errors: request "not_found".
    virtual Result<PageOf<DeliveryRow>> list_deliveries(const WebhookId& id,
                                                        const DeliveryFilter& filter,
                                                        const Page& page) = 0;
    // With its log. Errors: request "not_found".
    virtual Result<DeliveryRow> delivery(const WebhookId& id, const DeliveryId& delivery) = 0;
};

}  // namespace durascribe::ports
