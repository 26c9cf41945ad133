// A speech worker starts only if its model fits what memory is left, and loads another only then.
// The first always may: where not even one fits, its failure says so, and nothing waits for ever.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>

namespace durascribe::engine {

// Thread-safe. Tickets must not outlive it.
class MemoryAdmission {
  public:
    // `free_bytes`: what one more worker could take now; empty: everyone is admitted.
    explicit MemoryAdmission(std::function<std::int64_t()> free_bytes)
        : free_bytes_(std::move(free_bytes)) {}

  private:
    struct Held {
        std::int64_t need = 0;      // with what it has loaded, or is about to load
        std::int64_t resident = 0;  // of that, what it has taken
        bool spare = false;
    };

  public:
    // Held as long as the worker lives. An empty one (default) holds nothing.
    class Ticket {
      public:
        Ticket() = default;
        Ticket(Ticket&& other) noexcept { swap(other); }
        Ticket& operator=(Ticket&& other) noexcept {
            Ticket(std::move(other)).swap(*this);
            return *this;
        }
        ~Ticket();

        // What the worker holds now; more than it was expected to need is what it needs.
        void note_resident(std::int64_t bytes);
        // Before the worker loads a model with which it needs so much, in place of what it has.
        // False: that does not fit beside the other workers, and nothing has changed.
        bool change_need(std::int64_t bytes);
        // A spare worker has become one that works.
        void put_to_work();

      private:
        friend class MemoryAdmission;
        Ticket(MemoryAdmission& owner, std::list<Held>::iterator held)
            : owner_(&owner), held_(held) {}
        void swap(Ticket& other) {
            std::swap(owner_, other.owner_);
            std::swap(held_, other.held_);
        }
        MemoryAdmission* owner_ = nullptr;
        std::list<Held>::iterator held_{};
    };

    // For a worker that will need `need` bytes. nullopt: it does not fit beside those that live;
    // ask again later.
    std::optional<Ticket> admit(std::int64_t need);

    // For a worker that has nothing to do yet: only where another one would fit beside it.
    std::optional<Ticket> admit_spare(std::int64_t need);

  private:
    Ticket hold(Held held);
    // With mutex_ held: what is free, without what those that live have not taken yet and will, and
    // with all that `ticket` (may be null) has.
    std::int64_t left_for(const Held* ticket) const;
    bool others_work(const Held* ticket) const;

    const std::function<std::int64_t()> free_bytes_;
    std::mutex mutex_;
    std::list<Held> held_;  // of the workers that live; guarded by mutex_
    bool told_ = false;     // guarded by mutex_
};

}  // namespace durascribe::engine
