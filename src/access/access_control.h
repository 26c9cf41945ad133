// The running server's judge of who may do what. Tokens and sessions are in memory, where every
// request asks for them; each change is in the store before it is here. One server owns a data
// directory, so that nobody else changes them meanwhile.
//
// A token is looked up by the SHA-256 of what came, whose bits a guess can't steer, and then
// compared in constant time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "durascribe/access/principal.h"
#include "durascribe/access/tokens.h"
#include "durascribe/ports/clock.h"
#include "durascribe/ports/token_store.h"

namespace durascribe::access {

struct AccessSettings {
    bool everyone = false;              // --no-auth
    bool required_on_loopback = false;  // AUTH_ON_LOOPBACK
    bool metrics_public = false;        // METRICS_PUBLIC
    ports::TokenLimits defaults;        // of tokens that say nothing; unset: no limit
    Millis session_length{30LL * 24 * 3600 * 1000};
    Millis persist_interval{60'000};  // last uses are written no more often
};

// What came with a request.
struct Credentials {
    std::optional<std::string> bearer;
    std::optional<std::string> session;  // the cookie
    std::optional<std::string> csrf;
    bool from_this_machine = false;  // over loopback, and not passed on by a proxy
    // Over loopback, but perhaps passed on; counts as from this machine until there is a token.
    bool proxied_on_loopback = false;
    bool changes_state = false;
};

struct OpenedSession {
    Principal who;
    std::string secret;  // the cookie
    WallTime expires_at;
};

// Thread-safe. Owner: the server. A thread of its own, ds-access, from start() to stop(): it writes
// down last uses and ends what has run out.
class AccessControl {
  public:
    // The references outlive it.
    AccessControl(ports::TokenStore& store, const ports::Clock& clock, AccessSettings settings);
    ~AccessControl();  // stop()
    AccessControl(const AccessControl&) = delete;
    AccessControl& operator=(const AccessControl&) = delete;

    // Called from any thread with the id of a token, or the digest of a session, that may do
    // nothing any more: whoever still talks to its owner hangs up. Set before start().
    void on_end(std::function<void(const std::string&)> hang_up);

    Result<void> start();  // errors: the store's
    void stop();           // writes down the last uses

    // For commands on this data directory, as long as this server runs.
    const std::string& command_token() const { return command_token_; }

    // Never blocks on the store. Errors, all request: "token_required", "invalid_token" (401);
    // "insufficient_scope", whose detail is the scope, "bad_csrf_token" (403); "rate_limited"
    // (429).
    Result<Principal> admit(const Credentials& credentials, Need need);

    // The rest blocks on the store.

    // Errors: as issue_token.
    Result<IssuedToken> create(const TokenRequest& request,
                               const std::optional<ports::IdempotencyKey>& idempotency = {});
    // Holds from before it returns. Errors: request "not_found".
    Result<void> revoke(const TokenId& id);
    // With the last uses of just now.
    Result<std::vector<ports::TokenRow>> list();
    // Takes the place of the token's oldest session where there are kSessionsOfTokenMax. Errors:
    // request "invalid_token", "rate_limited".
    Result<OpenedSession> open_session(const std::string& token);
    Result<void> end_session(const Principal& who);
    // Writes down the last uses that changed. What another call is writing is down, too, when this
    // one returns.
    Result<void> persist_uses();

  private:
    struct Token {
        ports::TokenRow row;
        std::atomic<std::int64_t> last_used_ms{0};
        std::atomic<bool> used{false};  // since it was written down
        std::mutex mutex;
        double allowance = 0;  // of requests; guarded by mutex
        MonoTime filled_at;    // guarded by mutex
    };
    using TokenPtr = std::shared_ptr<Token>;  // co-owned by the map and whoever is judging by it
    struct Session {
        ports::SessionRow row;
        TokenPtr token;
    };

    void add(const ports::TokenRow& row);
    TokenPtr find_token(std::string_view secret) const;
    std::optional<Session> find_session(std::string_view secret) const;
    Result<Principal> identify(const Credentials& credentials) const;
    bool counts_as_local(const Credentials& credentials) const;
    bool expired(const std::optional<WallTime>& at) const;
    Principal principal_of(const Token& token) const;
    Result<void> take_one(Token& token) const;
    std::vector<std::string> drop_oldest_sessions(const TokenId& token);  // requires mutex_
    TokenPtr token_of(const TokenId& id) const;
    int limit(const std::optional<int>& own, const std::optional<int>& standard) const;

    void run(std::stop_token stop);
    std::vector<std::string> end_what_ran_out(WallTime& judged);
    std::optional<WallTime> next_end(WallTime judged) const;

    ports::TokenStore& store_;
    const ports::Clock& clock_;
    const AccessSettings settings_;
    const std::string command_token_;
    std::function<void(const std::string&)> hang_up_;

    mutable std::shared_mutex mutex_;  // guards the maps
    std::unordered_map<std::string, TokenPtr> by_digest_;
    std::unordered_map<std::string, TokenPtr> by_id_;
    std::unordered_map<std::string, Session> sessions_;  // by digest
    // That there was a token in this run: whoever revokes the last one does not mean to let
    // everyone in that a proxy passes on.
    bool had_tokens_ = false;

    std::mutex changes_mutex_;  // held while a token is made or revoked
    std::mutex persist_mutex_;  // held while uses are written down
    std::mutex wake_mutex_;
    std::condition_variable_any wake_;
    bool changed_ = false;  // when something ends; guarded by wake_mutex_
    std::atomic<bool> dirty_{false};
    std::jthread thread_;
};

}  // namespace durascribe::access
