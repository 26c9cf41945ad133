// Keeps the removal of blobs and the naming of blobs apart. A blob is durable before the row that
// names it is; a removal that looked between the two would take a file that is about to be named
// (the same bytes may come twice). Not a store of its own: it only orders the two, address by
// address.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "durascribe/base/log.h"
#include "durascribe/ports/blob_store.h"
#include "durascribe/ports/store.h"

namespace durascribe::engine {

// Thread-safe. Outlives its holds.
class BlobGuard {
  public:
    BlobGuard(ports::Store& store, ports::BlobStore& blobs) : store_(store), blobs_(blobs) {}

    // While it lives, nothing removes the blob at its address.
    class Hold {
      public:
        Hold() = default;
        Hold(BlobGuard& guard, std::string sha256) : guard_(&guard), sha256_(std::move(sha256)) {}
        Hold(Hold&& other) noexcept
            : guard_(std::exchange(other.guard_, nullptr)), sha256_(std::move(other.sha256_)) {}
        Hold& operator=(Hold&& other) noexcept {
            release();
            guard_ = std::exchange(other.guard_, nullptr);
            sha256_ = std::move(other.sha256_);
            return *this;
        }
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;
        ~Hold() { release(); }

        void release() {
            if (auto* guard = std::exchange(guard_, nullptr)) {
                guard->let_go(sha256_);
            }
        }

      private:
        BlobGuard* guard_ = nullptr;
        std::string sha256_;
    };

    // Take it before a blob's commit() and keep it until the row that names it is committed; where
    // none will, release it, then collect(). Waits for a removal of this very address.
    Hold hold(const ports::BlobRef& blob) {
        std::unique_lock lock(mutex_);
        wait_for_removal(lock, blob.sha256);
        ++addresses_[blob.sha256].holds;
        return {*this, blob.sha256};
    }

    // Removes those of the blobs that no row names; returns how many. One that is held goes when
    // its last holder has let go, where still no row names it. What can't be removed now goes with
    // the next housekeeping.
    int collect(std::span<const ports::BlobRef> blobs) {
        int removed = 0;
        for (const ports::BlobRef& blob : blobs) {
            if (!blob.empty() && begin_removal(blob)) {
                removed += remove(blob) ? 1 : 0;
            }
        }
        return removed;
    }

  private:
    struct Address {
        int holds = 0;
        bool being_removed = false;
        std::optional<ports::BlobRef> collected;  // while it was held
    };

    void wait_for_removal(std::unique_lock<std::mutex>& lock, const std::string& sha256) {
        removed_.wait(lock, [&] {
            const auto found = addresses_.find(sha256);
            return found == addresses_.end() || !found->second.being_removed;
        });
    }

    // False: it is held, and goes later.
    bool begin_removal(const ports::BlobRef& blob) {
        std::unique_lock lock(mutex_);
        wait_for_removal(lock, blob.sha256);
        const auto [address, free] = addresses_.try_emplace(blob.sha256);
        if (free) {
            address->second.being_removed = true;
        } else {
            address->second.collected = blob;
        }
        return free;
    }

    bool remove(const ports::BlobRef& blob) {
        const bool removed = remove_unnamed(blob);
        const std::scoped_lock lock(mutex_);
        addresses_.erase(blob.sha256);
        removed_.notify_all();
        return removed;
    }

    void let_go(const std::string& sha256) {
        std::optional<ports::BlobRef> collected;
        {
            const std::scoped_lock lock(mutex_);
            const auto found = addresses_.find(sha256);
            if (--found->second.holds > 0) {
                return;
            }
            collected = std::exchange(found->second.collected, std::nullopt);
            if (!collected) {
                addresses_.erase(found);
                return;
            }
            found->second.being_removed = true;
        }
        remove(*collected);
    }

    bool remove_unnamed(const ports::BlobRef& blob) {
        const auto referenced = store_.blob_referenced(blob.sha256);
        if (!referenced || *referenced) {  // when in doubt, keep
            return false;
        }
        if (const auto removed = blobs_.remove(blob); !removed) {
            log::warning("could not remove blob {}: {}", blob.sha256, removed.error().message);
            return false;
        }
        return true;
    }

    ports::Store& store_;
    ports::BlobStore& blobs_;
    std::mutex mutex_;
    std::condition_variable removed_;
    std::map<std::string, Address> addresses_;  // held or being removed; guarded by mutex_
};

}  // namespace durascribe::engine
