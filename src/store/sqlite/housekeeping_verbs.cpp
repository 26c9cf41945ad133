// What is old goes.
#include "durascribe/store/sqlite/verbs.h"

#include <algorithm>

namespace durascribe::store {
namespace {

// The time of the last thing that happened; nothing ages while nothing happens. A deletion is none:
// the clock may have jumped when pruning itself deleted something.
std::optional<WallTime> newest_time(Connection& db) {
    Rows rows =
        db.query("SELECT at FROM events WHERE type <> 'media.deleted' ORDER BY seq DESC LIMIT 1");
    return rows.step() ? std::optional{rows.wall()} : std::nullopt;
}

std::vector<MediaId> media_ended_before(WriteTx& tx, WallTime time, int limit) {
    std::vector<MediaId> ids;
    Rows rows = tx.db.query(
        "SELECT DISTINCT media_id FROM tasks t WHERE completed_at < ?1 AND NOT EXISTS"
        " (SELECT 1 FROM tasks n WHERE n.media_id = t.media_id"
        "  AND (n.completed_at IS NULL OR n.completed_at >= ?1)) LIMIT ?2",
        time, limit);
    while (rows.step()) {
        ids.push_back(MediaId{rows.text()});
    }
    return ids;
}

int prune_events(WriteTx& tx, const ports::Retention& retention, WallTime newest, int limit) {
    Rows rows = tx.db.query("SELECT coalesce(max(seq), 0) FROM events");
    DURASCRIBE_ASSERT(rows.step());
    const std::int64_t last = rows.integer();
    int gone = tx.db.execute(
        "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE seq <= ? ORDER BY seq"
        " LIMIT ?)",
        last - std::max<std::int64_t>(retention.events_max, 0), limit);
    if (retention.events && gone < limit) {
        gone += tx.db.execute(
            "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < ? LIMIT ?)",
            newest - *retention.events, limit - gone);
    }
    return gone;
}

}  // namespace

Result<ports::Pruned> prune(WriteTx& tx, const ports::Retention& retention, int batch_rows) {
    ports::Pruned pruned;
    const auto newest = newest_time(tx.db);
    if (!newest) {
        return pruned;
    }
    int left = std::max(1, batch_rows);
    if (retention.media) {
        for (const MediaId& id : media_ended_before(tx, *newest - *retention.media, left)) {
            auto blobs = delete_media(tx, id);
            if (!blobs) {
                return std::unexpected(blobs.error());
            }
            pruned.blobs.insert(pruned.blobs.end(), blobs->begin(), blobs->end());
            ++pruned.media;
        }
        left -= pruned.media;
    }
    if (retention.attempts && left > 0) {
        pruned.attempts = tx.db.execute(
            "DELETE FROM attempts WHERE (unit_id, lease) IN (SELECT a.unit_id, a.lease FROM "
            "attempts a JOIN tasks t ON t.id = a.task_id WHERE a.ended_at < ?1 AND t.completed_at "
            "< ?1 LIMIT ?2)",
            *newest - *retention.attempts, left);
        left -= pruned.attempts;
    }
    if (left > 0) {
        pruned.idempotency_keys = tx.db.execute(
            "DELETE FROM idempotency_keys WHERE key IN (SELECT key FROM idempotency_keys WHERE "
            "created_at < ? LIMIT ?)",
            *newest - retention.idempotency_keys, left);
        left -= pruned.idempotency_keys;
    }
    if (left > 0) {
        pruned.events = prune_events(tx, retention, *newest, left);
        left -= pruned.events;
    }
    pruned.more = left <= 0;
    return pruned;
}

}  // namespace durascribe::store
