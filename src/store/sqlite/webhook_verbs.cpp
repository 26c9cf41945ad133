// Webhooks and their deliveries. A delivery that waits stands in a line (its task's, else its
// media's), of which the oldest is the head: heads alone are sent.
#include "durascribe/store/sqlite/webhook_verbs.h"

#include <algorithm>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/store/sqlite/verbs.h"

namespace durascribe::store {
namespace {

namespace json = boost::json;

std::string array_of(const std::vector<std::string>& words) {
    return json::serialize(json::array(words.begin(), words.end()));
}

bool any_to_tell(Connection& db) {
    return told_to_webhooks(db).has_value();
}

// Before the first one that is to be told: what happened until now is nobody's.
void start_cursor(WriteTx& tx) {
    if (!any_to_tell(tx.db)) {
        tx.db.execute("UPDATE webhook_cursor SET seq = ?", last_event(tx.db));
    }
}

struct NewDelivery {
    std::string message_id;
    std::int64_t event_seq = 0;
    std::string type;
    std::string task_id;
    std::string line;
    std::string body;
};

ports::DeliveryId add_delivery(WriteTx& tx, const ports::WebhookId& webhook, const NewDelivery& d) {
    const auto id = new_id<ports::DeliveryId>();
    tx.db.execute(
        "INSERT INTO webhook_deliveries (id, webhook_id, message_id, event_seq, type, task_id, "
        "line,"
        " head, body, state, created_at, next_attempt_at)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, NOT EXISTS (SELECT 1 FROM webhook_deliveries WHERE"
        " webhook_id = ?2 AND line = ?7 AND state = 'waiting'), ?8, 'waiting', ?9, ?9",
        id, webhook, d.message_id, d.event_seq, d.type, d.task_id, d.line, d.body, tx.now);
    tx.db.execute("UPDATE webhooks SET waiting = waiting + 1 WHERE id = ?", webhook);
    return id;
}

struct StoredEvent {
    std::int64_t seq = 0;
    WallTime at;
    std::string type;
    std::string media_id;
    std::string task_id;
    std::string payload;
};

#define DURASCRIBE_EVENT_COLUMNS "seq, at, type, media_id, task_id, payload"
std::vector<StoredEvent> read_events(Rows rows) {
    std::vector<StoredEvent> list;
    while (rows.step()) {
        StoredEvent e;
        e.seq = rows.integer();
        e.at = rows.wall();
        e.type = rows.text();
        e.media_id = rows.text();
        e.task_id = rows.text();
        e.payload = rows.text();
        list.push_back(std::move(e));
    }
    return list;
}

bool wants(const ports::WebhookFilter& filter, const StoredEvent& event, const json::object& data) {
    const bool listed = filter.types.empty()
                            ? event.type != "task.progress"
                            : std::ranges::any_of(filter.types, [&](const std::string& wanted) {
                                  return wanted.ends_with('.') ? event.type.starts_with(wanted)
                                                               : event.type == wanted;
                              });
    if (!listed) {
        return false;
    }
    if (filter.states.empty() || event.type != "task.state") {
        return true;
    }
    const json::value* state = data.if_contains("state");
    return state != nullptr && state->is_string() &&
           std::ranges::find(filter.states, state->get_string().c_str()) != filter.states.end();
}

// Standard Webhooks: type, timestamp of the event, data.
std::string body_of(const StoredEvent& event, json::object data) {
    data["seq"] = event.seq;
    return json::serialize(json::object{
        {"type", event.type}, {"timestamp", to_rfc3339(event.at)}, {"data", std::move(data)}});
}

// The same whenever the same event goes to the same webhook, and no other's.
std::string message_id_of(const ports::WebhookId& webhook, const StoredEvent& event) {
    std::string id = webhook.value;
    std::erase(id, '-');
    return fmt::format("msg_{}_{}_{:x}", id, event.seq, event.at.time_since_epoch().count());
}

void deliver(WriteTx& tx, const ports::WebhookId& webhook, const StoredEvent& event,
             const std::string& body) {
    add_delivery(tx, webhook,
                 {.message_id = message_id_of(webhook, event),
                  .event_seq = event.seq,
                  .type = event.type,
                  .task_id = event.task_id,
                  .line = !event.task_id.empty()    ? event.task_id
                          : !event.media_id.empty() ? event.media_id
                                                    : "queue",
                  .body = body});
}

// Its line's next one may go.
void promote_next(WriteTx& tx, const std::string& webhook, const std::string& line) {
    tx.db.execute(
        "UPDATE webhook_deliveries SET head = 1 WHERE number = (SELECT min(number) FROM"
        " webhook_deliveries WHERE webhook_id = ? AND line = ? AND state = 'waiting')",
        webhook, line);
}

void write_state(WriteTx& tx, const ports::WebhookId& id, ports::WebhookState state,
                 const std::string& reason) {
    tx.db.execute("UPDATE webhooks SET state = ?, state_reason = ?, updated_at = ? WHERE id = ?",
                  to_string(state), reason, tx.now, id);
}

// What the same request made before, as it was then: what is not in the request is in the answer
// that was kept.
Result<std::optional<ports::WebhookRow>> created_before(WriteTx& tx, const ports::WebhookRow& w,
                                                        const ports::IdempotencyKey& key) {
    const auto answer = first_answer(tx, key);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    if (!*answer) {
        return std::nullopt;
    }
    const json::value kept = json::parse(**answer);
    ports::WebhookRow made = w;
    made.id.value = kept.at("webhook_id").as_string().c_str();
    made.secret = kept.at("secret").as_string().c_str();
    made.created_at = WallTime{Millis{kept.at("created_at").as_int64()}};
    made.updated_at = made.created_at;
    if (const auto there = webhook(tx.db, made.id); !there) {
        return std::unexpected(there.error());
    }
    return made;
}

}  // namespace

Result<ports::WebhookStore::Created> create_webhook(
    WriteTx& tx, const ports::WebhookRow& w,
    const std::optional<ports::IdempotencyKey>& idempotency) {
    if (idempotency) {
        auto before = created_before(tx, w, *idempotency);
        if (!before) {
            return std::unexpected(before.error());
        }
        if (*before) {
            return ports::WebhookStore::Created{.webhook = std::move(**before), .replayed = true};
        }
    }
    {
        Rows rows = tx.db.query("SELECT count(*) FROM webhooks");
        DURASCRIBE_ASSERT(rows.step());
        if (rows.small() >= ports::kWebhooksMax) {
            return fail(ErrorClass::request, "too_many_webhooks",
                        fmt::format("There are {} webhooks, as many as there may be. Delete one "
                                    "that is not needed.",
                                    ports::kWebhooksMax));
        }
    }
    start_cursor(tx);
    tx.db.execute(
        "INSERT INTO webhooks (id, url, description, types, states, secret, state, from_seq,"
        " created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, 'active', ?, ?, ?)",
        w.id, w.url, w.description, array_of(w.filter.types), array_of(w.filter.states), w.secret,
        last_event(tx.db), tx.now, tx.now);
    if (idempotency) {
        keep_answer(
            tx, *idempotency,
            json::serialize(json::object{{"webhook_id", w.id.value},
                                         {"secret", w.secret},
                                         {"created_at", tx.now.time_since_epoch().count()}}));
    }
    auto made = webhook(tx.db, w.id);
    if (!made) {
        return std::unexpected(made.error());
    }
    return ports::WebhookStore::Created{.webhook = std::move(*made)};
}

Result<ports::WebhookRow> change_webhook(WriteTx& tx, const ports::WebhookId& id,
                                         const ports::WebhookChange& change) {
    auto there = webhook(tx.db, id);
    if (!there) {
        return there;
    }
    tx.db.execute(
        "UPDATE webhooks SET url = ?, description = ?, types = ?, states = ?, updated_at = ?"
        " WHERE id = ?",
        change.url.value_or(there->url), change.description.value_or(there->description),
        array_of(change.types.value_or(there->filter.types)),
        array_of(change.states.value_or(there->filter.states)), tx.now, id);
    return webhook(tx.db, id);
}

Result<void> delete_webhook(WriteTx& tx, const ports::WebhookId& id) {
    if (auto there = webhook(tx.db, id); !there) {
        return std::unexpected(there.error());
    }
    tx.db.execute("DELETE FROM webhooks WHERE id = ?", id);
    return {};
}

Result<ports::WebhookRow> rotate_secret(WriteTx& tx, const ports::WebhookId& id,
                                        const std::string& secret, Millis old_signs) {
    if (tx.db.execute("UPDATE webhooks SET old_secret = secret, old_secret_until = ?, secret = ?,"
                      " updated_at = ? WHERE id = ?",
                      tx.now + old_signs, secret, tx.now, id) == 0) {
        return webhook(tx.db, id);  // its error
    }
    return webhook(tx.db, id);
}

Result<ports::WebhookRow> set_webhook_state(WriteTx& tx, const ports::WebhookId& id,
                                            ports::WebhookState state, const std::string& reason) {
    auto there = webhook(tx.db, id);
    if (!there) {
        return there;
    }
    if (there->state == ports::WebhookState::disabled && state != ports::WebhookState::disabled) {
        start_cursor(tx);
        tx.db.execute("UPDATE webhooks SET from_seq = ? WHERE id = ?", last_event(tx.db), id);
    }
    write_state(tx, id, state, state == ports::WebhookState::active ? "" : reason);
    if (state == ports::WebhookState::active) {
        tx.db.execute("UPDATE webhooks SET failures = 0, held_until = NULL WHERE id = ?", id);
        tx.db.execute(
            "UPDATE webhook_deliveries SET next_attempt_at = ?, tries = 0"
            " WHERE webhook_id = ? AND state = 'waiting'",
            tx.now, id);
    }
    return webhook(tx.db, id);
}

Result<ports::DeliveryRow> ping_webhook(WriteTx& tx, const ports::WebhookId& id) {
    if (auto there = webhook(tx.db, id); !there) {
        return std::unexpected(there.error());
    }
    const std::string message = "msg_" + new_uuid();
    const std::string body = json::serialize(json::object{
        {"type", "webhook.ping"},
        {"timestamp", to_rfc3339(tx.now)},
        {"data", json::object{{"webhook_id", id.value},
                              {"message", "Sent by request, to see that it arrives."}}}});
    const auto made = add_delivery(tx, id,
                                   {.message_id = message,
                                    .event_seq = 0,
                                    .type = "webhook.ping",
                                    .line = message,
                                    .body = body});
    return delivery(tx.db, id, made);
}

Result<ports::DeliveryRow> replay_delivery(WriteTx& tx, const ports::WebhookId& id,
                                           const ports::DeliveryId& old) {
    auto found = delivery(tx.db, id, old);
    if (!found) {
        return found;
    }
    std::string line;
    {
        Rows rows = tx.db.query("SELECT line FROM webhook_deliveries WHERE id = ?", old);
        DURASCRIBE_ASSERT(rows.step());
        line = rows.text();
    }
    const auto made = add_delivery(tx, id,
                                   {.message_id = found->message_id,
                                    .event_seq = found->event_seq,
                                    .type = found->type,
                                    .task_id = found->task_id,
                                    .line = line,
                                    .body = found->body});
    return delivery(tx.db, id, made);
}

Result<ports::Replayed> replay_events(WriteTx& tx, const ports::WebhookId& id,
                                      std::optional<WallTime> since,
                                      std::optional<std::int64_t> after, int limit) {
    const auto w = webhook(tx.db, id);
    if (!w) {
        return std::unexpected(w.error());
    }
    ports::Replayed out{.last_seq = after.value_or(0)};
    const auto events =
        read_events(tx.db.query("SELECT " DURASCRIBE_EVENT_COLUMNS
                                " FROM events WHERE seq > ? AND (?2 IS NULL OR at >= ?2)"
                                " ORDER BY seq LIMIT ?3",
                                after.value_or(0), since, limit));
    for (const StoredEvent& event : events) {
        out.last_seq = event.seq;
        json::object data = json::parse(event.payload).as_object();
        if (wants(w->filter, event, data)) {
            deliver(tx, id, event, body_of(event, std::move(data)));
            ++out.queued;
        }
    }
    out.more = events.size() == static_cast<std::size_t>(limit);
    return out;
}

Result<bool> fan_out(WriteTx& tx, int limit) {
    const auto cursor = told_to_webhooks(tx.db);
    if (!cursor) {
        return false;
    }
    struct Listener {
        ports::WebhookRow row;
        std::int64_t from_seq = 0;
    };
    std::vector<Listener> listeners;
    for (ports::WebhookRow& w : *list_webhooks(tx.db)) {
        if (w.state == ports::WebhookState::disabled) {
            continue;
        }
        Rows from = tx.db.query("SELECT from_seq FROM webhooks WHERE id = ?", w.id);
        DURASCRIBE_ASSERT(from.step());
        const std::int64_t seq = from.integer();
        listeners.push_back({std::move(w), seq});
    }
    const auto events = read_events(tx.db.query("SELECT " DURASCRIBE_EVENT_COLUMNS
                                                " FROM events WHERE seq > ? ORDER BY seq"
                                                " LIMIT ?",
                                                *cursor, limit));
    if (events.empty()) {
        return false;
    }
    for (const StoredEvent& event : events) {
        const json::object data = json::parse(event.payload).as_object();
        for (Listener& l : listeners) {
            if (event.seq <= l.from_seq || l.row.state == ports::WebhookState::disabled ||
                !wants(l.row.filter, event, data)) {
                continue;
            }
            if (l.row.waiting >= ports::kWaitingDeliveriesMax) {
                l.row.state = ports::WebhookState::disabled;
                write_state(tx, l.row.id, l.row.state,
                            fmt::format("{} deliveries waited, as many as are kept. Mend the "
                                        "receiver, resume, and replay from event {}.",
                                        l.row.waiting, event.seq));
                continue;
            }
            deliver(tx, l.row.id, event, body_of(event, data));
            ++l.row.waiting;
        }
    }
    tx.db.execute("UPDATE webhook_cursor SET seq = ?", events.back().seq);
    return events.size() == static_cast<std::size_t>(limit);
}

namespace {

void end_delivery(WriteTx& tx, const ports::AttemptEnd& end, std::int64_t number,
                  const std::string& webhook, const std::string& line) {
    tx.db.execute(
        "UPDATE webhook_deliveries SET state = ?, head = 0, next_attempt_at = NULL, ended_at = ?"
        " WHERE number = ?",
        to_string(end.taken ? ports::DeliveryState::delivered : ports::DeliveryState::failed),
        tx.now, number);
    tx.db.execute("UPDATE webhooks SET waiting = waiting - 1 WHERE id = ?", webhook);
    promote_next(tx, webhook, line);
}

void record_attempt(WriteTx& tx, const ports::AttemptEnd& end) {
    std::int64_t number = 0;
    std::string webhook;
    std::string line;
    bool ping = false;
    int attempts = 0;
    {
        Rows rows = tx.db.query(
            "SELECT number, webhook_id, line, event_seq, attempts FROM webhook_deliveries"
            " WHERE id = ? AND state = 'waiting'",
            end.delivery);
        if (!rows.step()) {
            return;
        }
        number = rows.integer();
        webhook = rows.text();
        line = rows.text();
        ping = rows.integer() == 0;
        attempts = rows.small();
    }
    const ports::DeliveryAttempt& a = end.attempt;
    tx.db.execute(
        "INSERT INTO webhook_attempts (delivery, number, started_at, duration_ms, status, error,"
        " excerpt) VALUES (?, ?, ?, ?, ?, ?, ?)",
        number, attempts + 1, a.started_at, a.duration, a.status, a.error, a.excerpt);
    tx.db.execute(
        "UPDATE webhook_deliveries SET attempts = attempts + 1, tries = tries + 1,"
        " next_attempt_at = coalesce(?, next_attempt_at) WHERE number = ?",
        end.next_attempt_at, number);
    if (end.taken || end.final) {
        end_delivery(tx, end, number, webhook, line);
    }
    if (end.taken) {
        tx.db.execute(
            "UPDATE webhooks SET failures = 0, held_until = NULL, last_success_at = ? WHERE id = ?",
            tx.now, webhook);
    } else if (!ping) {
        tx.db.execute(
            "UPDATE webhooks SET failures = failures + 1, held_until = ?, last_failure_at = ?"
            " WHERE id = ?",
            end.hold_until, tx.now, webhook);
    }
    if (end.state) {
        write_state(tx, ports::WebhookId{webhook}, *end.state, end.state_reason);
    }
}

}  // namespace

Result<void> record_attempts(WriteTx& tx, std::span<const ports::AttemptEnd> ends) {
    for (const ports::AttemptEnd& end : ends) {
        record_attempt(tx, end);
    }
    return {};
}

int prune_deliveries(WriteTx& tx, WallTime ended_before, int limit) {
    return tx.db.execute(
        "DELETE FROM webhook_deliveries WHERE number IN (SELECT number FROM webhook_deliveries"
        " WHERE ended_at < ? LIMIT ?)",
        ended_before, limit);
}

}  // namespace durascribe::store
