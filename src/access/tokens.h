// What may be asked of a new token, and issuing it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "durascribe/ports/token_store.h"

namespace durascribe::access {

struct TokenRequest {
    std::string name;
    domain::Scopes scopes = domain::Scopes{}.add(domain::Scope::read).add(domain::Scope::write);
    std::optional<Millis> lifetime;  // none: it never runs out
    ports::TokenLimits limits;
};

// All errors: request "bad_value", naming the field and what was expected.
Result<void> check_token_request(const TokenRequest& request);
// "30s", "15m", "12h", "90d", "52w": a whole number and a unit, up to ten years.
Result<Millis> lifetime_from(std::string_view text);

struct IssuedToken {
    ports::TokenRow row;
    std::string secret;  // shown once, kept nowhere
};

// Committed when it returns. Errors: as check_token_request and ports::TokenStore::create_token.
Result<IssuedToken> issue_token(ports::TokenStore& store, const TokenRequest& request, WallTime now,
                                const std::optional<ports::IdempotencyKey>& idempotency = {});

// Whether any of them may still be used.
bool any_usable(const std::vector<ports::TokenRow>& tokens, WallTime now);

}  // namespace durascribe::access
