// A speech worker starts only if its model fits what memory is left. The first always may: where
// not even one fits, its failure says so, and nothing waits for ever.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "durascribe/base/log.h"

namespace durascribe::engine {

// Thread-safe. Tickets must not outlive it.
class MemoryAdmission {
  public:
    // `free_bytes`: what one more worker could take now; empty: everyone is admitted.
    // `prior_bytes`: what a worker needs before one was measured.
    MemoryAdmission(std::function<std::int64_t()> free_bytes, std::int64_t prior_bytes)
        : free_bytes_(std::move(free_bytes)), need_(prior_bytes) {}

    // Held as long as the worker lives.
    class Ticket {
      public:
        Ticket() = default;
        explicit Ticket(MemoryAdmission& owner) : owner_(&owner) {}
        Ticket(Ticket&& other) noexcept { swap(other); }
        Ticket& operator=(Ticket&& other) noexcept {
            Ticket(std::move(other)).swap(*this);
            return *this;
        }
        ~Ticket() {
            if (owner_ != nullptr) {
                owner_->leave(resident_);
            }
        }
        // What the worker holds now. The greatest is what the next one is expected to need.
        void note_resident(std::int64_t bytes) {
            if (owner_ != nullptr) {
                owner_->grow(resident_, bytes);
                resident_ = std::max(resident_, bytes);
            }
        }

      private:
        void swap(Ticket& other) {
            std::swap(owner_, other.owner_);
            std::swap(resident_, other.resident_);
        }
        MemoryAdmission* owner_ = nullptr;
        std::int64_t resident_ = 0;
    };

    // nullopt: it does not fit beside those that live; ask again later.
    std::optional<Ticket> admit() {
        const std::scoped_lock lock(mutex_);
        if (free_bytes_ && !held_.empty()) {
            const std::int64_t left = free_bytes_() - promised();
            if (left < need_) {
                if (!told_) {
                    log::warning(
                        "a speech worker needs {} MiB and {} MiB are free: {} work instead of "
                        "more. "
                        "Lower MAX_CONCURRENT_TRANSCRIPTIONS, choose a smaller model, or add "
                        "memory.",
                        need_ >> 20, std::max(std::int64_t{0}, left) >> 20, held_.size());
                    told_ = true;
                }
                return std::nullopt;
            }
        }
        held_.insert(0);
        told_ = false;
        return Ticket(*this);
    }

    // For a worker that has nothing to do yet: only where another one would fit beside it.
    std::optional<Ticket> admit_spare() {
        const std::scoped_lock lock(mutex_);
        if (free_bytes_ && free_bytes_() - promised() < 2 * need_) {
            return std::nullopt;
        }
        held_.insert(0);
        return Ticket(*this);
    }

  private:
    // What those that live have not taken yet and will. With mutex_ held.
    std::int64_t promised() const {
        std::int64_t bytes = 0;
        for (const std::int64_t resident : held_) {
            bytes += std::max(std::int64_t{0}, need_ - resident);
        }
        return bytes;
    }
    void leave(std::int64_t resident) {
        const std::scoped_lock lock(mutex_);
        held_.erase(held_.find(resident));
    }
    void grow(std::int64_t from, std::int64_t to) {
        const std::scoped_lock lock(mutex_);
        if (to > from) {
            held_.erase(held_.find(from));
            held_.insert(to);
            need_ = std::max(need_, to);
        }
    }

    const std::function<std::int64_t()> free_bytes_;
    std::mutex mutex_;
    std::int64_t need_;  // guarded by mutex_
    std::multiset<std::int64_t>
        held_;           // resident bytes of the workers that live; guarded by mutex_
    bool told_ = false;  // guarded by mutex_
};

}  // namespace durascribe::engine
