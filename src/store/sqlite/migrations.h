// Brings a database to the schema that this build knows: numbered, forward only.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "durascribe/base/error.h"
#include "durascribe/store/sqlite/connection.h"

namespace durascribe::store {

struct Migration {
    int version;
    std::string_view name;
    std::string_view sql;
};

// check_only reads what was applied, and writes nothing.
enum class MigrationMode { apply, check_only };

// migrations/*.sql, in the order of their numbers.
std::span<const Migration> embedded_migrations();

// Applies what is missing, each migration in one transaction together with its line in
// schema_migrations (version, checksum): a kill in the middle leaves the version before. Errors:
// request "database_too_new" (nothing is touched); internal "migration_changed" where an applied
// file is not the one of this build. Throws SqliteError.
//
// `after_each_statement` is a place for tests to die.
Result<void> migrate(Connection& db, std::span<const Migration> migrations,
                     MigrationMode mode = MigrationMode::apply,
                     const std::function<void()>& after_each_statement = {});

}  // namespace durascribe::store
