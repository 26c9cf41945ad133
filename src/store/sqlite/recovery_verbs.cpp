// After a crash, and against one: units whose server or lease is gone. And what the machine's speed
// was.
#include "durascribe/store/sqlite/verbs.h"

#include <algorithm>
#include <utility>

namespace durascribe::store {
namespace {

// Each is looked at anew, and the write repeats the whole condition.
Result<int> hand_back_all(WriteTx& tx, const std::vector<UnitId>& ids, const AttemptEnd& end,
                          std::optional<MonoTime> expired_by) {
    for (const UnitId id : ids) {
        UnitRecord u = *load_unit(tx.db, id);
        TaskRecord t = *load_task(tx.db, u.row.task_id);
        if (auto back = hand_back(tx, t, u, end, expired_by); !back) {
            return std::unexpected(back.error());
        }
    }
    return static_cast<int>(ids.size());
}

// In their order. Sorted here: for an ORDER BY id SQLite reads all units that there ever were, as
// they lie, and not the few that the index of leases holds.
std::vector<UnitId> in_order(std::vector<UnitId> ids) {
    std::ranges::sort(ids, {}, &UnitId::value);
    return ids;
}

std::vector<UnitId> ids_of(Rows rows) {
    std::vector<UnitId> ids;
    while (rows.step()) {
        ids.push_back(UnitId{rows.integer()});
    }
    return in_order(std::move(ids));
}

// The monotonic clock means nothing across runs, and the wall clock may have jumped: what is left
// to wait is taken from the wall clock, but is never more than the longest wait there is. Who was
// to tell of room on the disk has gone with the server: what waits for that looks itself.
void restart_waits(WriteTx& tx) {
    std::vector<std::pair<UnitId, WallTime>> waits;
    {
        Rows rows = tx.db.query(
            "SELECT id, not_before, error_class FROM units WHERE not_before_mono IS NOT NULL");
        while (rows.step()) {
            const UnitId id{rows.integer()};
            const WallTime not_before = rows.wall();
            const bool for_room = rows.text() == to_string(ErrorClass::storage);
            waits.emplace_back(id, for_room ? tx.now : not_before);
        }
    }
    for (const auto& [id, not_before] : waits) {
        const Millis left =
            std::clamp(not_before - tx.now, Millis{0}, tx.options.longest_wait_after_restart);
        tx.db.execute("UPDATE units SET not_before = ?, not_before_mono = ? WHERE id = ?",
                      tx.now + left, tx.mono + left, id);
        tell_next_attempt(tx, id);
    }
}

}  // namespace

Result<int> recover(WriteTx& tx, const NodeId& self) {
    const auto ids = ids_of(tx.db.query(
        "SELECT id FROM units INDEXED BY units_leased WHERE state = 'processing' AND node <> ?",
        self));
    restart_waits(tx);
    return hand_back_all(
        tx, ids,
        {.outcome = "lost",
         .error = Error{ErrorClass::lost, "server_restarted", "The server was restarted.", {}},
         .counted = false},
        std::nullopt);
}

Result<int> rescue_expired(WriteTx& tx, std::span<const ports::Lease> running) {
    std::vector<UnitId> ids;
    {
        Rows rows = tx.db.query(
            "SELECT id, lease FROM units INDEXED BY units_leased WHERE state = 'processing'"
            " AND lease_expires_mono <= ?",
            tx.mono);
        while (rows.step()) {
            const UnitId id{rows.integer()};
            if (const ports::Lease lease{id, rows.integer()};
                std::ranges::find(running, lease) == running.end()) {
                ids.push_back(id);
            }
        }
    }
    return hand_back_all(
        tx, in_order(std::move(ids)),
        {.outcome = "lost",
         .error =
             Error{ErrorClass::lost, "lease_expired", "Its worker was not heard of any more.", {}},
         .counted = false},
        tx.mono);
}

Result<void> learn(WriteTx& tx, domain::Step step, const std::string& engine,
                   const std::string& model, double seconds_per_audio_second) {
    double current = 0;
    int samples = 0;
    {
        Rows rows = tx.db.query(
            "SELECT seconds, samples FROM speeds WHERE step = ? AND engine = ? AND model = ?",
            static_cast<int>(step), engine, model);
        if (rows.step()) {
            current = rows.real();
            samples = rows.small();
        }
    }
    tx.db.execute(
        "INSERT OR REPLACE INTO speeds (step, engine, model, seconds, samples, updated_at) VALUES "
        "(?, ?, ?, ?, ?, ?)",
        static_cast<int>(step), engine, model,
        domain::learn_speed(current, samples, seconds_per_audio_second), samples + 1, tx.now);
    return {};
}

std::vector<domain::StepSpeed> speeds(Connection& db) {
    std::vector<domain::StepSpeed> list;
    Rows rows = db.query(
        "SELECT step, engine, model, seconds, samples FROM speeds ORDER BY step, engine, model");
    while (rows.step()) {
        domain::StepSpeed speed = domain::prior_speed(static_cast<domain::Step>(rows.small()));
        speed.engine = rows.text();
        speed.model = rows.text();
        speed.seconds_per_audio_second = rows.real();
        speed.samples = rows.small();
        list.push_back(speed);
    }
    return list;
}

}  // namespace durascribe::store
