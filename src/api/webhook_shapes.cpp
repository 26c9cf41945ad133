#include "durascribe/api/webhook_shapes.h"

#include "durascribe/api/shapes.h"

namespace durascribe::api {
namespace {

json::string text(std::string_view s) {
    return json::string{json::string_view{s.data(), s.size()}};
}

json::value or_null(const std::string& s) {
    return s.empty() ? json::value(nullptr) : json::value(text(s));
}

json::array types_shape(const std::vector<std::string>& types) {
    json::array out;
    for (const std::string& type : types) {
        out.push_back(text(type.ends_with('.') ? type + "*" : type));
    }
    return out;
}

}  // namespace

json::object webhook_shape(const ports::WebhookRow& w) {
    json::array states;
    for (const std::string& state : w.filter.states) {
        states.push_back(text(state));
    }
    json::object out;
    out["id"] = w.id.value;
    out["url"] = w.url;
    out["description"] = w.description;
    out["types"] = types_shape(w.filter.types);
    out["states"] = std::move(states);
    out["status"] = text(to_string(w.state));
    out["status_reason"] = or_null(w.state_reason);
    out["failures"] = w.failures;
    out["waiting"] = w.waiting;
    out["held_until"] = time_or_null(w.held_until);
    out["old_secret_until"] = time_or_null(w.old_secret_until);
    out["last_success_at"] = time_or_null(w.last_success_at);
    out["last_failure_at"] = time_or_null(w.last_failure_at);
    out["created_at"] = to_rfc3339(w.created_at);
    out["updated_at"] = to_rfc3339(w.updated_at);
    return out;
}

json::object delivery_shape(const ports::DeliveryRow& d) {
    json::object out;
    out["id"] = d.id.value;
    out["webhook_id"] = d.webhook.value;
    out["message_id"] = d.message_id;
    out["type"] = d.type;
    out["seq"] = d.event_seq > 0 ? json::value(d.event_seq) : json::value(nullptr);
    out["task_id"] = or_null(d.task_id);
    out["status"] = text(to_string(d.state));
    out["attempts"] = d.attempts;
    out["created_at"] = to_rfc3339(d.created_at);
    out["next_attempt_at"] = time_or_null(d.next_attempt_at);
    out["ended_at"] = time_or_null(d.ended_at);
    return out;
}

json::object whole_delivery_shape(const ports::DeliveryRow& d) {
    json::object out = delivery_shape(d);
    out["body"] = d.body;
    json::array log;
    for (const ports::DeliveryAttempt& a : d.log) {
        json::object attempt;
        attempt["number"] = a.number;
        attempt["started_at"] = to_rfc3339(a.started_at);
        attempt["duration_ms"] = a.duration.count();
        attempt["status"] = a.status > 0 ? json::value(a.status) : json::value(nullptr);
        attempt["error"] = or_null(a.error);
        attempt["response_excerpt"] = or_null(a.excerpt);
        log.push_back(std::move(attempt));
    }
    out["log"] = std::move(log);
    return out;
}

}  // namespace durascribe::api
