// Who goes next, and whether anyone does.
#include "durascribe/store/sqlite/verbs.h"

namespace durascribe::store {

Result<void> set_paused(WriteTx& tx, bool paused) {
    const int changed =
        paused
            ? tx.db.execute("UPDATE queue_state SET paused_at = ? WHERE paused_at IS NULL", tx.now)
            : tx.db.execute("UPDATE queue_state SET paused_at = NULL WHERE paused_at IS NOT NULL");
    if (changed > 0) {
        emit(tx, paused ? "queue.paused" : "queue.resumed", {}, {}, "{}");
        tx.lanes.fill(tx.lanes[0] || !paused);
    }
    return {};
}

}  // namespace durascribe::store
