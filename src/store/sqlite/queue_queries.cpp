// Where those that wait stand, in the order of claim() without its aging.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "durascribe/store/sqlite/queries.h"
#include "durascribe/store/sqlite/records.h"

namespace durascribe::store {
namespace {

constexpr int kLongestQueue = 1'000;

// Of what is decoded and keeps a task out of the lane media, each has so many units to be served,
// in fair turns: how many units are served before the `ends`-th of them has none left.
int units_until(std::vector<int> units, int ends) {
    std::ranges::sort(units);
    const int last = std::min(ends, static_cast<int>(units.size()));
    int served = 0;
    for (const int of_one : units) {
        served += std::min(of_one, units[static_cast<std::size_t>(last - 1)]);
    }
    const int all = std::accumulate(units.begin(), units.end(), 0);
    return served + (ends - last) * all / static_cast<int>(units.size());
}

// As claim() decides it, for the task at that position of the lane media.
int speech_units_ahead(Connection& db, const TaskId& task, std::int64_t priority, std::int64_t tag,
                       int position) {
    constexpr int kLookedAt = 256;
    Rows rows = db.query(
        "SELECT u_claimable FROM (SELECT media_id, u_claimable FROM tasks WHERE lane = ?"
        " AND u_claimable > 0 AND priority >= ? AND id <> ?"
        " ORDER BY priority DESC, fair_tag, created_at, id LIMIT ?) t"
        " JOIN media m ON m.id = t.media_id WHERE m.source_size <= ?",
        static_cast<int>(domain::Lane::speech), priority, task, kLookedAt, tag);
    std::vector<int> decoded;
    while (rows.step()) {
        decoded.push_back(rows.small());
    }
    const int ends = position + static_cast<int>(decoded.size()) - ports::kDecodedAhead;
    return ends > 0 && !decoded.empty() ? units_until(std::move(decoded), ends) : 0;
}

}  // namespace

Result<bool> paused(Connection& db) {
    return db.query("SELECT 1 FROM queue_state WHERE paused_at IS NOT NULL").step();
}

// A task that runs, or waits for its next attempt, has no place. Of a higher priority all that may
// be claimed goes first, of the same one unit of each task before it. A task at work whose further
// units go first is ahead, but stands in no line; of those there are no more than there are slots,
// found by their state (+: not by the index of all that may be claimed).
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
    Rows higher = db.query(
        "SELECT count(*), coalesce(sum(u_claimable), 0) FROM tasks"
        " WHERE lane = ? AND u_claimable > 0 AND priority > ?",
        lane, priority);
    Rows before = db.query(
        "SELECT count(*) FROM tasks WHERE lane = ? AND u_claimable > 0 AND priority = ?"
        " AND (fair_tag, created_at, id) < (?, ?, ?)",
        lane, priority, tag, created_at, task);
    Rows at_work = db.query(
        "SELECT count(*) FROM tasks WHERE state = 'processing' AND +lane = ?1 AND +u_claimable > 0"
        " AND (priority > ?2 OR (priority = ?2 AND (fair_tag, created_at, id) < (?3, ?4, ?5)))",
        lane, priority, tag, created_at, task);
    DURASCRIBE_ASSERT(higher.step() && before.step() && at_work.step());
    const int tasks_higher = higher.small();
    const int units_higher = higher.small();
    const int tasks_before = before.small();
    ports::QueuePlace place{.lane = static_cast<domain::Lane>(lane),
                            .position = tasks_higher + tasks_before - at_work.small() + 1,
                            .units_ahead = units_higher + tasks_before};
    if (place.lane == domain::Lane::media) {
        place.speech_units_ahead = speech_units_ahead(db, task, priority, tag, place.position);
    }
    return place;
}

// Of a higher priority everything; of the same one as many of each task as this one has left, in
// the lane media of those before it alone.
Result<int> units_before_end(Connection& db, const TaskId& task) {
    Rows mine = db.query(
        "SELECT lane, priority, u_claimable, fair_tag, created_at FROM tasks WHERE id = ?", task);
    if (!mine.step()) {
        return std::unexpected(task_not_found(task));
    }
    const int lane = mine.small();
    const int priority = mine.small();
    const int left = mine.small();
    const std::int64_t tag = mine.integer();
    const std::int64_t created_at = mine.integer();
    Rows others = db.query(
        "SELECT coalesce(sum(iif(priority > ?2, u_claimable, min(u_claimable, ?3))), 0) FROM tasks"
        " WHERE lane = ?1 AND u_claimable > 0 AND priority >= ?2 AND id <> ?4"
        " AND (?1 <> ?5 OR priority > ?2 OR (fair_tag, created_at, id) < (?6, ?7, ?4))",
        lane, priority, left, task, static_cast<int>(domain::Lane::media), tag, created_at);
    DURASCRIBE_ASSERT(others.step());
    return others.small();
}

Result<std::vector<ports::QueuedTask>> queue(Connection& db, int limit) {
    if (limit < 1 || limit > kLongestQueue) {
        return fail(ErrorClass::request, "bad_limit",
                    fmt::format("A queue is listed with 1 to {} tasks.", kLongestQueue));
    }
    std::vector<ports::QueuedTask> list;
    for (int lane = 0; lane < domain::kLanes; ++lane) {
        Rows rows = db.query("SELECT " DURASCRIBE_TASK_COLUMNS
                             ", u_claimable FROM tasks WHERE lane = ? AND u_claimable > 0"
                             " ORDER BY priority DESC, fair_tag, created_at, id",
                             lane);
        std::optional<int> priority;
        int position = 0;
        int units_higher = 0;  // of the priorities above
        int units_here = 0;
        int tasks_here = 0;
        int listed = 0;
        while (listed < limit && rows.step()) {
            ports::QueuedTask queued{.task = read_task(rows), .place = {}};
            if (priority != queued.task.options.priority) {
                priority = queued.task.options.priority;
                units_higher += units_here;
                units_here = 0;
                tasks_here = 0;
            }
            const int units_ahead = units_higher + tasks_here++;
            units_here += rows.small();
            // One whose next attempt is due stands in the line, though it is not told its place.
            position += queued.task.state != domain::TaskState::processing ? 1 : 0;
            if (queued.task.state == domain::TaskState::pending) {
                queued.place = {.lane = static_cast<domain::Lane>(lane),
                                .position = position,
                                .units_ahead = units_ahead};
                list.push_back(std::move(queued));
                ++listed;
            }
        }
    }
    return list;
}

Result<std::optional<Millis>> longest_wait(Connection& db, Millis now) {
    std::optional<Millis> longest;
    for (int lane = 0; lane < domain::kLanes; ++lane) {
        Rows rows = db.query(
            "SELECT min(waiting_since) FROM tasks WHERE lane = ? AND u_claimable > 0", lane);
        DURASCRIBE_ASSERT(rows.step());
        if (const auto since = rows.maybe_integer()) {
            longest = std::max(longest.value_or(Millis{0}), now - Millis{*since});
        }
    }
    return longest;
}

}  // namespace durascribe::store
