// The reads of webhooks.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/store/sqlite/webhook_verbs.h"

namespace durascribe::store {
namespace {

#define DURASCRIBE_WEBHOOK_COLUMNS                                                       \
    "id, url, description, types, states, secret, old_secret, old_secret_until, state, " \
    "state_reason, failures, held_until, created_at, updated_at, last_success_at, "      \
    "last_failure_at, waiting"

constexpr int kLongestPage = 200;

std::vector<std::string> words_of(std::string_view array) {
    std::vector<std::string> words;
    const boost::json::value list = boost::json::parse({array.data(), array.size()});
    for (const auto& word : list.as_array()) {
        words.emplace_back(word.as_string().c_str());
    }
    return words;
}

ports::WebhookState webhook_state_from(std::string_view name) {
    for (const auto s : {ports::WebhookState::active, ports::WebhookState::paused,
                         ports::WebhookState::disabled}) {
        if (to_string(s) == name) {
            return s;
        }
    }
    DURASCRIBE_ASSERT(false && "a state of a webhook");
}

ports::WebhookRow read_webhook(Rows& rows) {
    ports::WebhookRow w;
    w.id.value = rows.text();
    w.url = rows.text();
    w.description = rows.text();
    w.filter.types = words_of(rows.bytes());
    w.filter.states = words_of(rows.bytes());
    w.secret = rows.text();
    w.old_secret = rows.text();
    w.old_secret_until = rows.maybe_wall();
    w.state = webhook_state_from(rows.bytes());
    w.state_reason = rows.text();
    w.failures = rows.small();
    w.held_until = rows.maybe_wall();
    w.created_at = rows.wall();
    w.updated_at = rows.wall();
    w.last_success_at = rows.maybe_wall();
    w.last_failure_at = rows.maybe_wall();
    w.waiting = rows.small();
    return w;
}

Error webhook_not_found(const ports::WebhookId& id) {
    return {ErrorClass::request, "not_found", fmt::format("There is no webhook {}.", id.value), {}};
}

// Whether that time has come; one that is further off than anybody waits was set by a wrong clock.
bool has_come(std::optional<WallTime> at, WallTime now, Millis longest_wait) {
    return !at || *at <= now || *at - now > longest_wait;
}

void keep_earliest(std::optional<WallTime>& next, WallTime at) {
    next = next ? std::min(*next, at) : at;
}

}  // namespace

NumberedDelivery read_delivery(Rows& rows) {
    NumberedDelivery d;
    d.row.id.value = rows.text();
    d.row.webhook.value = rows.text();
    d.row.message_id = rows.text();
    d.row.event_seq = rows.integer();
    d.row.type = rows.text();
    d.row.task_id = rows.text();
    d.row.body = rows.text();
    const auto state = ports::delivery_state_from(rows.bytes());
    DURASCRIBE_ASSERT(state.has_value());
    d.row.state = *state;
    d.row.attempts = rows.small();
    d.row.tries = rows.small();
    d.row.created_at = rows.wall();
    d.row.next_attempt_at = rows.maybe_wall();
    d.row.ended_at = rows.maybe_wall();
    d.number = rows.integer();
    d.row.ping = d.row.event_seq == 0;
    return d;
}

Result<std::vector<ports::WebhookRow>> list_webhooks(Connection& db) {
    std::vector<ports::WebhookRow> list;
    Rows rows =
        db.query("SELECT " DURASCRIBE_WEBHOOK_COLUMNS " FROM webhooks ORDER BY created_at, id");
    while (rows.step()) {
        list.push_back(read_webhook(rows));
    }
    return list;
}

Result<ports::WebhookRow> webhook(Connection& db, const ports::WebhookId& id) {
    Rows rows = db.query("SELECT " DURASCRIBE_WEBHOOK_COLUMNS " FROM webhooks WHERE id = ?", id);
    if (!rows.step()) {
        return std::unexpected(webhook_not_found(id));
    }
    return read_webhook(rows);
}

Result<ports::DueDeliveries> due_deliveries(Connection& db, WallTime now, int per_webhook,
                                            Millis longest_wait) {
    ports::DueDeliveries found;
    const auto webhooks = list_webhooks(db);
    for (const ports::WebhookRow& w : *webhooks) {
        if (w.waiting == 0) {
            continue;
        }
        const bool open = w.state == ports::WebhookState::active;
        const bool held = !has_come(w.held_until, now, longest_wait);
        if (open && held) {
            keep_earliest(found.next, *w.held_until);
        }
        int left = per_webhook;
        // A statement each, so that each reads the index that is in its order: as many may wait as
        // are kept, and this is asked at every event.
        Rows rows = open && !held
                        ? db.query("SELECT " DURASCRIBE_DELIVERY_COLUMNS
                                   " FROM webhook_deliveries WHERE webhook_id = ? AND head = 1"
                                   " ORDER BY number",
                                   w.id)
                        : db.query("SELECT " DURASCRIBE_DELIVERY_COLUMNS
                                   " FROM webhook_deliveries WHERE webhook_id = ? AND head = 1"
                                   " AND event_seq = 0 ORDER BY number",
                                   w.id);
        while (rows.step()) {
            NumberedDelivery d = read_delivery(rows);
            if (!has_come(d.row.next_attempt_at, now, longest_wait)) {
                keep_earliest(found.next, *d.row.next_attempt_at);
            } else if (left-- > 0) {
                found.due.push_back({std::move(d.row), w});
            } else {
                break;  // asked for again when one of those has ended
            }
        }
    }
    return found;
}

Result<ports::PageOf<ports::DeliveryRow>> list_deliveries(Connection& db,
                                                          const ports::WebhookId& id,
                                                          const ports::DeliveryFilter& filter,
                                                          const ports::Page& page) {
    if (const auto there = webhook(db, id); !there) {
        return std::unexpected(there.error());
    }
    if (page.limit < 1 || page.limit > kLongestPage) {
        return fail(ErrorClass::request, "bad_limit",
                    fmt::format("A page has 1 to {} rows.", kLongestPage));
    }
    std::int64_t before = std::numeric_limits<std::int64_t>::max();
    if (!page.cursor.empty()) {
        const char* last = page.cursor.data() + page.cursor.size();
        const auto [end, failed] = std::from_chars(page.cursor.data(), last, before);
        if (failed != std::errc{} || end != last) {
            return fail(ErrorClass::request, "bad_cursor",
                        "The cursor is not one that this server gave out. Start again without it.");
        }
    }
    ports::PageOf<ports::DeliveryRow> out;
    std::int64_t number = 0;
    Rows rows =
        db.query("SELECT " DURASCRIBE_DELIVERY_COLUMNS
                 " FROM webhook_deliveries WHERE webhook_id = ? AND number < ?"
                 " AND (?3 IS NULL OR state = ?3) ORDER BY number DESC LIMIT ?4",
                 id, before, filter.state ? std::optional{to_string(*filter.state)} : std::nullopt,
                 page.limit + 1);
    while (rows.step()) {
        if (out.rows.size() == static_cast<std::size_t>(page.limit)) {
            out.next_cursor = std::to_string(number);
            break;
        }
        NumberedDelivery d = read_delivery(rows);
        number = d.number;
        out.rows.push_back(std::move(d.row));
    }
    return out;
}

Result<ports::DeliveryRow> delivery(Connection& db, const ports::WebhookId& id,
                                    const ports::DeliveryId& delivery) {
    Rows rows = db.query("SELECT " DURASCRIBE_DELIVERY_COLUMNS
                         " FROM webhook_deliveries WHERE id = ? AND webhook_id = ?",
                         delivery, id);
    if (!rows.step()) {
        return fail(ErrorClass::request, "not_found",
                    fmt::format("The webhook has no delivery {}.", delivery.value));
    }
    NumberedDelivery d = read_delivery(rows);
    Rows log = db.query(
        "SELECT number, started_at, duration_ms, status, error, excerpt FROM webhook_attempts"
        " WHERE delivery = ? ORDER BY number",
        d.number);
    while (log.step()) {
        ports::DeliveryAttempt a;
        a.number = log.small();
        a.started_at = log.wall();
        a.duration = log.millis();
        a.status = log.small();
        a.error = log.text();
        a.excerpt = log.text();
        d.row.log.push_back(std::move(a));
    }
    return std::move(d.row);
}

std::optional<std::int64_t> told_to_webhooks(Connection& db) {
    Rows rows = db.query(
        "SELECT seq FROM webhook_cursor WHERE EXISTS"
        " (SELECT 1 FROM webhooks WHERE state <> 'disabled')");
    return rows.step() ? std::optional{rows.integer()} : std::nullopt;
}

std::int64_t last_event(Connection& db) {
    Rows rows = db.query("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'");
    DURASCRIBE_ASSERT(rows.step());
    return rows.integer();
}

}  // namespace durascribe::store
