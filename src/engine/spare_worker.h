// One speech worker that is warm and has nothing to do. A slot whose own worker died goes on with
// it at once, where loading a model would take as long as a good part of a chunk. Not here: which
// chunk it goes on with (that is the queue's to say).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "durascribe/engine/memory_admission.h"
#include "durascribe/ports/worker.h"

namespace durascribe::engine {

// Owned by the engine. Thread-safe. Its thread starts the workers that it gives away, and they die
// with it (see ports::Worker): it must outlive the slots.
class SpareWorker {
  public:
    struct Warm {
        std::unique_ptr<ports::Worker> worker;
        MemoryAdmission::Ticket ticket;
    };

    // `need`: what a worker needs with the model that it loads by itself, in bytes.
    SpareWorker(ports::WorkerFactory& workers, MemoryAdmission& admission,
                std::function<std::int64_t()> need);
    // Stops and joins.
    ~SpareWorker();

    // From now on there shall be one, whenever memory allows. Not before a worker of a slot has
    // shown that the model loads: one that does not would be tried for nothing, again and again.
    void want();

    // nullopt: there is none just now. What is taken is replaced.
    std::optional<Warm> take();

    // Gives away and starts no more, and kills the one that there is. Those given away live on.
    void stop();

  private:
    void loop(std::stop_token stop);
    std::optional<Warm> make(std::stop_token stop);

    ports::WorkerFactory& workers_;
    MemoryAdmission& admission_;
    const std::function<std::int64_t()> need_;

    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool wanted_ = false;       // guarded by mutex_
    std::optional<Warm> warm_;  // guarded by mutex_
    std::stop_source making_;   // asked to stop by stop(); the thread itself only at the end
    std::jthread thread_;
};

}  // namespace durascribe::engine
