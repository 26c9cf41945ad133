// Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md):
// secrets and symmetric signatures.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "durascribe/base/time.h"
#include "durascribe/ports/webhook_store.h"

namespace durascribe::webhooks {

// "whsec_" and the base64 of 32 random bytes.
std::string new_secret();

// "v1," and the base64 of HMAC-SHA256 over "id.timestamp.body", with the bytes that the secret
// encodes as the key. Requires a secret of new_secret()'s form.
std::string sign(std::string_view secret, std::string_view message_id, std::int64_t timestamp,
                 std::string_view body);

// webhook-signature: by the secret and, until its time is over, by the one before, with a space
// between them.
std::string signatures(const ports::WebhookRow& webhook, std::string_view message_id, WallTime now,
                       std::string_view body);

}  // namespace durascribe::webhooks
