// The wire shapes of webhooks and their deliveries. docs/webhooks.md shows them.
#pragma once

#include <boost/json.hpp>

#include "durascribe/ports/webhook_store.h"

namespace durascribe::api {

// Without its secret.
boost::json::object webhook_shape(const ports::WebhookRow& webhook);
// In lists; and alone, with what is sent and its log.
boost::json::object delivery_shape(const ports::DeliveryRow& delivery);
boost::json::object whole_delivery_shape(const ports::DeliveryRow& delivery);

}  // namespace durascribe::api
