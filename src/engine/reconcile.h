// Holds files and rows against each other: what a crash, a full disk or a person at the disk has
// left. Beside work and intake, in batches, at any time.
#pragma once

#include <stop_token>

#include "durascribe/engine/blob_guard.h"
#include "durascribe/ports/blob_store.h"
#include "durascribe/ports/store.h"

namespace durascribe::engine {

struct Reconciled {
    int leftovers_removed = 0;  // of writes that never ended
    int orphans_removed = 0;    // whole files that no row named
    int sources_missing = 0;    // files that a media names and that are not there
    int audio_missing = 0;      // files of decoded audio that a task names and that are not there
    bool complete = false;      // false: stopped before its end
};

// `stop` ends it after a batch: a small store is always held whole. Takes a fifth of the time of
// one processor (leisure.h).
//
// Removes the files that nothing names and finds the rows whose file is gone. Those stay as they
// are: a restored backup or the same bytes uploaded again mend them, and only a task that needs the
// file fails. Told in the log, the first of them by name. Errors: the stores'.
Result<Reconciled> reconcile(ports::Store& store, ports::BlobStore& blobs, BlobGuard& guard,
                             std::stop_token stop);

}  // namespace durascribe::engine
