// One slot: a thread that claims the units of its lane one after the other and runs them on a
// worker of its own, kept warm.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "durascribe/engine/lane_pace.h"
#include "durascribe/engine/lane_signal.h"
#include "durascribe/engine/memory_admission.h"
#include "durascribe/engine/model_memory.h"
#include "durascribe/engine/spare_worker.h"
#include "durascribe/engine/unit_runner.h"

namespace durascribe::engine {

// What all slots of an engine share. Lives as long as the engine.
struct SlotContext {
    ports::Store& store;
    ports::WorkerFactory& workers;
    const ports::Clock& clock;
    const EngineSettings& settings;
    RunningUnits& running;
    NodeId node;
    LanePace& pace;
    ModelMemory& memory;
    MemoryAdmission& admission;
    SpareWorker& spare;
    std::function<void()> unit_started;  // tells the supervisor
};

class Slot {
  public:
    Slot(SlotContext context, domain::Lane lane, LaneSignal& signal, UnitRunner runner);
    // request_stop() first; the thread ends after its unit has.
    ~Slot();

    // No claim happens after this returned, but for one that is under way.
    void request_stop();
    void join();
    Engine::SlotStatus status() const;

  private:
    void loop(std::stop_token stop);
    void run_one(const ports::ClaimedUnit& claimed, MonoTime asked_at, std::stop_token stop);
    bool ensure_worker(std::stop_token stop);
    bool start_worker(std::stop_token stop);
    bool admit_worker(std::stop_token stop);
    // Whether the unit's model fits, where the worker would have to load it.
    bool make_room(const ports::ClaimedUnit& claimed);
    void tell_of_worker();
    void measure_worker();
    void drop_worker();
    void set_status(const ports::ClaimedUnit* working_on);

    const SlotContext context_;
    const domain::Lane lane_;
    LaneSignal& signal_;
    UnitRunner runner_;

    // Of the thread alone:
    std::unique_ptr<ports::Worker> worker_;
    MemoryAdmission::Ticket admitted_;  // while worker_ is a speech worker
    bool had_worker_ = false;           // since the start
    int units_served_ = 0;
    std::int64_t warm_resident_bytes_ = 0;
    std::optional<SpeechModel> loaded_;  // by worker_, of its last unit
    WarmUp warm_up_;                     // of worker_, for its next unit
    bool other_models_ = false;          // it has had another before
    // After a unit whose model did not fit: what is waited for, and until when.
    std::int64_t wanted_bytes_ = 0;
    MonoTime wanted_until_;
    Millis want_for_{0};

    mutable std::mutex status_mutex_;
    Engine::SlotStatus status_;
    std::jthread thread_;
};

}  // namespace durascribe::engine
