// Where those that wait stand, in the order of claim().
#include "durascribe/store/sqlite/queries.h"
#include "durascribe/store/sqlite/records.h"

namespace durascribe::store {

Result<bool> paused(Connection& db) {
    return db.query("SELECT 1 FROM queue_state WHERE paused_at IS NOT NULL").step();
}

// A task that runs, or waits for its next attempt, has no place.
Result<std::optional<ports::QueuePlace>> queue_place(Connection& db, const TaskId& task) {
    Rows mine = db.query(
        "SELECT lane, priority, fair_tag, created_at, state, u_claimable FROM tasks WHERE id = ?",
        task);
    if (!mine.step()) {
        return std::unexpected(task_not_found(task));
    }
    const int lane = mine.small();
    const std::int64_t priority = mine.integer();
    const std::int64_t tag = mine.integer();
    const std::int64_t created_at = mine.integer();
    const bool waits = mine.text() == "pending" && mine.integer() > 0;
    if (!waits) {
        return std::nullopt;
    }
    Rows ahead = db.query(
        "SELECT (SELECT count(*) FROM tasks WHERE lane = ?1 AND u_claimable > 0 AND priority > ?2)"
        " + (SELECT count(*) FROM tasks WHERE lane = ?1 AND u_claimable > 0 AND priority = ?2"
        "    AND (fair_tag, created_at, id) < (?3, ?4, ?5))",
        lane, priority, tag, created_at, task);
    DURASCRIBE_ASSERT(ahead.step());
    const int tasks_ahead = ahead.small();
    return ports::QueuePlace{.lane = static_cast<domain::Lane>(lane),
                             .position = tasks_ahead + 1,
                             .units_ahead = tasks_ahead};
}

Result<std::vector<ports::QueuedTask>> queue(Connection&, int) {
    return fail(ErrorClass::internal, "not_built", "queue");
}

}  // namespace durascribe::store
