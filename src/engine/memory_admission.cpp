#include "durascribe/engine/memory_admission.h"

#include <algorithm>
#include <utility>

#include "durascribe/base/log.h"

namespace durascribe::engine {

MemoryAdmission::Ticket::~Ticket() {
    if (owner_ != nullptr) {
        const std::scoped_lock lock(owner_->mutex_);
        owner_->held_.erase(held_);
    }
}

void MemoryAdmission::Ticket::note_resident(std::int64_t bytes) {
    if (owner_ != nullptr) {
        const std::scoped_lock lock(owner_->mutex_);
        held_->resident = bytes;
        held_->need = std::max(held_->need, bytes);
    }
}

bool MemoryAdmission::Ticket::change_need(std::int64_t bytes) {
    if (owner_ == nullptr) {
        return true;
    }
    const std::scoped_lock lock(owner_->mutex_);
    if (bytes > held_->need && owner_->free_bytes_ && owner_->others_work(&*held_) &&
        owner_->left_for(&*held_) < bytes) {
        return false;
    }
    held_->need = bytes;
    return true;
}

void MemoryAdmission::Ticket::put_to_work() {
    if (owner_ != nullptr) {
        const std::scoped_lock lock(owner_->mutex_);
        held_->spare = false;
    }
}

std::optional<MemoryAdmission::Ticket> MemoryAdmission::admit(std::int64_t need) {
    const std::scoped_lock lock(mutex_);
    if (free_bytes_ && others_work(nullptr)) {
        const std::int64_t left = left_for(nullptr);
        if (left < need) {
            if (!std::exchange(told_, true)) {
                log::warning(
                    "a speech worker needs {} MiB and {} MiB are free: {} work instead of more. "
                    "Lower MAX_CONCURRENT_TRANSCRIPTIONS, choose a smaller model, or add memory.",
                    need >> 20, std::max(std::int64_t{0}, left) >> 20,
                    std::ranges::count(held_, false, &Held::spare));
            }
            return std::nullopt;
        }
    }
    told_ = false;
    return hold({.need = need});
}

std::optional<MemoryAdmission::Ticket> MemoryAdmission::admit_spare(std::int64_t need) {
    const std::scoped_lock lock(mutex_);
    if (free_bytes_ && left_for(nullptr) < 2 * need) {
        return std::nullopt;
    }
    return hold({.need = need, .spare = true});
}

MemoryAdmission::Ticket MemoryAdmission::hold(Held held) {
    held_.push_back(held);
    return Ticket(*this, std::prev(held_.end()));
}

std::int64_t MemoryAdmission::left_for(const Held* ticket) const {
    std::int64_t left = free_bytes_();
    for (const Held& held : held_) {
        left +=
            &held == ticket ? held.resident : -std::max(std::int64_t{0}, held.need - held.resident);
    }
    return left;
}

bool MemoryAdmission::others_work(const Held* ticket) const {
    return std::ranges::any_of(held_,
                               [&](const Held& held) { return &held != ticket && !held.spare; });
}

}  // namespace durascribe::engine
