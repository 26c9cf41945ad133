// Runs one claimed unit on a worker and records its end. Knows the steps; knows neither slots nor
// threads.
#pragma once

#include <functional>
#include <memory>
#include <random>

#include "durascribe/engine/blob_guard.h"
#include "durascribe/engine/engine.h"
#include "durascribe/engine/room_waiters.h"
#include "durascribe/engine/running_units.h"

namespace durascribe::engine {

// What a worker may take until it is ready.
inline constexpr Millis kWarmUpDeadline{60'000};
// What filled the disk, and nobody knows how much it will be, is not begun again without so much
// more room than it had.
inline constexpr std::int64_t kMoreRoom = std::int64_t{1} << 20;

// What a speech worker may take before it recognises.
struct WarmUp {
    Millis ready = kWarmUpDeadline;  // until it is ready, with the model that it starts with
    Millis load{0};  // until it has the unit's model in place of that one; 0: it has it
};

// One per slot; used by its thread alone.
class UnitRunner {
  public:
    // `before_failure` is called with the task whose unit is about to be recorded as not done.
    UnitRunner(ports::Store& store, ports::BlobStore& blobs, BlobGuard& guard,
               RoomWaiters& room_waiters, ports::WorkerFactory& workers, const ports::Clock& clock,
               const EngineSettings& settings, std::function<void(const TaskId&)> before_failure);

    // Runs the unit to its recorded end: when this returns, the store knows what became of it, or
    // the lease was lost, or `unit` was drained while the disk refused the record (then the next
    // start does it again). `worker` is null in the lanes local and fetch. Until a speech
    // worker says that it has its model, the unit is being prepared.
    void run(RunningUnit& unit, ports::Worker* worker, const WarmUp& warm_up = {});

    // In place of run(): the unit goes back to the queue with no attempt spent, or ends as whoever
    // stopped it before wants.
    void give_back(RunningUnit& unit, StopReason why);

  private:
    Result<ports::UnitEnd> run_acquire(RunningUnit& unit);
    Result<void> fetch(RunningUnit& unit, ports::ImportRow import);
    void collect_nothing(RunningUnit& unit, const Error& why);
    Result<ports::UnitEnd> run_extract(RunningUnit& unit, ports::Worker& worker);
    // The unit that fails now, class storage, is not tried again before so much is free; where it
    // is free now, after the usual wait.
    void wait_for_room(std::int64_t bytes);
    // The same where the error says that the disk is full.
    void wait_where_full(const Error& error, std::int64_t bytes = 1);
    // As wait_for_room(), and the error. `what` is a sentence's subject; `remedy` is what else
    // helps where the whole disk is too small.
    Error no_room(std::string_view code, std::string_view what, std::string_view remedy,
                  std::int64_t bytes, std::int64_t free_bytes);
    Result<ports::UnitEnd> run_transcribe(RunningUnit& unit, ports::Worker& worker,
                                          const WarmUp& warm_up);
    Result<ports::UnitEnd> run_finalize(RunningUnit& unit);

    ports::RunControl control_for(RunningUnit& unit, Millis predicted) const;
    Millis predicted_length(const ports::ClaimedUnit& unit, Millis audio) const;
    // For the next attempt, after this one ran out of memory; empty: there is none.
    std::string smaller_model(const RunningUnit& unit, const Error& error) const;
    void learn(const RunningUnit& unit, const std::string& engine, const std::string& model,
               Millis audio);
    void record_failure(RunningUnit& unit, const Error& error);

    // Repeats `record` while the disk refuses it (class storage), until it is accepted or refused
    // as stale, or the process is about to go: finished work waits for room, it is not thrown away.
    // A lease that ran out meanwhile does not matter: no worker runs, and the store refuses the
    // record if someone else has the unit.
    Result<ports::UnitEnd> record_when_possible(
        RunningUnit& unit, const std::function<Result<ports::UnitEnd>()>& record);

    ports::Store& store_;
    ports::BlobStore& blobs_;
    BlobGuard& guard_;
    RoomWaiters& room_waiters_;
    ports::WorkerFactory& workers_;
    const ports::Clock& clock_;
    const EngineSettings& settings_;
    std::function<void(const TaskId&)> before_failure_;
    std::mt19937_64 random_;
    // Of the unit that runs: until its next attempt, as the other side of its download asked, or as
    // one that waits for room waits at most; and how much room that is.
    std::optional<Millis> retry_after_;
    std::optional<std::int64_t> needs_room_bytes_;
};

}  // namespace durascribe::engine
