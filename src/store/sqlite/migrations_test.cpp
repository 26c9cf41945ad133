#include "durascribe/store/sqlite/migrations.h"
#include "scratch_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace durascribe::store {
namespace {

namespace fs = std::filesystem;

class Migrations : public ::testing::Test {
  protected:
    fs::path file() const { return dir_ / "a.db"; }
    static std::int64_t count(Connection& db, std::string_view sql) {
        Rows rows = db.query(sql);
        return rows.step() ? rows.integer() : -1;
    }
    durascribe::testing::ScratchDirectory scratch_;
    const std::filesystem::path dir_ = scratch_.path();
};

// A number may be missing: it belongs to work that comes later, and is applied then.
TEST_F(Migrations, AreNumberedFromOneOnEachItsOwn) {
    int last = 0;
    for (const Migration& m : embedded_migrations()) {
        EXPECT_GT(m.version, last) << m.name;
        last = m.version;
    }
    EXPECT_EQ(embedded_migrations().front().version, 1);
}

TEST_F(Migrations, ANumberThatComesLaterIsAppliedThen) {
    Connection db(file(), Connection::Mode::writer);
    const Migration first{1, "0001_a", "CREATE TABLE a (x INTEGER) STRICT;"};
    const Migration second{2, "0002_b", "CREATE TABLE b (x INTEGER) STRICT;"};
    const Migration third{3, "0003_c", "CREATE TABLE c (x INTEGER) STRICT;"};
    const Migration some[] = {first, third};
    const Migration all[] = {first, second, third};
    ASSERT_TRUE(migrate(db, some).has_value());
    ASSERT_TRUE(migrate(db, all, MigrationMode::check_only).has_value());
    ASSERT_TRUE(migrate(db, all).has_value());
    EXPECT_EQ(count(db, "SELECT count(*) FROM sqlite_master WHERE name IN ('a', 'b', 'c')"), 3);
}

TEST_F(Migrations, RunOnce) {
    Connection db(file(), Connection::Mode::writer);
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE(migrate(db, embedded_migrations()).has_value());
        EXPECT_EQ(count(db, "SELECT count(*) FROM schema_migrations"),
                  static_cast<std::int64_t>(embedded_migrations().size()));
    }
}

TEST_F(Migrations, AChangedFileIsRefused) {
    Connection db(file(), Connection::Mode::writer);
    const Migration before[] = {{1, "0001_a", "CREATE TABLE a (x INTEGER) STRICT;"}};
    const Migration after[] = {{1, "0001_a", "CREATE TABLE a (y INTEGER) STRICT;"}};
    ASSERT_TRUE(migrate(db, before).has_value());
    EXPECT_EQ(migrate(db, after).error().code, "migration_changed");
}

TEST_F(Migrations, ANewerDatabaseIsNamedAndLeftAlone) {
    Connection db(file(), Connection::Mode::writer);
    ASSERT_TRUE(migrate(db, embedded_migrations()).has_value());
    db.execute("INSERT INTO schema_migrations (version, name, checksum) VALUES (99, 'later', 'x')");
    const auto refused = migrate(db, embedded_migrations());
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, "database_too_new");
    EXPECT_NE(refused.error().message.find("99"), std::string::npos);
    EXPECT_NE(refused.error().message.find(std::to_string(embedded_migrations().back().version)),
              std::string::npos);
}

TEST_F(Migrations, KeysFromBeforeBelongToWhoSentThem) {
    Connection db(file(), Connection::Mode::writer);
    std::vector<Migration> before;
    for (const Migration& m : embedded_migrations()) {
        if (m.version < 14) {
            before.push_back(m);
        }
    }
    ASSERT_TRUE(migrate(db, before).has_value());
    const std::string token = "0190f7d2-0000-7000-8000-000000000001";
    db.execute("INSERT INTO idempotency_keys VALUES ('a', ?, '{}', 7), ('b', ?, '{}', 8)",
               token + "POST /api/v1/media\n", "POST /api/v1/media\n");
    ASSERT_TRUE(migrate(db, embedded_migrations()).has_value());
    EXPECT_EQ(count(db, "SELECT count(*) FROM idempotency_keys"), 2);
    Rows rows = db.query("SELECT owner, fingerprint FROM idempotency_keys ORDER BY key");
    ASSERT_TRUE(rows.step());
    EXPECT_EQ(rows.text(), token);
    EXPECT_EQ(rows.text(), token + "POST /api/v1/media\n") << "the same request is still the same";
    ASSERT_TRUE(rows.step());
    EXPECT_EQ(rows.text(), "");
}

TEST_F(Migrations, AFailingStatementUndoesItsMigration) {
    Connection db(file(), Connection::Mode::writer);
    const Migration broken[] = {
        {1, "0001_a", "CREATE TABLE a (x INTEGER) STRICT; CREATE TABLE a (x INTEGER) STRICT;"}};
    EXPECT_THROW((void)migrate(db, broken), SqliteError);
    EXPECT_EQ(count(db, "SELECT count(*) FROM sqlite_master"), 0);
}

// A child is killed after each statement in turn; the next start finds nothing half done and goes
// on.
TEST_F(Migrations, AKillAfterAnyStatementIsSafe) {
    std::vector<std::int64_t> whole{0};  // what each migration leaves when it is whole
    for (std::size_t n = 1; n <= embedded_migrations().size(); ++n) {
        fs::remove_all(dir_);
        fs::create_directory(dir_);
        Connection db(file(), Connection::Mode::writer);
        ASSERT_TRUE(migrate(db, embedded_migrations().first(n)).has_value());
        whole.push_back(count(db, "SELECT count(*) FROM sqlite_master"));
    }
    for (int fatal = 1;; ++fatal) {
        fs::remove_all(dir_);
        fs::create_directory(dir_);
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            int statements = 0;
            Connection db(file(), Connection::Mode::writer);
            db.execute("PRAGMA journal_mode = WAL");
            const auto done = migrate(db, embedded_migrations(), MigrationMode::apply, [&] {
                if (++statements == fatal) {
                    kill(getpid(), SIGKILL);
                }
            });
            _exit(done ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        const bool killed = WIFSIGNALED(status);
        Connection db(file(), Connection::Mode::writer);
        if (killed) {
            EXPECT_THAT(whole, ::testing::Contains(count(db, "SELECT count(*) FROM sqlite_master")))
                << "killed after statement " << fatal;
        }
        ASSERT_TRUE(migrate(db, embedded_migrations()).has_value());
        EXPECT_EQ(
            count(db,
                  "SELECT count(*) FROM sqlite_master WHERE name IN ('tasks', 'units', 'events')"),
            3);
        if (!killed) {
            EXPECT_GT(fatal, 20) << "the migrations have more statements";
            return;
        }
    }
}

}  // namespace
}  // namespace durascribe::store
