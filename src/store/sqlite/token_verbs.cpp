#include "durascribe/store/sqlite/token_verbs.h"

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/store/sqlite/verbs.h"

namespace durascribe::store {
namespace {

#define DURASCRIBE_TOKEN_COLUMNS                                              \
    "id, name, secret_sha256, scopes, created_at, expires_at, last_used_at, " \
    "requests_per_second, jobs_max, storage_max, stored_bytes"

std::optional<int> maybe_small(Rows& rows) {
    const auto value = rows.maybe_integer();
    return value ? std::optional{static_cast<int>(*value)} : std::nullopt;
}

ports::TokenRow read_token(Rows& rows) {
    ports::TokenRow token;
    token.id = TokenId{rows.text()};
    token.name = rows.text();
    token.secret_sha256 = rows.text();
    const auto scopes = domain::Scopes::from_bits(rows.small());
    DURASCRIBE_ASSERT(scopes);
    token.scopes = *scopes;
    token.created_at = rows.wall();
    token.expires_at = rows.maybe_wall();
    token.last_used_at = rows.maybe_wall();
    token.limits.requests_per_second = maybe_small(rows);
    token.limits.jobs = maybe_small(rows);
    token.limits.storage_bytes = rows.maybe_integer();
    token.stored_bytes = rows.integer();
    return token;
}

Error token_not_found(const TokenId& id) {
    return {ErrorClass::request,
            "not_found",
            fmt::format("There is no token {}. It may have been revoked; the list shows what "
                        "there is.",
                        id.value),
            {}};
}

std::optional<ports::TokenRow> find_token(Connection& db, const TokenId& id) {
    Rows rows = db.query("SELECT " DURASCRIBE_TOKEN_COLUMNS " FROM tokens WHERE id = ?", id);
    return rows.step() ? std::optional{read_token(rows)} : std::nullopt;
}

int active_jobs(Connection& db, const TokenId& id) {
    Rows rows = db.query(
        "SELECT count(*) FROM tasks WHERE token_id = ? AND completed_at IS NULL"
        " AND cancel_requested_at IS NULL",
        id);
    DURASCRIBE_ASSERT(rows.step());
    return rows.small();
}

std::int64_t stored_bytes(Connection& db, const TokenId& id) {
    Rows rows = db.query("SELECT stored_bytes FROM tokens WHERE id = ?", id);
    return rows.step() ? rows.integer() : 0;
}

// In pieces, and not a media yet.
struct OnTheWay {
    int uploads = 0;
    std::int64_t bytes = 0;
};
OnTheWay on_the_way(Connection& db, const TokenId& id) {
    Rows rows = db.query(
        "SELECT count(*), coalesce(sum(coalesce(length, offset)), 0) FROM uploads"
        " WHERE token_id = ? AND finished_at IS NULL",
        id);
    DURASCRIBE_ASSERT(rows.step());
    const int uploads = rows.small();
    return {uploads, rows.integer()};
}

}  // namespace

namespace {

Result<void> check_not_made_before(WriteTx& tx, const ports::IdempotencyKey& key) {
    const auto answer = first_answer(tx, key);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    if (!*answer) {
        return {};
    }
    const std::string id{boost::json::parse(**answer).at("token_id").as_string()};
    return fail(ErrorClass::request, "token_secret_gone",
                fmt::format("This request has made the token {} before. Its secret was in that "
                            "answer alone, and is kept nowhere. If it was lost, revoke that token "
                            "and make another, with a new Idempotency-Key.",
                            id));
}

}  // namespace

Result<ports::TokenRow> create_token(WriteTx& tx, const ports::NewToken& token,
                                     const std::optional<ports::IdempotencyKey>& idempotency) {
    if (idempotency) {
        if (auto anew = check_not_made_before(tx, *idempotency); !anew) {
            return std::unexpected(anew.error());
        }
    }
    if (tx.db.query("SELECT 1 FROM tokens WHERE name = ?", token.name).step()) {
        return fail(ErrorClass::request, "token_name_taken",
                    fmt::format("There is a token named {} already. Choose another name, or "
                                "revoke that one first.",
                                token.name));
    }
    {
        Rows rows = tx.db.query("SELECT count(*) FROM tokens");
        DURASCRIBE_ASSERT(rows.step());
        if (rows.small() >= ports::kTokensMax) {
            return fail(ErrorClass::request, "too_many_tokens",
                        fmt::format("There are {} tokens, as many as there may be. Revoke some "
                                    "that are not used any more.",
                                    ports::kTokensMax));
        }
    }
    tx.db.execute(
        "INSERT INTO tokens (id, name, secret_sha256, scopes, created_at, expires_at,"
        " requests_per_second, jobs_max, storage_max) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        token.id, token.name, token.secret_sha256, token.scopes.bits(), tx.now, token.expires_at,
        token.limits.requests_per_second, token.limits.jobs, token.limits.storage_bytes);
    if (idempotency) {
        keep_answer(tx, *idempotency,
                    boost::json::serialize(boost::json::object{{"token_id", token.id.value}}));
    }
    return *find_token(tx.db, token.id);
}

Result<void> revoke_token(WriteTx& tx, const TokenId& id) {
    if (tx.db.execute("DELETE FROM tokens WHERE id = ?", id) == 0) {
        return std::unexpected(token_not_found(id));
    }
    return {};
}

Result<void> note_token_use(WriteTx& tx, std::span<const ports::TokenUse> uses) {
    for (const ports::TokenUse& use : uses) {
        tx.db.execute(
            "UPDATE tokens SET last_used_at = ?2 WHERE id = ?1 AND coalesce(last_used_at, 0) < ?2",
            use.token, use.at);
    }
    return {};
}

Result<void> open_session(WriteTx& tx, const ports::SessionRow& session) {
    if (!find_token(tx.db, session.token)) {
        return std::unexpected(token_not_found(session.token));
    }
    tx.db.execute("DELETE FROM sessions WHERE expires_at <= ?", tx.now);
    tx.db.execute(
        "DELETE FROM sessions WHERE secret_sha256 IN (SELECT secret_sha256 FROM sessions WHERE"
        " token_id = ? ORDER BY created_at DESC, secret_sha256 LIMIT -1 OFFSET ?)",
        session.token, ports::kSessionsOfTokenMax - 1);
    tx.db.execute(
        "INSERT INTO sessions (secret_sha256, token_id, created_at, expires_at)"
        " VALUES (?, ?, ?, ?)",
        session.secret_sha256, session.token, session.created_at, session.expires_at);
    return {};
}

Result<void> end_session(WriteTx& tx, const std::string& secret_sha256) {
    tx.db.execute("DELETE FROM sessions WHERE secret_sha256 = ?", secret_sha256);
    return {};
}

Result<std::vector<ports::TokenRow>> tokens(Connection& db) {
    std::vector<ports::TokenRow> out;
    Rows rows =
        db.query("SELECT " DURASCRIBE_TOKEN_COLUMNS " FROM tokens ORDER BY created_at, rowid");
    while (rows.step()) {
        out.push_back(read_token(rows));
    }
    return out;
}

Result<std::vector<ports::SessionRow>> sessions(Connection& db) {
    std::vector<ports::SessionRow> out;
    Rows rows = db.query("SELECT secret_sha256, token_id, created_at, expires_at FROM sessions");
    while (rows.step()) {
        ports::SessionRow session;
        session.secret_sha256 = rows.text();
        session.token = TokenId{rows.text()};
        session.created_at = rows.wall();
        session.expires_at = rows.wall();
        out.push_back(std::move(session));
    }
    return out;
}

Result<void> check_charge(Connection& db, const ports::Charge& charge, std::int64_t more_bytes) {
    if (!charge.token) {
        return {};
    }
    if (charge.jobs_max == 0 && charge.storage_max == 0) {
        return {};
    }
    const OnTheWay coming = on_the_way(db, *charge.token);
    if (charge.jobs_max > 0 && active_jobs(db, *charge.token) + coming.uploads >= charge.jobs_max) {
        return fail(ErrorClass::request, "too_many_jobs",
                    fmt::format("This token has {} tasks that run or wait, as many as it may "
                                "have. Wait until one has ended, or cancel one.",
                                charge.jobs_max));
    }
    if (charge.storage_max > 0 && more_bytes > 0 &&
        stored_bytes(db, *charge.token) + coming.bytes + more_bytes > charge.storage_max) {
        return fail(ErrorClass::request, "storage_quota",
                    fmt::format("With this file the media of this token would take more than {} "
                                "bytes, its share of the store. Delete some of them first.",
                                charge.storage_max));
    }
    return {};
}

}  // namespace durascribe::store
