// The verbs and reads of ports::TokenStore. Private to store/sqlite.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "durascribe/store/sqlite/transitions.h"

namespace durascribe::store {

Result<ports::TokenRow> create_token(WriteTx& tx, const ports::NewToken& token,
                                     const std::optional<ports::IdempotencyKey>& idempotency);
Result<void> revoke_token(WriteTx& tx, const TokenId& id);
Result<void> note_token_use(WriteTx& tx, std::span<const ports::TokenUse> uses);
Result<void> open_session(WriteTx& tx, const ports::SessionRow& session);
Result<void> end_session(WriteTx& tx, const std::string& secret_sha256);

Result<std::vector<ports::TokenRow>> tokens(Connection& db);
Result<std::vector<ports::SessionRow>> sessions(Connection& db);
// Also within the submission's own transaction.
Result<void> check_charge(Connection& db, const ports::Charge& charge, std::int64_t more_bytes);

}  // namespace durascribe::store
