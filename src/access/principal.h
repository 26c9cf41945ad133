// Who asks, as the handlers see it.
#pragma once

#include <optional>
#include <string>

#include "durascribe/domain/access_scope.h"
#include "durascribe/ports/token_store.h"

namespace durascribe::access {

// What a route asks of who calls it.
enum class Need {
    open,   // nothing; who has a token is known all the same
    known,  // to be somebody, whatever the scopes
    read,
    write,
    admin,
    metrics,  // read, or nothing where METRICS_PUBLIC
};

struct Principal {
    enum class Kind {
        nobody,    // not known, at an open route
        everyone,  // --no-auth
        local,     // from this machine, without a token
        command,   // the command line on this data directory (server.json)
        token,
        session,  // a browser's, opened with a token
    };
    Kind kind = Kind::nobody;
    TokenId token;     // of token and session
    std::string name;  // the token's
    domain::Scopes scopes;
    std::optional<WallTime> expires_at;
    std::string session;     // the digest of its secret
    std::string csrf_token;  // of a session
    ports::Charge charge;    // on whose account it makes things

    bool known() const { return kind != Kind::nobody; }
};

std::string_view to_string(Principal::Kind kind);

}  // namespace durascribe::access
