#include "durascribe/access/access_control.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <pthread.h>

#include "durascribe/access/secret.h"
#include "durascribe/base/log.h"

namespace durascribe::access {
namespace {

Error token_required() {
    return {ErrorClass::request,
            "token_required",
            "This needs a token: send it as Authorization: Bearer TOKEN. Whoever runs the server "
            "makes one with: durascribe token create NAME.",
            {}};
}

Error invalid_token() {
    return {ErrorClass::request,
            "invalid_token",
            "This token is not known here, was revoked, or has run out. Ask whoever runs the "
            "server for another one (durascribe token create NAME).",
            {}};
}

std::optional<domain::Scope> scope_of(Need need) {
    switch (need) {
        case Need::open:
        case Need::known:
            return std::nullopt;
        case Need::read:
        case Need::metrics:
            return domain::Scope::read;
        case Need::write:
            return domain::Scope::write;
        case Need::admin:
            return domain::Scope::admin;
    }
    assertion_failed("known Need", __FILE__, __LINE__);
}

Principal anyone_here(Principal::Kind kind) {
    Principal who;
    who.kind = kind;
    who.scopes = domain::Scopes::all();
    return who;
}

}  // namespace

std::string_view to_string(Principal::Kind kind) {
    switch (kind) {
        case Principal::Kind::nobody:
            return "nobody";
        case Principal::Kind::everyone:
            return "everyone";
        case Principal::Kind::local:
            return "local";
        case Principal::Kind::command:
            return "command";
        case Principal::Kind::token:
            return "token";
        case Principal::Kind::session:
            return "session";
    }
    assertion_failed("known Principal::Kind", __FILE__, __LINE__);
}

AccessControl::AccessControl(ports::TokenStore& store, const ports::Clock& clock,
                             AccessSettings settings)
    : store_(store),
      clock_(clock),
      settings_(std::move(settings)),
      // Not like a token: it is in no database, and nobody should look for it there.
      command_token_("run_" + new_secret()) {}

AccessControl::~AccessControl() {
    stop();
}

void AccessControl::on_end(std::function<void(const std::string&)> hang_up) {
    hang_up_ = std::move(hang_up);
}

Result<void> AccessControl::start() {
    const auto tokens = store_.tokens();
    if (!tokens) {
        return std::unexpected(tokens.error());
    }
    const auto sessions = store_.sessions();
    if (!sessions) {
        return std::unexpected(sessions.error());
    }
    {
        const std::scoped_lock lock{mutex_};
        by_digest_.clear();
        by_id_.clear();
        sessions_.clear();
        had_tokens_ = false;
    }
    for (const ports::TokenRow& row : *tokens) {
        add(row);
    }
    {
        const std::scoped_lock lock{mutex_};
        for (const ports::SessionRow& row : *sessions) {
            const auto token = by_id_.find(row.token.value);
            if (token != by_id_.end()) {
                sessions_[row.secret_sha256] = Session{row, token->second};
            }
        }
    }
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
    return {};
}

void AccessControl::stop() {
    if (!thread_.joinable()) {
        return;
    }
    thread_.request_stop();
    thread_.join();
    if (auto written = persist_uses(); !written) {
        log::warning("When tokens were last used could not be written down: {}",
                     written.error().message);
    }
}

void AccessControl::add(const ports::TokenRow& row) {
    auto token = std::make_shared<Token>();
    token->row = row;
    token->last_used_ms = row.last_used_at ? row.last_used_at->time_since_epoch().count() : 0;
    token->allowance =
        limit(row.limits.requests_per_second, settings_.defaults.requests_per_second);
    token->filled_at = clock_.mono();
    const std::scoped_lock lock{mutex_};
    had_tokens_ = true;
    by_digest_[row.secret_sha256] = token;
    by_id_[row.id.value] = std::move(token);
}

// ---- judging ------------------------------------------------------------------------------------

Result<Principal> AccessControl::admit(const Credentials& credentials, Need need) {
    if (need == Need::metrics && settings_.metrics_public) {
        need = Need::open;
    }
    Result<Principal> who = identify(credentials);
    if (need == Need::open) {
        return who ? std::move(*who) : Principal{};
    }
    if (!who) {
        return who;
    }
    if (who->kind == Principal::Kind::session && credentials.changes_state &&
        !same_secret(credentials.csrf.value_or(""), who->csrf_token)) {
        return fail(ErrorClass::request, "bad_csrf_token",
                    "A change that is asked for with the session's cookie must carry the header "
                    "X-CSRF-Token with the csrf_token that GET /api/v1/session gives.");
    }
    if (who->charge.token) {
        const TokenPtr token = token_of(*who->charge.token);
        if (token == nullptr) {
            return std::unexpected(invalid_token());  // revoked in this moment
        }
        if (auto taken = take_one(*token); !taken) {
            return std::unexpected(taken.error());
        }
        token->last_used_ms = clock_.wall().time_since_epoch().count();
        token->used = true;
        if (!dirty_.exchange(true)) {
            const std::scoped_lock lock{wake_mutex_};
            changed_ = true;
            wake_.notify_all();
        }
    }
    const auto scope = scope_of(need);
    if (scope && !who->scopes.allow(*scope)) {
        const std::string name{domain::to_string(*scope)};
        return fail(ErrorClass::request, "insufficient_scope",
                    fmt::format("This needs the scope {0}, which the token {1} does not have. "
                                "Make one that has it: durascribe token create NAME --scope {0}.",
                                name, who->name),
                    name);
    }
    return who;
}

Result<Principal> AccessControl::identify(const Credentials& credentials) const {
    const bool needs_nothing = settings_.everyone || counts_as_local(credentials);
    if (credentials.bearer) {
        if (same_secret(*credentials.bearer, command_token_)) {
            return anyone_here(Principal::Kind::command);
        }
        if (const TokenPtr token = find_token(*credentials.bearer)) {
            return principal_of(*token);
        }
        // Where none is needed, the key that a client for another service must have is nothing to
        // us; what was meant as one of our tokens is told that it is none.
        if (!needs_nothing || looks_like_token(*credentials.bearer)) {
            return std::unexpected(invalid_token());
        }
    } else if (credentials.session) {
        if (const auto session = find_session(*credentials.session)) {
            Principal who = principal_of(*session->token);
            who.kind = Principal::Kind::session;
            who.session = session->row.secret_sha256;
            who.expires_at = who.expires_at ? std::min(*who.expires_at, session->row.expires_at)
                                            : session->row.expires_at;
            who.csrf_token = csrf_token_of(*credentials.session);
            return who;
        }
    }
    if (settings_.everyone) {
        return anyone_here(Principal::Kind::everyone);
    }
    if (needs_nothing) {
        return anyone_here(Principal::Kind::local);
    }
    return std::unexpected(token_required());
}

bool AccessControl::counts_as_local(const Credentials& credentials) const {
    if (settings_.required_on_loopback) {
        return false;
    }
    if (credentials.from_this_machine) {
        return true;
    }
    const std::shared_lock lock{mutex_};
    return credentials.proxied_on_loopback && !had_tokens_;
}

AccessControl::TokenPtr AccessControl::find_token(std::string_view secret) const {
    const std::string digest = digest_of(secret);
    const std::shared_lock lock{mutex_};
    const auto found = by_digest_.find(digest);
    if (found == by_digest_.end() || !same_secret(found->second->row.secret_sha256, digest) ||
        expired(found->second->row.expires_at)) {
        return nullptr;
    }
    return found->second;
}

std::optional<AccessControl::Session> AccessControl::find_session(std::string_view secret) const {
    const std::string digest = digest_of(secret);
    const std::shared_lock lock{mutex_};
    const auto found = sessions_.find(digest);
    if (found == sessions_.end() || !same_secret(found->second.row.secret_sha256, digest) ||
        expired(found->second.row.expires_at) || expired(found->second.token->row.expires_at)) {
        return std::nullopt;
    }
    return found->second;
}

AccessControl::TokenPtr AccessControl::token_of(const TokenId& id) const {
    const std::shared_lock lock{mutex_};
    const auto found = by_id_.find(id.value);
    return found == by_id_.end() ? nullptr : found->second;
}

bool AccessControl::expired(const std::optional<WallTime>& at) const {
    return at && *at <= clock_.wall();
}

int AccessControl::limit(const std::optional<int>& own, const std::optional<int>& standard) const {
    return own.value_or(standard.value_or(0));
}

Principal AccessControl::principal_of(const Token& token) const {
    const ports::TokenRow& row = token.row;
    Principal who;
    who.kind = Principal::Kind::token;
    who.token = row.id;
    who.name = row.name;
    who.scopes = row.scopes;
    who.expires_at = row.expires_at;
    who.charge = {.token = row.id,
                  .jobs_max = limit(row.limits.jobs, settings_.defaults.jobs),
                  .storage_max = row.limits.storage_bytes.value_or(
                      settings_.defaults.storage_bytes.value_or(0))};
    return who;
}

// A bucket that holds the requests of one second, and fills evenly.
Result<void> AccessControl::take_one(Token& token) const {
    const int rate =
        limit(token.row.limits.requests_per_second, settings_.defaults.requests_per_second);
    if (rate == 0) {
        return {};
    }
    const std::scoped_lock lock{token.mutex};
    const MonoTime now = clock_.mono();
    const double seconds = std::chrono::duration<double>(now - token.filled_at).count();
    token.allowance = std::min<double>(rate, token.allowance + seconds * rate);
    token.filled_at = now;
    if (token.allowance < 1) {
        return fail(
            ErrorClass::request, "rate_limited",
            fmt::format("This token may ask {} times a second. Try again in a moment.", rate));
    }
    token.allowance -= 1;
    return {};
}

// ---- changes ------------------------------------------------------------------------------------

Result<IssuedToken> AccessControl::create(const TokenRequest& request,
                                          const std::optional<ports::IdempotencyKey>& idempotency) {
    // The store and the maps in the same order for all: a token that is revoked as soon as it is in
    // the store must not come into the maps after that.
    const std::scoped_lock in_turn{changes_mutex_};
    auto issued = issue_token(store_, request, clock_.wall(), idempotency);
    if (issued) {
        add(issued->row);
        const std::scoped_lock lock{wake_mutex_};
        changed_ = true;
        wake_.notify_all();
    }
    return issued;
}

Result<void> AccessControl::revoke(const TokenId& id) {
    const std::scoped_lock in_turn{changes_mutex_};
    if (auto revoked = store_.revoke_token(id); !revoked) {
        return revoked;
    }
    {
        const std::scoped_lock lock{mutex_};
        const auto found = by_id_.find(id.value);
        if (found != by_id_.end()) {
            by_digest_.erase(found->second->row.secret_sha256);
            by_id_.erase(found);
        }
        std::erase_if(sessions_, [&](const auto& s) { return s.second.row.token == id; });
    }
    if (hang_up_) {
        hang_up_(id.value);
    }
    return {};
}

Result<std::vector<ports::TokenRow>> AccessControl::list() {
    auto rows = store_.tokens();
    if (!rows) {
        return rows;
    }
    const std::shared_lock lock{mutex_};
    for (ports::TokenRow& row : *rows) {
        const auto token = by_id_.find(row.id.value);
        if (token != by_id_.end() && token->second->last_used_ms > 0) {
            row.last_used_at = WallTime{Millis{token->second->last_used_ms.load()}};
        }
    }
    return rows;
}

Result<OpenedSession> AccessControl::open_session(const std::string& token) {
    const TokenPtr found = find_token(token);
    if (found == nullptr) {
        return std::unexpected(invalid_token());
    }
    if (auto taken = take_one(*found); !taken) {
        return std::unexpected(taken.error());
    }
    OpenedSession opened;
    opened.secret = new_secret();
    const WallTime now = clock_.wall();
    opened.expires_at = now + settings_.session_length;
    if (found->row.expires_at) {
        opened.expires_at = std::min(opened.expires_at, *found->row.expires_at);
    }
    const ports::SessionRow row{.secret_sha256 = digest_of(opened.secret),
                                .token = found->row.id,
                                .created_at = now,
                                .expires_at = opened.expires_at};
    if (auto stored = store_.open_session(row); !stored) {
        return std::unexpected(stored.error().code == "not_found" ? invalid_token()
                                                                  : stored.error());
    }
    std::vector<std::string> gone;
    {
        const std::scoped_lock lock{mutex_};
        if (by_id_.contains(found->row.id.value)) {  // not revoked meanwhile
            gone = drop_oldest_sessions(found->row.id);
            sessions_[row.secret_sha256] = Session{row, found};
        }
    }
    for (const std::string& digest : gone) {
        if (hang_up_) {
            hang_up_(digest);
        }
    }
    opened.who = principal_of(*found);
    opened.who.kind = Principal::Kind::session;
    opened.who.session = row.secret_sha256;
    opened.who.expires_at = opened.expires_at;
    opened.who.csrf_token = csrf_token_of(opened.secret);
    const std::scoped_lock lock{wake_mutex_};
    changed_ = true;
    wake_.notify_all();
    return opened;
}

// So that there is room for one more; the store does the same.
std::vector<std::string> AccessControl::drop_oldest_sessions(const TokenId& token) {
    std::vector<std::pair<WallTime, std::string>> of_token;
    for (const auto& [digest, session] : sessions_) {
        if (session.row.token == token) {
            of_token.emplace_back(session.row.created_at, digest);
        }
    }
    std::vector<std::string> gone;
    std::ranges::sort(of_token);
    for (std::size_t i = 0;
         i + static_cast<std::size_t>(ports::kSessionsOfTokenMax) <= of_token.size(); ++i) {
        gone.push_back(std::move(of_token[i].second));
        sessions_.erase(gone.back());
    }
    return gone;
}

Result<void> AccessControl::end_session(const Principal& who) {
    if (auto ended = store_.end_session(who.session); !ended) {
        return ended;
    }
    {
        const std::scoped_lock lock{mutex_};
        sessions_.erase(who.session);
    }
    if (hang_up_) {
        hang_up_(who.session);
    }
    return {};
}

Result<void> AccessControl::persist_uses() {
    const std::scoped_lock one_at_a_time{persist_mutex_};
    dirty_ = false;
    std::vector<TokenPtr> used;
    {
        const std::shared_lock lock{mutex_};
        for (const auto& [id, token] : by_id_) {
            if (token->used.exchange(false)) {
                used.push_back(token);
            }
        }
    }
    std::vector<ports::TokenUse> uses;
    for (const TokenPtr& token : used) {
        uses.push_back({token->row.id, WallTime{Millis{token->last_used_ms.load()}}});
    }
    if (uses.empty()) {
        return {};
    }
    auto written = store_.note_token_use(uses);
    if (!written) {
        for (const TokenPtr& token : used) {
            token->used = true;
        }
        dirty_ = true;
    }
    return written;
}

// ---- the thread ---------------------------------------------------------------------------------

void AccessControl::run(std::stop_token stop) {
    pthread_setname_np(pthread_self(), "ds-access");
    using Steady = std::chrono::steady_clock;
    auto persist_from = Steady::now();
    WallTime judged;  // what has ended up to here was hung up on
    while (!stop.stop_requested()) {
        {
            // By the wall clock, which is what an expiry is judged by; one that is set wakes this.
            auto until = std::chrono::system_clock::time_point::max();
            if (const auto end = next_end(judged)) {
                until = *end;
            }
            if (dirty_) {
                const auto patience = std::max(persist_from - Steady::now(), Steady::duration{0});
                until = std::min(until, std::chrono::system_clock::now() + patience);
            }
            std::unique_lock lock{wake_mutex_};
            const auto changed = [this] { return std::exchange(changed_, false); };
            if (until == std::chrono::system_clock::time_point::max()) {
                wake_.wait(lock, stop, changed);
            } else {
                wake_.wait_until(lock, stop, until, changed);
            }
        }
        if (stop.stop_requested()) {
            return;  // whoever would be hung up on is being hung up on
        }
        for (const std::string& gone : end_what_ran_out(judged)) {
            if (hang_up_) {
                hang_up_(gone);
            }
        }
        if (dirty_ && Steady::now() >= persist_from) {
            persist_from = Steady::now() + settings_.persist_interval;
            if (auto written = persist_uses(); !written) {
                log::warning("When tokens were last used could not be written down: {}",
                             written.error().message);
            }
        }
    }
}

// After what was judged, and not after now: what ran out meanwhile is due at once.
std::optional<WallTime> AccessControl::next_end(WallTime judged) const {
    std::optional<WallTime> next;
    const auto consider = [&](const std::optional<WallTime>& at) {
        if (at && *at > judged && (!next || *at < *next)) {
            next = at;
        }
    };
    const std::shared_lock lock{mutex_};
    for (const auto& [id, token] : by_id_) {
        consider(token->row.expires_at);
    }
    for (const auto& [digest, session] : sessions_) {
        consider(session.row.expires_at);
    }
    return next;
}

// Tokens stay, for the list; nobody may do anything with them.
std::vector<std::string> AccessControl::end_what_ran_out(WallTime& judged) {
    const WallTime now = clock_.wall();
    const WallTime from = std::min(judged, now);  // the clock may have been put back
    const auto ran_out = [&](const std::optional<WallTime>& at) {
        return at && *at <= now && *at > from;
    };
    std::vector<std::string> gone;
    const std::scoped_lock lock{mutex_};
    for (const auto& [id, token] : by_id_) {
        if (ran_out(token->row.expires_at)) {
            gone.push_back(id);
        }
    }
    for (const auto& [digest, session] : sessions_) {
        if (ran_out(session.row.expires_at)) {
            gone.push_back(digest);
        }
    }
    std::erase_if(sessions_, [&](const auto& s) { return s.second.row.expires_at <= now; });
    judged = now;
    return gone;
}

}  // namespace durascribe::access
