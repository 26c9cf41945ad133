// Changes of state, as domain/states.h decides them: the one place that writes the state of a task
// or a unit, what the change sets and clears, and the event that tells of it. Private to
// store/sqlite.
#pragma once

#include <array>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "durascribe/ports/store.h"
#include "durascribe/store/sqlite/connection.h"
#include "durascribe/store/sqlite/records.h"
#include "durascribe/store/sqlite/sqlite_store.h"

namespace durascribe::store {

// What the order of claims keeps in memory (queue_verbs.cpp); the writer's thread only.
struct QueueClock {
    Millis ahead{0};  // of the monotonic clock, so that time goes on where the last server left it
    std::array<int, domain::kLanes> since_aged{};  // claims of a lane since one went by age
    // Of the unit of a lane claimed last: its task's priority, and the fair tag it was claimed at.
    struct LastClaim {
        int priority = 0;
        std::int64_t tag = std::numeric_limits<std::int64_t>::max();
    };
    std::array<LastClaim, domain::kLanes> last{};

    Millis now(MonoTime mono) const { return mono.since_boot + ahead; }
};

// One verb within the writer's transaction.
struct WriteTx {
    Connection& db;
    const SqliteOptions& options;
    WallTime now;
    MonoTime mono;
    std::vector<ports::Event>& events;        // to be told after the commit
    std::array<bool, domain::kLanes>& lanes;  // that may have work after it
    QueueClock& queue;
};

void emit(WriteTx& tx, std::string_view type, const MediaId& media, const TaskId& task,
          std::string payload);
// "task.created", "task.state", "task.updated" and "task.progress" carry all that shows a live
// task.
void emit_task(WriteTx& tx, std::string_view type, const TaskRecord& t,
               std::optional<domain::TaskState> previous = std::nullopt);

// -- units --

struct UnitChange {
    std::optional<Error> error;          // for the fields that the transition sets
    std::optional<Millis> delay;         // before the next attempt
    NodeId node;                         // of a claim
    Millis lease_length{0};              // of a claim
    std::optional<MonoTime> expired_by;  // of a rescue: repeated in the write
};

// Applies `event` to `u` in memory and in its row, and to the counters of `t` in memory. The write
// says WHERE id, state and lease are as read. Errors: lost "stale_lease" where they are not.
Result<void> change_unit(WriteTx& tx, TaskRecord& t, UnitRecord& u, domain::UnitEvent event,
                         const UnitChange& change = {});

// New units of `step`, which becomes the open one; cancelled at once where the task was asked to
// cancel, so that a retry finds them.
void open_step(WriteTx& tx, TaskRecord& t, domain::Step step,
               const std::vector<domain::AudioSpan>& spans);

// The time of a unit's next attempt was moved: that of its task follows.
void tell_next_attempt(WriteTx& tx, UnitId unit);

// Opens what follows `step` where that one has ended and left something to go on with.
void follow_step(WriteTx& tx, TaskRecord& t, domain::Step step);

// -- tasks --

// Applies `event` to `t` and writes its row, counters and all. `step_name` where the transition
// sets current_step. Emits "task.state". Errors: internal "illegal_transition".
Result<void> change_task(WriteTx& tx, TaskRecord& t, domain::TaskEvent event,
                         std::string_view step_name = {});

// Brings the task to the state that its units imply (domain::task_event_for) and writes its row.
Result<void> settle_task(WriteTx& tx, TaskRecord& t, std::string_view step_name = {});

}  // namespace durascribe::store
