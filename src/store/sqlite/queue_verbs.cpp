// Who goes next, and whether anyone does: start-time fair queueing within a priority (Goyal, Vin,
// Cheng 1996), in the lane media the smaller source first and no further ahead than is needed, and
// aging across them, as ports::Store::claim says.
#include "durascribe/store/sqlite/verbs.h"

#include <algorithm>
#include <bit>
#include <limits>

#include <fmt/format.h>

#include "durascribe/store/sqlite/json.h"

namespace durascribe::store {
namespace {

// What a unit without a span costs in the fair order: about as much as a chunk.
constexpr Millis kSpanlessCost{30'000};
// What is loaded as quickly as anything: smaller sources do not go before it.
constexpr std::int64_t kSmallSource = std::int64_t{1} << 20;
constexpr std::int64_t kLargestSource = std::int64_t{1} << 50;  // so that the tag fits
// What may take long to be loaded: an hour of compressed audio and more. One at a time, so that a
// slot is left for what is short; to load two of them beside each other ends neither much earlier.
constexpr std::int64_t kLongSource = std::int64_t{32} << 20;

bool is_paused(WriteTx& tx) {
    return tx.db.query("SELECT 1 FROM queue_state WHERE paused_at IS NOT NULL").step();
}

// In the lane media a task has one unit, however long its file: nothing that it was served says
// what it will cost. So it is tagged with that: by powers of two, within which those that came
// first go first.
std::int64_t tag_by_source(WriteTx& tx, const MediaId& media) {
    Rows rows = tx.db.query("SELECT source_size FROM media WHERE id = ?", media);
    DURASCRIBE_ASSERT(rows.step());
    return static_cast<std::int64_t>(std::bit_ceil(
        static_cast<std::uint64_t>(std::clamp(rows.integer(), kSmallSource, kLargestSource))));
}

// Whether a long one is being loaded: those at work are few.
bool loads_long_one(WriteTx& tx) {
    return tx.db
        .query(
            "SELECT 1 FROM units u INDEXED BY units_leased JOIN tasks t ON t.id = u.task_id"
            " JOIN media m ON m.id = t.media_id"
            " WHERE u.state = 'processing' AND u.step = ? AND m.source_size > ? LIMIT 1",
            static_cast<int>(domain::Step::extract), kLongSource)
        .step();
}

struct Waiting {
    TaskId task;
    std::int64_t priority = 0;
    std::int64_t tag = 0;
};

// Enough of its priority and above, and no larger than it, is decoded and waits to be recognised.
// Of those the first few hundred are looked at: a retry of thousands brings more than were let in.
bool enough_decoded(WriteTx& tx, const Waiting& next) {
    constexpr int kLookedAt = 256;
    Rows rows = tx.db.query(
        "SELECT count(*) FROM (SELECT media_id FROM tasks WHERE lane = ? AND u_claimable > 0"
        " AND priority >= ? ORDER BY priority DESC, fair_tag, created_at, id LIMIT ?) t"
        " JOIN media m ON m.id = t.media_id WHERE m.source_size <= ?",
        static_cast<int>(domain::Lane::speech), next.priority, kLookedAt, next.tag);
    DURASCRIBE_ASSERT(rows.step());
    return rows.integer() >= ports::kDecodedAhead;
}

// For one that goes by its age: what is above it does not count, or it would never be let in.
bool enough_decoded_below(WriteTx& tx, const Waiting& aged) {
    Rows rows = tx.db.query(
        "SELECT count(*) FROM (SELECT 1 FROM tasks WHERE lane = ? AND u_claimable > 0"
        " AND priority <= ? LIMIT ?)",
        static_cast<int>(domain::Lane::speech), aged.priority, ports::kDecodedAhead);
    DURASCRIBE_ASSERT(rows.step());
    return rows.integer() >= ports::kDecodedAhead;
}

// The long one that is to be loaded must wait for the one that is.
bool waits_for_long_one(WriteTx& tx, const Waiting& next) {
    return next.tag > kLongSource && loads_long_one(tx);
}

std::optional<Waiting> read_waiting(Rows& rows) {
    if (!rows.step()) {
        return std::nullopt;
    }
    Waiting next{.task = TaskId{rows.text()}};
    next.priority = rows.integer();
    next.tag = rows.integer();
    return next;
}

std::optional<TaskId> longest_waiting(WriteTx& tx, domain::Lane lane) {
    Rows rows = tx.db.query(
        "SELECT id, priority, fair_tag FROM tasks WHERE lane = ? AND u_claimable > 0"
        " AND waiting_since <= ? ORDER BY waiting_since, rowid LIMIT 1",
        static_cast<int>(lane), tx.queue.now(tx.mono) - ports::kAgingAfter);
    auto next = read_waiting(rows);
    if (!next || (lane == domain::Lane::media &&
                  (waits_for_long_one(tx, *next) || enough_decoded_below(tx, *next)))) {
        return std::nullopt;
    }
    return std::move(next->task);
}

// The best of a priority below that one; where it must wait, so must all behind it of its priority.
std::optional<TaskId> best_below(WriteTx& tx, domain::Lane lane, std::int64_t below) {
    while (true) {
        Rows rows = tx.db.query(
            "SELECT id, priority, fair_tag FROM tasks WHERE lane = ? AND u_claimable > 0"
            " AND priority < ? ORDER BY priority DESC, fair_tag, created_at, id LIMIT 1",
            static_cast<int>(lane), below);
        auto next = read_waiting(rows);
        if (!next) {
            return std::nullopt;
        }
        if (lane != domain::Lane::media ||
            (!waits_for_long_one(tx, *next) && !enough_decoded(tx, *next))) {
            return std::move(next->task);
        }
        below = next->priority;
    }
}

}  // namespace

QueueClock start_queue_clock(Connection& db, MonoTime mono) {
    Rows rows = db.query("SELECT coalesce(max(waiting_since), 0) FROM tasks WHERE u_claimable > 0");
    DURASCRIBE_ASSERT(rows.step());
    return {.ahead = rows.millis() - mono.since_boot};
}

void join_queue(WriteTx& tx, TaskRecord& t) {
    t.waiting_since = tx.queue.now(tx.mono);
    if (t.lane == domain::Lane::media) {
        t.fair_tag = tag_by_source(tx, t.row.media_id);
        return;
    }
    Rows rows = tx.db.query(
        "SELECT fair_tag FROM tasks WHERE lane = ? AND priority = ? AND u_claimable > 0"
        " ORDER BY fair_tag LIMIT 1",
        static_cast<int>(t.lane), t.row.options.priority);
    t.fair_tag = rows.step() ? rows.integer() : 0;
    // Beside the unit that was claimed last, so before the task of that one: that is served
    // already.
    const QueueClock::LastClaim& last = tx.queue.last[static_cast<std::size_t>(t.lane)];
    if (last.priority == t.row.options.priority) {
        t.fair_tag = std::min(t.fair_tag, last.tag);
    }
}

std::optional<TaskId> next_task(WriteTx& tx, domain::Lane lane) {
    if (is_paused(tx)) {
        return std::nullopt;
    }
    int& since_aged = tx.queue.since_aged[static_cast<std::size_t>(lane)];
    if (++since_aged >= ports::kAgedShare) {
        if (auto aged = longest_waiting(tx, lane)) {
            since_aged = 0;
            return aged;
        }
    }
    return best_below(tx, lane, std::numeric_limits<std::int64_t>::max());
}

void charge_claim(WriteTx& tx, TaskRecord& t, const domain::AudioSpan& span) {
    tx.queue.last[static_cast<std::size_t>(t.lane)] = {t.row.options.priority, t.fair_tag};
    const Millis cost = span.length() > Millis{0} ? span.length() : kSpanlessCost;
    t.fair_tag += cost.count();
    t.waiting_since = tx.queue.now(tx.mono);
}

Result<ports::TaskRow> set_priority(WriteTx& tx, const TaskId& id, int priority) {
    auto t = load_task(tx.db, id);
    if (!t) {
        return std::unexpected(task_not_found(id));
    }
    if (domain::is_terminal(t->row.state)) {
        return fail(ErrorClass::request, "task_ended",
                    fmt::format("The task {} has ended already: it is {}. A priority counts while "
                                "a task waits.",
                                id.value, to_string(t->row.state)));
    }
    if (t->row.options.priority == priority) {
        return t->row;
    }
    t->row.options.priority = priority;
    const Millis waiting_since = t->waiting_since;
    join_queue(tx, *t);
    t->waiting_since = waiting_since;
    t->row.updated_at = tx.now;
    tx.db.execute(
        "UPDATE tasks SET options = ?, priority = ?, fair_tag = ?, updated_at = ? WHERE id = ?",
        to_json(t->row.options), priority, t->fair_tag, tx.now, id);
    emit_task(tx, "task.updated", *t);
    // It may be let in now, or what it kept out.
    tx.lanes[static_cast<std::size_t>(domain::Lane::media)] = true;
    return t->row;
}

Result<void> set_paused(WriteTx& tx, bool paused) {
    const int changed =
        paused
            ? tx.db.execute("UPDATE queue_state SET paused_at = ? WHERE paused_at IS NULL", tx.now)
            : tx.db.execute("UPDATE queue_state SET paused_at = NULL WHERE paused_at IS NOT NULL");
    if (changed > 0) {
        emit(tx, paused ? "queue.paused" : "queue.resumed", {}, {}, "{}");
        if (!paused) {
            tx.lanes.fill(true);
        }
    }
    return {};
}

}  // namespace durascribe::store
