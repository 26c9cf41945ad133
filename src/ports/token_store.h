// The durable record of access tokens, of the browser sessions opened with them, and of what each
// has used. Part of ports::Store, whose rules hold here, too. No secret is ever kept: only the
// SHA-256 of it, which for 256 random bits is as good as the secret's absence.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/ids.h"
#include "durascribe/base/time.h"
#include "durascribe/domain/access_scope.h"
#include "durascribe/ports/idempotency.h"

namespace durascribe::ports {

inline constexpr int kTokensMax = 1'000;
inline constexpr int kSessionsOfTokenMax = 100;

// nullopt: as the server's settings say; 0: no limit.
struct TokenLimits {
    std::optional<int> requests_per_second;
    std::optional<int> jobs;  // running and waiting
    std::optional<std::int64_t> storage_bytes;
    bool operator==(const TokenLimits&) const = default;
};

struct NewToken {
    TokenId id;
    std::string name;           // 1 to 100 bytes, unlike any other token's
    std::string secret_sha256;  // 64 lower-case hex digits
    domain::Scopes scopes;      // not empty
    std::optional<WallTime> expires_at;
    TokenLimits limits;
};

struct TokenRow {
    TokenId id;
    std::string name;
    std::string secret_sha256;
    domain::Scopes scopes;
    WallTime created_at;
    std::optional<WallTime> expires_at;
    std::optional<WallTime> last_used_at;  // as last persisted
    TokenLimits limits;
    std::int64_t stored_bytes = 0;  // of the media that it made and that are still there
};

// A browser's, opened with a token.
struct SessionRow {
    std::string secret_sha256;
    TokenId token;
    WallTime created_at;
    WallTime expires_at;
};

struct TokenUse {
    TokenId token;
    WallTime at;
};

// On whose account a media or a task is made, and what that one may have.
struct Charge {
    std::optional<TokenId> token;  // none: nobody's
    // Tasks that have not ended and are not being cancelled, and uploads in pieces, which become
    // tasks; 0: no limit.
    int jobs_max = 0;
    // In all of its media, and of what its uploads in pieces announced; 0: no limit.
    std::int64_t storage_max = 0;
};

class TokenStore {
  public:
    virtual ~TokenStore() = default;

    // Errors: request "token_name_taken"; request "too_many_tokens" beyond kTokensMax. Of a request
    // that has made one before, under this key: request "token_secret_gone", which names it, since
    // the secret is not there to be given again; with another request "idempotency_key_reused".
    virtual Result<TokenRow> create_token(
        const NewToken& token, const std::optional<IdempotencyKey>& idempotency = {}) = 0;
    // The row and its sessions are gone; what it made stays. Errors: request "not_found".
    virtual Result<void> revoke_token(const TokenId& id) = 0;
    // Later times only; tokens that are gone are skipped.
    virtual Result<void> note_token_use(std::span<const TokenUse> uses) = 0;
    // Sessions that have run out go with it, and the token's oldest beyond kSessionsOfTokenMax.
    // Errors: request "not_found" where the token is gone.
    virtual Result<void> open_session(const SessionRow& session) = 0;
    // Also where it is gone already.
    virtual Result<void> end_session(const std::string& secret_sha256) = 0;

    virtual Result<std::vector<TokenRow>> tokens() = 0;  // oldest first
    virtual Result<std::vector<SessionRow>> sessions() = 0;
    // Whether one more task, and so many more bytes (0: none), would be within the charge now; the
    // submission itself decides. Errors: request "too_many_jobs", "storage_quota".
    virtual Result<void> check_charge(const Charge& charge, std::int64_t more_bytes) = 0;
};

}  // namespace durascribe::ports
