// The thread that keeps the node's promises while others work: renews leases, persists progress
// once a second, wakes lanes when a retry's time has come, and units that wait for room on the disk
// when there is some, rescues what expired.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "durascribe/engine/engine.h"
#include "durascribe/engine/room_waiters.h"
#include "durascribe/engine/running_units.h"

namespace durascribe::engine {

class Supervisor {
  public:
    // `wake_lanes` is called from the supervisor's thread.
    Supervisor(Engine& engine, ports::Store& store, ports::BlobStore& blobs,
               const ports::Clock& clock, const EngineSettings& settings, RunningUnits& running,
               RoomWaiters& room_waiters, NodeId node, std::function<void()> wake_lanes);
    ~Supervisor();  // stops and joins

    // Something may have changed that has a time: a unit started, a retry was planned. Thread-safe,
    // quick.
    void kick();

  private:
    void loop(std::stop_token stop);
    void renew_leases();
    bool rescue_expired();  // false: the store refused to look
    std::vector<ports::Lease> running_leases() const;
    bool cancel_in_doubt() const;  // of any unit
    // Counts the time in which units of each task ran, and ends the tasks whose time is over.
    void count_work(Millis passed);
    void expire(const TaskView& view, Millis limit);  // the run that was looked at
    void persist_progress();
    void serve_room_waiters();
    // When a pending unit's time comes; nullopt: none waits.
    std::optional<Millis> until_next_retry();

    Engine& engine_;
    ports::Store& store_;
    ports::BlobStore& blobs_;
    const ports::Clock& clock_;
    const EngineSettings& settings_;
    RunningUnits& running_;
    RoomWaiters& room_waiters_;
    const NodeId node_;
    const std::function<void()> wake_lanes_;
    MonoTime renewed_at_;
    bool renewal_failed_ = false;  // and that was told
    bool rescue_failed_ = false;   // the same

    struct Worked {
        int run_number = 0;
        Millis time{0};
    };
    std::map<TaskId, Worked> worked_;  // of the tasks that run now

    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool kicked_ = true;  // the first look happens at once
    std::jthread thread_;
};

}  // namespace durascribe::engine
