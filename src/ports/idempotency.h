// Asking twice: what makes a request the same as an earlier one.
#pragma once

#include <string>

namespace durascribe::ports {

// Of one request that creates something (RFC draft httpapi-idempotency-key-header). The same key
// with the same fingerprint gives the first answer again; with another: request
// "idempotency_key_reused". Kept for Retention::idempotency_keys. Of each owner its own: what
// another one chose is neither found nor in the way.
struct IdempotencyKey {
    std::string key;          // at most 300 bytes
    std::string fingerprint;  // equal for requests that ask for the same, and only for those
    std::string owner = {};   // the id of a token; empty: nobody's
};

}  // namespace durascribe::ports
