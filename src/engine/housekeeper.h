// The thread that keeps house: at start, then daily. It holds files and rows against each other
// (reconcile.h), finishes uploads that were whole when the last server died, takes into the search
// what was there before it, and throws away what is older than the operator wants to keep.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "durascribe/engine/engine.h"
#include "durascribe/engine/reconcile.h"
#include "durascribe/engine/resumable_uploads.h"

namespace durascribe::engine {

class Housekeeper {
  public:
    // Returns at once; the references outlive it.
    Housekeeper(ports::Store& store, ports::BlobStore& blobs, BlobGuard& guard,
                ResumableUploads& uploads, const ports::Clock& clock,
                const EngineSettings& settings);
    // A batch that is under way ends first.
    void request_stop() { thread_.request_stop(); }
    ~Housekeeper() = default;  // request_stop(), and joins

    Engine::Housekeeping status() const;

  private:
    void loop(std::stop_token stop);
    void index_what_is_there(std::stop_token stop);
    void reconcile_files(std::stop_token stop);
    void sweep_uploads();
    void prune(std::stop_token stop);

    ports::Store& store_;
    ports::BlobStore& blobs_;
    BlobGuard& guard_;
    ResumableUploads& uploads_;
    const ports::Clock& clock_;
    const ports::Retention retention_;
    const Millis interval_;
    mutable std::mutex mutex_;
    std::condition_variable_any never_;
    Engine::Housekeeping status_;  // guarded by mutex_
    std::jthread thread_;
};

}  // namespace durascribe::engine
