// What only the SQLite store promises: the directory, the file, the disk. The verbs are held to
// tests/contract/.
#include "durascribe/store/sqlite/sqlite_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include "durascribe/store/sqlite/connection.h"
#include "scratch_directory.h"

namespace durascribe::store {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class SqliteFile : public ::testing::Test {
  protected:
    Result<std::unique_ptr<SqliteStore>> open(SqliteOptions options = {}) {
        return SqliteStore::open(dir_ / "data", clock_, options);
    }
    fs::path database() const { return dir_ / "data" / "durascribe.db"; }

    static Result<ports::Submission> submit(ports::Store& store, std::string title = "t") {
        return store.submit({.id = new_id<MediaId>(),
                             .task_id = new_id<TaskId>(),
                             .title = std::move(title),
                             .filename = {},
                             .source = {},
                             .options = {}});
    }

    // How SQLite would go about it. Requires that the store was opened before.
    std::string plan(const std::string& sql) const {
        Connection db(database(), Connection::Mode::reader);
        Rows rows = db.query("EXPLAIN QUERY PLAN " + sql);
        std::string text;
        while (rows.step()) {
            rows.skip();
            rows.skip();
            rows.skip();
            text += rows.text() + "\n";
        }
        return text;
    }

    static std::string contents(const fs::path& file) {
        std::ifstream in(file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    durascribe::testing::ScratchDirectory scratch_;
    const std::filesystem::path dir_ = scratch_.path();
    ports::FakeClock clock_;
};

TEST_F(SqliteFile, MakesItsDirectoryForItsOwnerAlone) {
    const auto store = open();
    ASSERT_TRUE(store.has_value()) << store.error().message;
    struct stat s{};
    ASSERT_EQ(stat((dir_ / "data").c_str(), &s), 0);
    EXPECT_EQ(s.st_mode & 0777U, 0700U);
    ASSERT_TRUE(submit(**store).has_value());
    for (const char* suffix : {"", "-wal", "-shm"}) {
        ASSERT_EQ(stat((database().string() + suffix).c_str(), &s), 0) << suffix;
        EXPECT_EQ(s.st_mode & 0777U, 0600U) << suffix;
    }
}

TEST_F(SqliteFile, OneServerPerDirectory) {
    const auto first = open();
    ASSERT_TRUE(first.has_value());
    const auto second = open();
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().cls, ErrorClass::request);
    EXPECT_EQ(second.error().code, "data_directory_in_use");
    EXPECT_THAT(second.error().message, HasSubstr("process " + std::to_string(getpid())));
    EXPECT_THAT(second.error().message, HasSubstr((dir_ / "data").string()));
}

TEST_F(SqliteFile, TheLockGoesWithAKilledProcess) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const auto store = open();
        kill(getpid(), store && submit(**store) ? SIGKILL : SIGTERM);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    const auto store = open();
    ASSERT_TRUE(store.has_value()) << store.error().message;
    EXPECT_EQ((*store)->counts()->pending, 1) << "what was answered is there";
}

// As when a server is killed between vfork and exec of a worker: the child has its descriptors
// still.
TEST_F(SqliteFile, ALockThatAChildOfAKilledProcessStillHoldsIsWaitedFor) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const auto store = open();
        if (store && fork() == 0) {
            poll(nullptr, 0, 200);  // how long it holds on
            _exit(0);
        }
        kill(getpid(), store ? SIGKILL : SIGTERM);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    const auto store = open();
    ASSERT_TRUE(store.has_value()) << store.error().message;
}

TEST_F(SqliteFile, ANewerDatabaseIsLeftAsItIs) {
    ASSERT_TRUE(open().has_value());
    {
        Connection db(database(), Connection::Mode::writer);
        db.execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES (99, 'later', 'x')");
        db.checkpoint(true);
    }
    const std::string before = contents(database());
    const auto refused = open();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, "database_too_new");
    EXPECT_EQ(contents(database()), before);
}

TEST_F(SqliteFile, ADamagedFileIsNamedAsSuch) {
    fs::create_directory(dir_ / "data");
    std::ofstream(database()) << std::string(8'192, 'x');
    const auto refused = open();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, "database_corrupt");
    EXPECT_THAT(refused.error().message, HasSubstr(database().string()));
}

TEST_F(SqliteFile, ADirectoryThatCannotBeMadeIsNamed) {
    std::ofstream(dir_ / "data") << "a file";
    const auto refused = open();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, "data_directory_not_writable");
    EXPECT_THAT(refused.error().message, HasSubstr((dir_ / "data").string()));
}

TEST_F(SqliteFile, ADirectoryOfSomeoneElseIsNamed) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "giving up root needs root";
    }
    fs::create_directory(dir_ / "data");
    chmod(dir_.c_str(), 0755);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const bool dropped = setuid(65'534) == 0;
        const auto refused = open();
        _exit(dropped && !refused && refused.error().code == "data_directory_not_writable" ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Every caller whose verb did not fit gets class storage; what was answered stays; with room again
// the same store goes on.
TEST_F(SqliteFile, AFullDiskIsStorageAndTheStoreGoesOnWhenThereIsRoom) {
    fs::create_directory(dir_ / "data");
    if (mount("none", (dir_ / "data").c_str(), "tmpfs", 0, "size=2m") != 0) {
        GTEST_SKIP() << "mounting a small tmpfs needs root: " << std::strerror(errno);
    }
    {
        auto store = open();
        ASSERT_TRUE(store.has_value()) << store.error().message;
        std::ofstream(dir_ / "data" / "ballast") << std::string(600'000, 'x');
        int stored = 0;
        Result<ports::Submission> last;
        for (int i = 0; i < 400 && last; ++i) {
            last = submit(**store, std::string(20'000, 'x'));
            stored += last ? 1 : 0;
        }
        EXPECT_FALSE(last.has_value());
        if (!last) {
            EXPECT_EQ(last.error().cls, ErrorClass::storage) << last.error().detail;
            EXPECT_EQ(last.error().code, "disk_full") << last.error().detail;
        }
        EXPECT_EQ((*store)->counts()->pending, stored);
        fs::remove(dir_ / "data" / "ballast");
        EXPECT_TRUE(submit(**store).has_value());
        EXPECT_EQ((*store)->counts()->pending, stored + 1);
    }
    EXPECT_EQ(umount((dir_ / "data").c_str()), 0);
}

// Thousands of commits of a few pages each, and a disk that holds fewer pages than they write.
TEST_F(SqliteFile, OnASmallDiskTheLogTakesAShareOfIt) {
    fs::create_directory(dir_ / "data");
    if (mount("none", (dir_ / "data").c_str(), "tmpfs", 0, "size=16m") != 0) {
        GTEST_SKIP() << "mounting a small tmpfs needs root: " << std::strerror(errno);
    }
    {
        auto store = open();
        ASSERT_TRUE(store.has_value()) << store.error().message;
        const auto made = submit(**store);
        ASSERT_TRUE(made.has_value());
        for (int i = 0; i < 2'500; ++i) {
            const auto renamed = (*store)->rename_media(made->media.id, std::to_string(i));
            ASSERT_TRUE(renamed.has_value()) << i << ": " << renamed.error().message;
        }
        EXPECT_LT(fs::file_size(database().string() + "-wal"), 2'000'000U);
    }
    EXPECT_EQ(umount((dir_ / "data").c_str()), 0);
}

TEST_F(SqliteFile, ReadersNeitherCheckpointNorWrite) {
    auto store = open({.checkpoint_pages = 1'000'000});
    ASSERT_TRUE(store.has_value());
    for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(submit(**store, std::string(20'000, 'x')).has_value());
    }
    const std::string file = contents(database());
    const std::string log = contents(database().string() + "-wal");
    ASSERT_GT(log.size(), 1'000'000U);
    {
        Connection reader(database(), Connection::Mode::reader);
        Rows rows = reader.query("PRAGMA wal_autocheckpoint");
        ASSERT_TRUE(rows.step());
        EXPECT_EQ(rows.integer(), 0);
        int no_checkpoint_on_close = 0;
        sqlite3_db_config(reader.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1,
                          &no_checkpoint_on_close);
        EXPECT_EQ(no_checkpoint_on_close, 1);
        EXPECT_THROW(reader.execute("DELETE FROM events"), SqliteError);
        EXPECT_THROW(reader.checkpoint(false), SqliteError);
    }
    EXPECT_EQ(contents(database()), file);
    EXPECT_EQ(contents(database().string() + "-wal"), log);
}

TEST_F(SqliteFile, TheWriterCheckpointsSoThatTheLogStaysSmall) {
    auto store = open({.checkpoint_pages = 100});
    ASSERT_TRUE(store.has_value());
    for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(submit(**store, std::string(20'000, 'x')).has_value());
    }
    EXPECT_GT(fs::file_size(database()), 3'000'000U);
    EXPECT_LT(fs::file_size(database().string() + "-wal"), 2'000'000U);
}

TEST_F(SqliteFile, AReadSeesTheLastCommitWhileTheWriterHoldsATransaction) {
    auto store = open();
    ASSERT_TRUE(store.has_value());
    ASSERT_TRUE(submit(**store).has_value());
    Connection other(database(), Connection::Mode::writer);
    other.execute("BEGIN IMMEDIATE");  // as the writer does while a long batch runs
    EXPECT_EQ((*store)->counts()->pending, 1);
    other.execute("ROLLBACK");
}

// Every ten seconds, on the thread that writes, beside all units that there ever were; or so often.
TEST_F(SqliteFile, WhatIsAskedAgainAndAgainReadsAnIndex) {
    auto store = open();
    ASSERT_TRUE(store.has_value());
    EXPECT_THAT(plan("SELECT id, lease FROM units INDEXED BY units_leased"
                     " WHERE state = 'processing' AND lease_expires_mono <= ?"),
                HasSubstr("SEARCH units USING INDEX units_leased"));
    const std::string of_media = plan(
        "SELECT id FROM tasks WHERE (created_at, id) < (?1, ?2) AND media_id = ?3"
        " AND +state = ?4 ORDER BY created_at DESC, id DESC LIMIT ?5");
    EXPECT_THAT(of_media, HasSubstr("INDEX tasks_by_media"));
    EXPECT_THAT(of_media, ::testing::Not(HasSubstr("TEMP B-TREE")));
    // Of one media, or of the few of the same bytes, those made last: sorted, not looked for.
    EXPECT_THAT(plan("SELECT id FROM tasks t WHERE media_id = ? AND"
                     " json_extract(options, '$.audio_track') IS ? ORDER BY rowid DESC LIMIT 1"),
                HasSubstr("INDEX tasks_by_media (media_id=?)"));
    const std::string of_bytes = plan(
        "SELECT id FROM tasks WHERE media_id IN (SELECT id FROM media WHERE source_sha256 = ?1"
        " AND source_size = ?2) ORDER BY rowid DESC LIMIT ?3");
    EXPECT_THAT(of_bytes, HasSubstr("INDEX tasks_by_media (media_id=?)"));
    EXPECT_THAT(of_bytes, HasSubstr("INDEX media_by_source"));
    EXPECT_THAT(plan("SELECT DISTINCT media_id FROM tasks t INDEXED BY tasks_by_end"
                     " WHERE completed_at < ?"),
                HasSubstr("SEARCH t USING INDEX tasks_by_end"));
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(submit(**store, std::to_string(i)).has_value());
    }
    const NodeId node = new_id<NodeId>();
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE((*store)->claim({.node = node, .lane = domain::Lane::media}).has_value());
    }
    clock_.advance(Millis{30'000});
    EXPECT_EQ((*store)->rescue_expired({}), 2);
    EXPECT_EQ((*store)->rescue_expired({}), 0);
}

TEST_F(SqliteFile, AFullQueueMakesCallersWaitAndLosesNone) {
    auto store = open({.queue_limit = 2, .batch_limit = 2});
    ASSERT_TRUE(store.has_value());
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 5; ++n) {
                EXPECT_TRUE(submit(**store).has_value());
            }
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
    EXPECT_EQ((*store)->counts()->pending, 80);
}

// A hundred thousand tasks wait: the best one is found by the index, without a scan or a sort.
TEST_F(SqliteFile, AClaimReadsAnIndex) {
    ASSERT_TRUE(open().has_value());
    const std::string task = plan(
        "SELECT id, priority, fair_tag FROM tasks WHERE lane = ? AND u_claimable > 0"
        " AND priority < ? ORDER BY priority DESC, fair_tag, created_at, id LIMIT 1");
    EXPECT_THAT(task, HasSubstr("INDEX tasks_claimable"));
    EXPECT_THAT(task, ::testing::Not(HasSubstr("TEMP B-TREE")));
    const std::string unit = plan(
        "SELECT id FROM units WHERE task_id = ? AND state = 'pending'"
        " AND not_before_mono IS NULL ORDER BY step, ordinal LIMIT 1");
    EXPECT_THAT(unit, HasSubstr("INDEX units_claimable"));
    EXPECT_THAT(unit, ::testing::Not(HasSubstr("TEMP B-TREE")));
    // A hundred thousand deliveries wait for a receiver that is down.
    const std::string heads = plan(
        "SELECT id, body FROM webhook_deliveries WHERE webhook_id = ? AND head = 1"
        " ORDER BY number");
    EXPECT_THAT(heads, HasSubstr("INDEX webhook_deliveries_heads_in_order"));
    EXPECT_THAT(heads, ::testing::Not(HasSubstr("TEMP B-TREE")));
    const std::string pings = plan(
        "SELECT id, body FROM webhook_deliveries WHERE webhook_id = ? AND head = 1"
        " AND event_seq = 0 ORDER BY number");
    EXPECT_THAT(pings, HasSubstr("INDEX webhook_deliveries_pings"));
    EXPECT_THAT(pings, ::testing::Not(HasSubstr("TEMP B-TREE")));
    // And so are what happened to one task among a million events, and the few that are at work.
    const std::string log = plan(
        "SELECT seq FROM events WHERE task_id = ? AND task_id <> '' AND type <> 'task.progress'"
        " ORDER BY seq DESC LIMIT ?");
    EXPECT_THAT(log, HasSubstr("INDEX events_by_task"));
    EXPECT_THAT(log, ::testing::Not(HasSubstr("TEMP B-TREE")));
    EXPECT_THAT(plan("SELECT count(*) FROM tasks WHERE state = 'processing' AND updated_at <= ?"
                     " AND id NOT IN (SELECT value FROM json_each(?))"),
                HasSubstr("INDEX tasks_by_state (state=?)"));
    EXPECT_THAT(plan("SELECT count(*) FROM tasks WHERE state = 'processing' AND +lane = ?1"
                     " AND +u_claimable > 0 AND (priority > ?2 OR (priority = ?2"
                     " AND (fair_tag, created_at, id) < (?3, ?4, ?5)))"),
                HasSubstr("INDEX tasks_by_state (state=?)"));
}

}  // namespace
}  // namespace durascribe::store
