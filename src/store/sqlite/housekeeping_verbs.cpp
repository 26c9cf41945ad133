// What is old goes.
#include "durascribe/store/sqlite/verbs.h"

namespace durascribe::store {

Result<ports::Pruned> prune(WriteTx&, const ports::Retention&, int) {
    return fail(ErrorClass::internal, "not_built", "prune");
}

}  // namespace durascribe::store
