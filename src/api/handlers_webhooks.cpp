#include <fmt/format.h>

#include "durascribe/api/handlers.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/live_filter.h"
#include "durascribe/api/names.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"
#include "durascribe/api/webhook_shapes.h"
#include "durascribe/net/web_address.h"
#include "durascribe/ports/webhook_store.h"
#include "durascribe/webhooks/signature.h"

namespace durascribe::api {
namespace {

constexpr std::size_t kDescriptionBytesMax = 500;
constexpr std::size_t kStatesMax = 7;
constexpr int kReplayedAtOnce = 1'000;
constexpr Millis kOldSecretSigns{24LL * 3600 * 1000};

// ---- what a body says ----

Result<std::string> text_of(std::string_view field, const json::value& value,
                            std::size_t bytes_max) {
    const json::string* text = value.if_string();
    if (text == nullptr || text->size() > bytes_max ||
        !is_valid_utf8({text->data(), text->size()})) {
        return std::unexpected(
            bad_value(field, fmt::format("text of at most {} bytes", bytes_max)));
    }
    return std::string(text->data(), text->size());
}

// An address that is written out is refused here; where a name leads is seen when it is connected
// to.
Result<std::string> url_of(const json::value& value, const net::AddressPolicy& policy) {
    auto text = text_of("url", value, net::kWebAddressMax);
    if (!text) {
        return text;
    }
    auto address = net::WebAddress::parse(*text);
    if (!address) {
        std::string reason = address.error().message;
        if (reason.ends_with('.')) {
            reason.pop_back();  // bad_value has its own
        }
        return std::unexpected(
            bad_value("url", "an http or https address of a receiver. " + reason));
    }
    if (address->literal) {
        if (const auto kind = policy.refusal(*address->literal)) {
            return std::unexpected(net::address_refused(address->host, *kind));
        }
    }
    return std::move(address->text);
}

Result<std::vector<std::string>> types_of(const json::value& value) {
    const json::array* list = value.if_array();
    if (list == nullptr) {
        return std::unexpected(bad_value("types", "a list of types of events"));
    }
    LiveFilter filter;
    for (const json::value& type : *list) {
        const json::string* text = type.if_string();
        if (text == nullptr) {
            return std::unexpected(bad_value("types", "a list of types of events"));
        }
        const std::string called = fmt::format("types[{}]", filter.types.size());
        if (auto added = add_to_filter(filter, "type", {text->data(), text->size()}, called);
            !added) {
            return std::unexpected(added.error());
        }
    }
    return std::move(filter.types);
}

Result<std::vector<std::string>> states_of(const json::value& value) {
    const auto wrong = bad_value("states",
                                 "a list of at most 7 of pending, processing, retrying, completed, "
                                 "partial_failure, failed and cancelled");
    const json::array* list = value.if_array();
    if (list == nullptr || list->size() > kStatesMax) {
        return std::unexpected(wrong);
    }
    std::vector<std::string> states;
    for (const json::value& state : *list) {
        const json::string* text = state.if_string();
        if (text == nullptr || !domain::task_state_from({text->data(), text->size()})) {
            return std::unexpected(wrong);
        }
        states.emplace_back(text->c_str());
    }
    return states;
}

template <typename T>
Result<void> put(std::optional<T>& field, Result<T> value) {
    if (!value) {
        return std::unexpected(value.error());
    }
    field = std::move(*value);
    return {};
}

Result<ports::WebhookChange> change_of(const json::object& body, const net::AddressPolicy& policy) {
    ports::WebhookChange change;
    for (const auto& [key, value] : body) {
        Result<void> taken;
        if (key == "url") {
            taken = put(change.url, url_of(value, policy));
        } else if (key == "description") {
            taken = put(change.description, text_of("description", value, kDescriptionBytesMax));
        } else if (key == "types") {
            taken = put(change.types, types_of(value));
        } else if (key == "states") {
            taken = put(change.states, states_of(value));
        } else {
            return std::unexpected(unknown_field({key.data(), key.size()}, "of a webhook",
                                                 "url, description, types and states"));
        }
        if (!taken) {
            return std::unexpected(taken.error());
        }
    }
    return change;
}

// ---- ids ----

Result<ports::WebhookId> webhook_id_of(const Request& request) {
    return path_id<ports::WebhookId>(request, "id", "webhook");
}

std::string webhook_path(const ports::WebhookId& id) {
    return "/api/v1/webhooks/" + id.value;
}

void changed(const Services& services) {
    if (services.settings.webhooks_changed) {
        services.settings.webhooks_changed();
    }
}

// What `then` makes of the webhook that the path names.
template <typename Then>
Result<Response> with_webhook(const Request& request, Then then) {
    const auto id = webhook_id_of(request);
    return id ? then(*id) : Result<Response>(std::unexpected(id.error()));
}

// The same of one of its deliveries.
template <typename Then>
Result<Response> with_delivery(const Request& request, Then then) {
    return with_webhook(request, [&](const ports::WebhookId& webhook) {
        const auto id = path_id<ports::DeliveryId>(request, "delivery_id", "delivery");
        return id ? then(webhook, *id) : Result<Response>(std::unexpected(id.error()));
    });
}

// The webhook as it is now, or why not.
Result<Response> answered(const Services& services, const Result<ports::WebhookRow>& webhook,
                          bool with_secret = false) {
    if (!webhook) {
        return std::unexpected(webhook.error());
    }
    changed(services);
    json::object shape = webhook_shape(*webhook);
    if (with_secret) {
        shape["secret"] = webhook->secret;
    }
    return json_response(200, std::move(shape));
}

Result<Response> queued(const Services& services, const Result<ports::DeliveryRow>& delivery) {
    if (!delivery) {
        return std::unexpected(delivery.error());
    }
    changed(services);
    Response response = json_response(202, delivery_shape(*delivery));
    response.headers.emplace_back(
        "Location", webhook_path(delivery->webhook) + "/deliveries/" + delivery->id.value);
    return response;
}

Result<ports::WebhookChange> change_in(const Services& services, const Request& request) {
    const auto body = json_body(request);
    return body ? change_of(*body, services.settings.webhook_addresses)
                : std::unexpected(body.error());
}

}  // namespace

Result<Response> create_webhook(const Services& services, const Request& request) {
    const auto change = change_in(services, request);
    if (!change) {
        return std::unexpected(change.error());
    }
    if (!change->url) {
        return std::unexpected(bad_value("url", "there: the address of the receiver"));
    }
    const auto key = idempotency_key_of(request);
    if (!key) {
        return std::unexpected(key.error());
    }
    const auto made = services.store.webhooks().create_webhook(
        {.id = new_id<ports::WebhookId>(),
         .url = *change->url,
         .description = change->description.value_or(""),
         .filter = {.types = change->types.value_or(std::vector<std::string>{}),
                    .states = change->states.value_or(std::vector<std::string>{})},
         .secret = webhooks::new_secret()},
        *key);
    if (!made) {
        return std::unexpected(made.error());
    }
    changed(services);
    json::object shape = webhook_shape(made->webhook);
    shape["secret"] = made->webhook.secret;
    Response response = json_response(201, std::move(shape));
    response.headers.emplace_back("Location", webhook_path(made->webhook.id));
    if (made->replayed) {
        response.headers.emplace_back("Idempotency-Replayed", "true");
    }
    return response;
}

Result<Response> list_webhooks(const Services& services, const Request&) {
    const auto all = services.store.webhooks().list_webhooks();
    if (!all) {
        return std::unexpected(all.error());
    }
    json::array items;
    for (const auto& webhook : *all) {
        items.push_back(webhook_shape(webhook));
    }
    return json_response(200, json::object{{"items", std::move(items)}});
}

Result<Response> get_webhook(const Services& services, const Request& request) {
    return with_webhook(request, [&](const ports::WebhookId& id) -> Result<Response> {
        const auto webhook = services.store.webhooks().webhook(id);
        if (!webhook) {
            return std::unexpected(webhook.error());
        }
        return json_response(200, webhook_shape(*webhook));
    });
}

Result<Response> change_webhook(const Services& services, const Request& request) {
    return with_webhook(request, [&](const ports::WebhookId& id) -> Result<Response> {
        const auto change = change_in(services, request);
        if (!change) {
            return std::unexpected(change.error());
        }
        return answered(services, services.store.webhooks().change_webhook(id, *change));
    });
}

Result<Response> delete_webhook(const Services& services, const Request& request) {
    return with_webhook(request, [&](const ports::WebhookId& id) -> Result<Response> {
        if (const auto deleted = services.store.webhooks().delete_webhook(id); !deleted) {
            return std::unexpected(deleted.error());
        }
        Response response;
        response.status = 204;
        return response;
    });
}

Result<Response> pause_webhook(const Services& services, const Request& request) {
    return with_webhook(request, [&](const ports::WebhookId& id) {
        return answered(services, services.store.webhooks().set_webhook_state(
                                      id, ports::WebhookState::paused, "Paused by request."));
    });
}

Result<Response> resume_webhook(const Services& services, const Request& request) {
    return with_webhook(request, [&](const ports::WebhookId& id) {
        return answered(services, services.store.webhooks().set_webhook_state(
                                      id, ports::WebhookState::active, ""));
    });
}

Result<Response> rotate_webhook_secret(const Services& services, const Request& request) {
    return with_webhook(request, [&](const ports::WebhookId& id) {
        return answered(
            services,
            services.store.webhooks().rotate_secret(id, webhooks::new_secret(), kOldSecretSigns),
            true);
    });
}

Result<Response> ping_webhook(const Services& services, const Request& request) {
    return with_webhook(request, [&](const ports::WebhookId& id) {
        return queued(services, services.store.webhooks().ping_webhook(id));
    });
}

Result<Response> list_deliveries(const Services& services, const Request& request) {
    const auto id = webhook_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto page = page_of(request);
    if (!page) {
        return std::unexpected(page.error());
    }
    const auto status = text_parameter(request, "status");
    if (!status) {
        return std::unexpected(status.error());
    }
    ports::DeliveryFilter filter;
    if (*status) {
        filter.state = ports::delivery_state_from(**status);
        if (!filter.state) {
            return std::unexpected(bad_value("status", "waiting, delivered or failed"));
        }
    }
    const auto found = services.store.webhooks().list_deliveries(*id, filter, *page);
    if (!found) {
        return std::unexpected(found.error());
    }
    json::array items;
    for (const auto& delivery : found->rows) {
        items.push_back(delivery_shape(delivery));
    }
    return json_response(200, page_shape(std::move(items), found->next_cursor));
}

Result<Response> get_delivery(const Services& services, const Request& request) {
    return with_delivery(
        request,
        [&](const ports::WebhookId& id, const ports::DeliveryId& delivery) -> Result<Response> {
            const auto found = services.store.webhooks().delivery(id, delivery);
            if (!found) {
                return std::unexpected(found.error());
            }
            return json_response(200, whole_delivery_shape(*found));
        });
}

Result<Response> replay_delivery(const Services& services, const Request& request) {
    return with_delivery(
        request, [&](const ports::WebhookId& id, const ports::DeliveryId& delivery) {
            return queued(services, services.store.webhooks().replay_delivery(id, delivery));
        });
}

Result<Response> replay_webhook(const Services& services, const Request& request) {
    const auto id = webhook_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto body = json_body(request);
    if (!body) {
        return std::unexpected(body.error());
    }
    const auto wrong = bad_value(
        "The body",
        "{\"since\": \"2026-11-28T08:00:00Z\"}, a time, or {\"after\": 120}, the number of an "
        "event");
    std::optional<WallTime> since;
    std::optional<std::int64_t> after;
    if (body->size() != 1) {
        return std::unexpected(wrong);
    }
    if (const json::value* time = body->if_contains("since");
        time != nullptr && time->is_string()) {
        since = wall_time_from_rfc3339({time->get_string().data(), time->get_string().size()});
    } else if (const json::value* seq = body->if_contains("after");
               seq != nullptr && seq->is_int64() && seq->get_int64() >= 0) {
        after = seq->get_int64();
    }
    if (!since && !after) {
        return std::unexpected(wrong);
    }
    const auto replayed =
        services.store.webhooks().replay_events(*id, since, after, kReplayedAtOnce);
    if (!replayed) {
        return std::unexpected(replayed.error());
    }
    changed(services);
    return json_response(202, json::object{{"queued", replayed->queued},
                                           {"last_seq", replayed->last_seq},
                                           {"more", replayed->more}});
}

}  // namespace durascribe::api
