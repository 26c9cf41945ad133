// Asking twice: what makes a request the same as an earlier one.
#pragma once

#include <string>

namespace durascribe::ports {

// Of one request that creates something (RFC draft httpapi-idempotency-key-header). The same key
// with the same fingerprint gives the first answer again; with another: request
// "idempotency_key_reused". Kept for Retention::idempotency_keys.
struct IdempotencyKey {
    std::string key;          // at most 255 bytes
    std::string fingerprint;  // equal for requests that ask for the same, and only for those
};

}  // namespace durascribe::ports
