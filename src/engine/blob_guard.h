// Keeps the removal of files and the recording of files apart. A blob is durable before the row
// that names it is; a removal that looked between the two would take a file that is about to be
// named (the same bytes may come twice). Not a store of its own: it only orders the two.
#pragma once

#include <mutex>
#include <shared_mutex>
#include <span>

#include "durascribe/base/log.h"
#include "durascribe/ports/blob_store.h"
#include "durascribe/ports/store.h"

namespace durascribe::engine {

// Thread-safe.
class BlobGuard {
  public:
    BlobGuard(ports::Store& store, ports::BlobStore& blobs) : store_(store), blobs_(blobs) {}

    // Hold this from before a blob's commit() until the row that names it is committed.
    std::shared_lock<std::shared_mutex> recording() { return std::shared_lock(mutex_); }

    // Removes those of the blobs that no row names. What can't be removed now goes with the sweep
    // at the next start.
    void collect(std::span<const ports::BlobRef> blobs) {
        const std::unique_lock lock(mutex_);
        for (const ports::BlobRef& blob : blobs) {
            if (blob.empty()) {
                continue;
            }
            const auto referenced = store_.blob_referenced(blob.sha256);
            if (!referenced || *referenced) {
                continue;
            }
            if (const auto removed = blobs_.remove(blob); !removed) {
                log::warning("could not remove blob {}: {}", blob.sha256, removed.error().message);
            }
        }
    }

  private:
    ports::Store& store_;
    ports::BlobStore& blobs_;
    std::shared_mutex mutex_;
};

}  // namespace durascribe::engine
