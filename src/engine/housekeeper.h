// The thread that throws away what is older than the operator wants to keep: at start, then daily.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "durascribe/engine/blob_guard.h"
#include "durascribe/ports/store.h"

namespace durascribe::engine {

class Housekeeper {
  public:
    Housekeeper(ports::Store& store, BlobGuard& guard, ports::Retention retention, Millis interval)
        : store_(store), guard_(guard), retention_(retention), interval_(interval) {
        thread_ = std::jthread([this](std::stop_token stop) { loop(stop); });
    }
    // Stops and joins; a batch that is under way ends first.
    ~Housekeeper() = default;

  private:
    void loop(std::stop_token stop) {
        while (!stop.stop_requested()) {
            prune(stop);
            std::unique_lock lock(mutex_);
            never_.wait_for(lock, stop, interval_, [] { return false; });
        }
    }

    void prune(std::stop_token stop) {
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
            more = pruned->more;
        }
        if (all.media + all.events + all.attempts + all.idempotency_keys > 0) {
            log::info("removed what was old: {} media, {} events, {} attempts, {} idempotency keys",
                      all.media, all.events, all.attempts, all.idempotency_keys);
        }
    }

    static constexpr int kBatchRows = 500;
    ports::Store& store_;
    BlobGuard& guard_;
    const ports::Retention retention_;
    const Millis interval_;
    std::mutex mutex_;
    std::condition_variable_any never_;
    std::jthread thread_;
};

}  // namespace durascribe::engine
