#include "durascribe/engine/housekeeper.h"

#include "durascribe/base/failpoint.h"
#include "durascribe/base/log.h"

namespace durascribe::engine {
namespace {

constexpr int kBatchRows = 500;
constexpr int kIndexedAtOnce = 20;  // media in one transaction, each with its transcript

}  // namespace

Housekeeper::Housekeeper(ports::Store& store, ports::BlobStore& blobs, BlobGuard& guard,
                         ResumableUploads& uploads, const ports::Clock& clock,
                         const EngineSettings& settings)
    : store_(store),
      blobs_(blobs),
      guard_(guard),
      uploads_(uploads),
      clock_(clock),
      retention_(settings.retention),
      interval_(settings.housekeeping_interval) {
    thread_ = std::jthread([this](std::stop_token stop) { loop(stop); });
}

Engine::Housekeeping Housekeeper::status() const {
    const std::scoped_lock lock(mutex_);
    return status_;
}

void Housekeeper::loop(std::stop_token stop) {
    // Once in any case: a server that is stopped soon after its start leaves a small store clean.
    do {
        uploads_.finish_sealed(stop);
        sweep_uploads();
        index_what_is_there(stop);
        reconcile_files(stop);
        prune(stop);
        std::unique_lock lock(mutex_);
        never_.wait_for(lock, stop, interval_, [] { return false; });
    } while (!stop.stop_requested());
}

void Housekeeper::index_what_is_there(std::stop_token stop) {
    for (bool more = true; more && !stop.stop_requested();) {
        const auto indexed = store_.index_more(kIndexedAtOnce);
        if (!indexed) {
            log::warning("older media could not be taken into the search: {} Tried again in a day.",
                         indexed.error().message);
            return;
        }
        more = *indexed;
    }
}

void Housekeeper::reconcile_files(std::stop_token stop) {
    const auto done = reconcile(store_, blobs_, guard_, stop);
    DURASCRIBE_FAILPOINT("engine.swept");
    if (!done) {
        log::warning("files could not be held against the database: {} Tried again in a day.",
                     done.error().message);
        return;
    }
    if (!done->complete) {
        return;
    }
    const std::scoped_lock lock(mutex_);
    status_ = {.reconciled_at = clock_.wall(),
               .sources_missing = done->sources_missing,
               .audio_missing = done->audio_missing};
}

void Housekeeper::sweep_uploads() {
    const auto removed = uploads_.sweep();
    if (!removed) {
        log::warning(
            "files of uploads that are gone could not be removed: {} Tried again in a day.",
            removed.error().message);
    } else if (*removed > 0) {
        log::info("{} files of uploads that are gone were removed", *removed);
    }
}

void Housekeeper::prune(std::stop_token stop) {
    ports::Pruned all;
    for (bool more = true; more && !stop.stop_requested();) {
        const auto pruned = store_.prune(retention_, kBatchRows);
        if (!pruned) {
            log::warning("what is old could not be removed: {} Tried again in a day.",
                         pruned.error().message);
            return;
        }
        guard_.collect(pruned->blobs);
        all.media += pruned->media;
        all.events += pruned->events;
        all.attempts += pruned->attempts;
        all.idempotency_keys += pruned->idempotency_keys;
        all.deliveries += pruned->deliveries;
        all.uploads += pruned->uploads;
        more = pruned->more;
    }
    if (all.uploads > 0) {
        sweep_uploads();
    }
    if (all.media + all.events + all.attempts + all.idempotency_keys + all.uploads +
            all.deliveries >
        0) {
        log::info(
            "removed what was old: {} media, {} events, {} attempts, {} idempotency keys, {} "
            "uploads, {} deliveries of webhooks",
            all.media, all.events, all.attempts, all.idempotency_keys, all.uploads, all.deliveries);
    }
}

}  // namespace durascribe::engine
