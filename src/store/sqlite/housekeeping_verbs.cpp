// What is old goes.
#include "durascribe/store/sqlite/verbs.h"
#include "durascribe/store/sqlite/webhook_verbs.h"

#include <algorithm>

namespace durascribe::store {
namespace {

constexpr Millis kDay{24LL * 3600 * 1000};
// Marks are set by a look that comes once a day and may come a little early.
constexpr Millis kBetweenMarks = kDay * 5 / 6;
// Between marks further apart no server ran, or the clock has jumped.
constexpr Millis kLongestDay = kDay * 2;

// So many events from a time when the clock was ahead are looked through for one that is old.
constexpr int kAheadMax = 10'000;

// In one transaction: each may have thousands of segments, and goes from the search with them.
constexpr int kMediaMax = 20;

void mark_day(WriteTx& tx) {
    tx.db.execute(
        "INSERT INTO days_of_work SELECT ?1 WHERE NOT EXISTS"
        " (SELECT 1 FROM days_of_work WHERE at > ?2 AND at < ?3)",
        tx.now, tx.now - kBetweenMarks, tx.now + kBetweenMarks);
}

// What was there before this time is older than `age`, in time that passed while a server ran;
// nullopt: nothing is. The difference to now would not do: the clock may have jumped by years.
std::optional<WallTime> time_before(Connection& db, Millis age) {
    Rows rows = db.query(
        "SELECT max(at) FROM (SELECT at, sum(CASE WHEN later - at <= ?1 THEN later - at ELSE 0 END)"
        " OVER (ORDER BY at DESC) AS age FROM"
        "  (SELECT at, lag(at) OVER (ORDER BY at DESC) AS later FROM days_of_work))"
        " WHERE age >= ?2",
        kLongestDay, age);
    return rows.step() ? rows.maybe_wall() : std::nullopt;
}

std::vector<MediaId> media_ended_before(WriteTx& tx, WallTime time, int limit) {
    std::vector<MediaId> ids;
    Rows rows = tx.db.query(
        "SELECT DISTINCT media_id FROM tasks t INDEXED BY tasks_by_end WHERE completed_at < ?1"
        " AND NOT EXISTS"
        " (SELECT 1 FROM tasks n WHERE n.media_id = t.media_id"
        "  AND (n.completed_at IS NULL OR n.completed_at >= ?1)) LIMIT ?2",
        time, limit);
    while (rows.step()) {
        ids.push_back(MediaId{rows.text()});
    }
    return ids;
}

// Up to which number events go by age; 0: none does. They came in the order of their numbers, and
// go in it: what stands before one that is old is older, whatever its time says. So one from ahead
// of now, where the clock once was, is judged by those after it; the first that is neither ends it.
std::int64_t last_old_event(WriteTx& tx, WallTime before, int limit) {
    if (before > tx.now) {
        return 0;  // the clock is behind
    }
    Rows rows = tx.db.query("SELECT seq, at FROM events ORDER BY seq LIMIT ?",
                            std::int64_t{limit} + kAheadMax);
    std::int64_t last_old = 0;
    for (int old = 0; old < limit && rows.step();) {
        const std::int64_t seq = rows.integer();
        const WallTime at = rows.wall();
        if (at < before) {
            last_old = seq;
            ++old;
        } else if (at <= tx.now) {
            break;
        }
    }
    return last_old;
}

int prune_events(WriteTx& tx, const ports::Retention& retention, int limit) {
    // The last that was given, not the last that is left: all may have gone by age.
    Rows rows =
        tx.db.query("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'");
    DURASCRIBE_ASSERT(rows.step());
    const std::int64_t last = rows.integer();
    // What no webhook has been told of yet is still to be.
    const std::int64_t told = told_to_webhooks(tx.db).value_or(last);
    int gone = tx.db.execute(
        "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE seq <= ? ORDER BY seq"
        " LIMIT ?)",
        std::min(told, last - std::max<std::int64_t>(retention.events_max, 0)), limit);
    const auto before = retention.events ? time_before(tx.db, *retention.events) : std::nullopt;
    if (before && gone < limit) {
        const int left = limit - gone;
        gone += tx.db.execute(
            "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE seq <= ? ORDER BY seq"
            " LIMIT ?)",
            std::min(told, last_old_event(tx, *before, left)), left);
    }
    return gone;
}

}  // namespace

Result<ports::Pruned> prune(WriteTx& tx, const ports::Retention& retention, int batch_rows) {
    ports::Pruned pruned;
    mark_day(tx);
    int left = std::max(1, batch_rows);
    if (const auto before = retention.media ? time_before(tx.db, *retention.media) : std::nullopt) {
        for (const MediaId& id : media_ended_before(tx, *before, std::min(left, kMediaMax))) {
            auto blobs = delete_media(tx, id);
            if (!blobs) {
                return std::unexpected(blobs.error());
            }
            pruned.blobs.insert(pruned.blobs.end(), blobs->begin(), blobs->end());
            ++pruned.media;
        }
        left -= pruned.media;
    }
    if (const auto before =
            retention.attempts ? time_before(tx.db, *retention.attempts) : std::nullopt;
        before && left > 0) {
        pruned.attempts = tx.db.execute(
            "DELETE FROM attempts WHERE (unit_id, lease) IN (SELECT a.unit_id, a.lease FROM "
            "attempts a JOIN tasks t ON t.id = a.task_id WHERE a.ended_at < ?1 AND t.completed_at "
            "< ?1 LIMIT ?2)",
            *before, left);
        left -= pruned.attempts;
    }
    if (const auto before = time_before(tx.db, retention.idempotency_keys); before && left > 0) {
        pruned.idempotency_keys = tx.db.execute(
            "DELETE FROM idempotency_keys WHERE (owner, key) IN (SELECT owner, key FROM"
            " idempotency_keys WHERE created_at < ? LIMIT ?)",
            *before, left);
        left -= pruned.idempotency_keys;
    }
    if (const auto before = time_before(tx.db, retention.uploads); before && left > 0) {
        pruned.uploads = tx.db.execute(
            "DELETE FROM uploads WHERE id IN (SELECT id FROM uploads WHERE updated_at < ?1 AND"
            " (finished_at IS NOT NULL OR source_sha256 = '') LIMIT ?2)",
            *before, left);
        left -= pruned.uploads;
    }
    if (const auto before = retention.events ? time_before(tx.db, *retention.events) : std::nullopt;
        before && left > 0) {
        pruned.deliveries = prune_deliveries(tx, *before, left);
        left -= pruned.deliveries;
    }
    if (left > 0) {
        pruned.events = prune_events(tx, retention, left);
        left -= pruned.events;
    }
    pruned.more = left <= 0 || pruned.media == kMediaMax;
    return pruned;
}

}  // namespace durascribe::store
