#include "durascribe/store/sqlite/migrations.h"

#include <openssl/evp.h>

#include <array>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "durascribe/base/failpoint.h"

namespace durascribe::store {
namespace {

std::string sha256_hex(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    DURASCRIBE_ASSERT(
        EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
    return fmt::format("{:02x}", fmt::join(digest.begin(), digest.begin() + size, ""));
}

std::map<int, std::string> applied(Connection& db) {
    std::map<int, std::string> checksums;
    if (!db.query("SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'").step()) {
        return checksums;
    }
    Rows rows = db.query("SELECT version, checksum FROM schema_migrations");
    while (rows.step()) {
        const int version = rows.small();
        checksums.emplace(version, rows.text());
    }
    return checksums;
}

void apply(Connection& db, const Migration& migration,
           const std::function<void()>& after_each_statement) {
    db.execute("BEGIN IMMEDIATE");
    DURASCRIBE_FAILPOINT("migration.begun");
    try {
        db.run_script(
            "CREATE TABLE IF NOT EXISTS schema_migrations ("
            " version INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL,"
            " applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ'))) STRICT",
            after_each_statement);
        db.run_script(migration.sql, after_each_statement);
        db.execute("INSERT INTO schema_migrations (version, name, checksum) VALUES (?, ?, ?)",
                   migration.version, migration.name, sha256_hex(migration.sql));
        DURASCRIBE_FAILPOINT("migration.run");
        db.execute("COMMIT");
        DURASCRIBE_FAILPOINT("migration.committed");
    } catch (const SqliteError&) {
        if (db.in_transaction()) {
            db.execute("ROLLBACK");
        }
        throw;
    }
}

}  // namespace

Result<void> migrate(Connection& db, std::span<const Migration> migrations, MigrationMode mode,
                     const std::function<void()>& after_each_statement) {
    const std::map<int, std::string> done = applied(db);
    const int newest_known = migrations.empty() ? 0 : migrations.back().version;
    const int newest_there = done.empty() ? 0 : done.rbegin()->first;
    if (newest_there > newest_known) {
        return fail(
            ErrorClass::request, "database_too_new",
            fmt::format(
                "The database has schema version {}, and this durascribe knows versions up to {}. "
                "Nothing was changed. Use the newer durascribe that wrote it, or another data "
                "directory.",
                newest_there, newest_known));
    }
    for (const Migration& migration : migrations) {
        const auto found = done.find(migration.version);
        if (found == done.end()) {
            if (mode == MigrationMode::check_only) {
                break;
            }
            apply(db, migration, after_each_statement);
        } else if (found->second != sha256_hex(migration.sql)) {
            return fail(
                ErrorClass::internal, "migration_changed",
                fmt::format(
                    "The database was made with another form of migration {}. Use the durascribe "
                    "that made it, or another data directory.",
                    migration.name),
                fmt::format("recorded {}", found->second));
        }
    }
    return {};
}

}  // namespace durascribe::store
