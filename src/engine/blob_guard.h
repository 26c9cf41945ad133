// Keeps the removal of blobs and the naming of blobs apart. A blob is durable before the row that
// names it is; a removal that looked between the two would take a file that is about to be named
// (the same bytes may come twice). Not a store of its own: it only orders the two, address by
// address.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
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

    // Removes those of the blobs that no row names and nobody holds; returns how many. Who holds
    // one names it or collects it. What can't be removed now goes with the next housekeeping.
    int collect(std::span<const ports::BlobRef> blobs) {
        int removed = 0;
        for (const ports::BlobRef& blob : blobs) {
            if (!blob.empty() && begin_removal(blob.sha256)) {
                removed += remove_unnamed(blob) ? 1 : 0;
                end_removal(blob.sha256);
            }
        }
        return removed;
    }

  private:
    struct Address {
        int holds = 0;
        bool being_removed = false;
    };

    void wait_for_removal(std::unique_lock<std::mutex>& lock, const std::string& sha256) {
        removed_.wait(lock, [&] {
            const auto found = addresses_.find(sha256);
            return found == addresses_.end() || !found->second.being_removed;
        });
    }

    bool begin_removal(const std::string& sha256) {
        std::unique_lock lock(mutex_);
        wait_for_removal(lock, sha256);
        return addresses_.try_emplace(sha256, Address{.holds = 0, .being_removed = true}).second;
    }

    void end_removal(const std::string& sha256) {
        const std::scoped_lock lock(mutex_);
        addresses_.erase(sha256);
        removed_.notify_all();
    }

    void let_go(const std::string& sha256) {
        const std::scoped_lock lock(mutex_);
        const auto found = addresses_.find(sha256);
        if (--found->second.holds == 0) {
            addresses_.erase(found);
        }
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
