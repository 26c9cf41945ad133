#include "durascribe/ports/webhook_store.h"

namespace durascribe::ports {

std::string_view to_string(WebhookState s) {
    switch (s) {
        case WebhookState::active:
            return "active";
        case WebhookState::paused:
            return "paused";
        case WebhookState::disabled:
            return "disabled";
    }
    DURASCRIBE_ASSERT(false && "unknown WebhookState");
}

std::string_view to_string(DeliveryState s) {
    switch (s) {
        case DeliveryState::waiting:
            return "waiting";
        case DeliveryState::delivered:
            return "delivered";
        case DeliveryState::failed:
            return "failed";
    }
    DURASCRIBE_ASSERT(false && "unknown DeliveryState");
}

std::optional<DeliveryState> delivery_state_from(std::string_view name) {
    for (const DeliveryState s :
         {DeliveryState::waiting, DeliveryState::delivered, DeliveryState::failed}) {
        if (to_string(s) == name) {
            return s;
        }
    }
    return std::nullopt;
}

}  // namespace durascribe::ports
