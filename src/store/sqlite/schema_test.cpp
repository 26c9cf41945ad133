// The database refuses what domain/states.h does not allow, whatever the code above it does.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "durascribe/domain/states.h"
#include "durascribe/store/sqlite/connection.h"
#include "durascribe/store/sqlite/migrations.h"
#include "scratch_directory.h"

namespace durascribe::store {
namespace {

namespace fs = std::filesystem;
using domain::TaskState;
using domain::UnitState;

class Schema : public ::testing::Test {
  protected:
    Schema() {
        db_ = std::make_unique<Connection>(dir_ / "a.db", Connection::Mode::writer);
        db_->execute("PRAGMA foreign_keys = ON");
        db_->execute("PRAGMA synchronous = OFF");  // what is tested here is not durability
        EXPECT_TRUE(migrate(*db_, embedded_migrations()).has_value());
        db_->execute(
            "INSERT INTO media (id, title, filename, source_sha256, source_size, created_at, "
            "updated_at,"
            " newest_task) VALUES ('m', '', '', '', 0, 0, 0, 't')");
    }

    bool accepts(std::string_view sql) {
        db_->execute("SAVEPOINT s");
        bool accepted = true;
        try {
            db_->execute(sql);
        } catch (const SqliteError&) {
            accepted = false;
        }
        db_->execute("ROLLBACK TO s");
        db_->execute("RELEASE s");
        return accepted;
    }

    // The columns that make a task in `s` well-formed.
    static std::string task_columns(TaskState s) {
        const bool ended = domain::is_terminal(s);
        const bool failed = s == TaskState::failed || s == TaskState::partial_failure;
        const std::string error = failed ? "'input'" : "NULL";
        return "state = '" + std::string(to_string(s)) +
               "', completed_at = " + (ended ? "1" : "NULL") + ", u_pending = " +
               (s == TaskState::pending || s == TaskState::retrying ? "1" : "0") +
               ", u_running = " + (s == TaskState::processing ? "1" : "0") +
               ", next_attempt_at = " + (s == TaskState::retrying ? "1" : "NULL") +
               ", progress = " + (s == TaskState::completed ? "100" : "0") +
               ", error_class = " + error + ", error_code = " + error +
               ", error_message = " + error;
    }
    void put_task(TaskState s) {
        db_->execute("DELETE FROM tasks");
        db_->execute(
            "INSERT INTO tasks (id, media_id, state, current_step, options, priority, created_at, "
            "updated_at,"
            " lane, u_pending) VALUES ('t', 'm', 'pending', '', '{}', 0, 0, 0, 1, 1)");
        // Straight from pending to any state, past the trigger, to stand where the test begins.
        db_->execute(
            "INSERT OR IGNORE INTO task_edges VALUES ('pending', 'completed'), ('pending', "
            "'partial_failure'),"
            " ('pending', 'retrying')");
        db_->execute("UPDATE tasks SET " + task_columns(s));
        db_->execute(
            "DELETE FROM task_edges WHERE from_state = 'pending'"
            " AND to_state IN ('completed', 'partial_failure', 'retrying')");
    }

    static std::string unit_columns(UnitState s) {
        const bool running = s == UnitState::processing;
        const std::string error = s == UnitState::failed ? "'input'" : "NULL";
        return "state = '" + std::string(to_string(s)) + "', node = " + (running ? "'n'" : "NULL") +
               ", lease_expires_mono = " + (running ? "1" : "NULL") +
               ", heartbeat_at = " + (running ? "1" : "NULL") +
               ", completed_at = " + (domain::is_terminal(s) ? "1" : "NULL") +
               ", error_class = " + error + ", error_code = " + error +
               ", error_message = " + error;
    }
    void put_unit(UnitState s) {
        put_task(TaskState::pending);
        db_->execute(
            "INSERT INTO units (task_id, step, ordinal, state) VALUES ('t', 1, 0, 'pending')");
        db_->execute("INSERT OR IGNORE INTO unit_edges VALUES ('pending', 'completed')");
        db_->execute("UPDATE units SET lease = 1, " + unit_columns(s));
        db_->execute(
            "DELETE FROM unit_edges WHERE from_state = 'pending' AND to_state = 'completed'");
    }

    durascribe::testing::ScratchDirectory scratch_;
    const std::filesystem::path dir_ = scratch_.path();
    std::unique_ptr<Connection> db_;
};

template <typename State, typename Event>
std::set<std::pair<State, State>> legal_edges(int states, int events, auto transition) {
    std::set<std::pair<State, State>> edges;
    for (int s = 0; s < states; ++s) {
        for (int e = 0; e < events; ++e) {
            if (const auto t = transition(static_cast<State>(s), static_cast<Event>(e))) {
                edges.emplace(static_cast<State>(s), t->to);
            }
        }
    }
    return edges;
}

// `IN (…)` of more than two values makes SQLite build a table for each row that is written.
TEST_F(Schema, NoRuleNeedsATemporaryTable) {
    const std::map<std::string, std::string> one_row{{"tasks", "rowid = 1"},
                                                     {"units", "rowid = 1"},
                                                     {"documents", "rowid = 1"},
                                                     {"attempts", "unit_id = 1 AND lease = 1"}};
    for (const auto& [table, row] : one_row) {
        std::string sets;
        {
            Rows columns = db_->query(
                "SELECT name FROM pragma_table_info(?) WHERE pk = 0 AND name <> 'task_id'"
                " AND name <> 'media_id' AND name <> 'step' AND name <> 'ordinal'",
                table);
            while (columns.step()) {
                const std::string name = columns.text();
                sets.append(sets.empty() ? "" : ", ").append(name + " = " + name);
            }
        }
        Rows plan = db_->query("EXPLAIN UPDATE " + table + " SET " + sets + " WHERE " + row);
        while (plan.step()) {
            plan.skip();
            EXPECT_NE(plan.text(), "OpenEphemeral") << table;
        }
    }
}

TEST_F(Schema, EveryPairOfTaskStatesAsTheDomainSays) {
    const auto legal = legal_edges<TaskState, domain::TaskEvent>(
        domain::kTaskStates, domain::kTaskEvents, domain::task_transition);
    for (int from = 0; from < domain::kTaskStates; ++from) {
        for (int to = 0; to < domain::kTaskStates; ++to) {
            const auto f = static_cast<TaskState>(from);
            const auto t = static_cast<TaskState>(to);
            put_task(f);
            EXPECT_EQ(accepts("UPDATE tasks SET " + task_columns(t)),
                      f == t || legal.contains({f, t}))
                << to_string(f) << " to " << to_string(t);
        }
    }
}

TEST_F(Schema, EveryPairOfUnitStatesAsTheDomainSays) {
    const auto legal = legal_edges<UnitState, domain::UnitEvent>(
        domain::kUnitStates, domain::kUnitEvents, domain::unit_transition);
    for (int from = 0; from < domain::kUnitStates; ++from) {
        for (int to = 0; to < domain::kUnitStates; ++to) {
            const auto f = static_cast<UnitState>(from);
            const auto t = static_cast<UnitState>(to);
            put_unit(f);
            EXPECT_EQ(accepts("UPDATE units SET lease = lease + 1, " + unit_columns(t)),
                      f == t || legal.contains({f, t}))
                << to_string(f) << " to " << to_string(t);
        }
    }
}

TEST_F(Schema, RefusesTasksThatContradictThemselves) {
    put_task(TaskState::pending);
    EXPECT_TRUE(accepts("UPDATE tasks SET progress = 50"));
    EXPECT_FALSE(accepts("UPDATE tasks SET progress = 101"));
    EXPECT_FALSE(accepts("UPDATE tasks SET progress = -1"));
    EXPECT_FALSE(accepts("UPDATE tasks SET completed_at = 1"));
    EXPECT_FALSE(accepts("UPDATE tasks SET u_running = 1"));
    EXPECT_FALSE(accepts("UPDATE tasks SET u_pending = 0"));
    EXPECT_FALSE(accepts("UPDATE tasks SET state = 'asleep'"));
    EXPECT_FALSE(accepts("UPDATE tasks SET error_class = 'input'"));
    EXPECT_FALSE(
        accepts("INSERT INTO tasks (id, media_id, state, current_step, options, priority, "
                "created_at, updated_at,"
                " lane, u_pending) VALUES ('t2', 'm', 'pending', '', '{}', 0, 0, 0, 1, 1)"))
        << "one active task per media";
    put_task(TaskState::completed);
    EXPECT_FALSE(accepts("UPDATE tasks SET completed_at = NULL"));
    EXPECT_FALSE(accepts("UPDATE tasks SET progress = 99"));
    put_task(TaskState::failed);
    EXPECT_FALSE(
        accepts("UPDATE tasks SET error_class = NULL, error_code = NULL, error_message = NULL"));
}

TEST_F(Schema, RefusesUnitsThatContradictThemselves) {
    put_unit(UnitState::pending);
    EXPECT_TRUE(accepts("UPDATE units SET not_before = 5, not_before_mono = 5"));
    EXPECT_FALSE(accepts("UPDATE units SET not_before_mono = 5"));
    EXPECT_FALSE(accepts("UPDATE units SET node = 'n'"));
    EXPECT_FALSE(accepts("UPDATE units SET lease = lease - 1"));
    EXPECT_FALSE(accepts("UPDATE units SET " + unit_columns(UnitState::processing)))
        << "a claim takes a new lease";
    put_unit(UnitState::processing);
    EXPECT_FALSE(accepts("UPDATE units SET lease_expires_mono = NULL"));
    EXPECT_FALSE(accepts("UPDATE units SET not_before = 5"));
    EXPECT_FALSE(accepts("UPDATE units SET completed_at = 5"));
}

}  // namespace
}  // namespace durascribe::store
