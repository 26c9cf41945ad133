// What people see of tasks: the rows and what runs of them now, read at one moment, built by
// view_builder.h and never told to go back.
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "durascribe/base/error.h"
#include "durascribe/engine/engine.h"
#include "durascribe/engine/lane_pace.h"
#include "durascribe/engine/running_units.h"
#include "durascribe/engine/task_view.h"
#include "durascribe/ports/clock.h"
#include "durascribe/ports/store.h"

namespace durascribe::engine {

// Thread-safe. What is given outlives it.
class TaskViews {
  public:
    TaskViews(ports::Store& store, RunningUnits& running, const LanePace& pace,
              const ports::Clock& clock, const EngineSettings& settings)
        : store_(store), running_(running), pace_(pace), clock_(clock), settings_(settings) {}

    // As Engine::view and Engine::view_of_media say.
    Result<TaskView> of(const TaskId& task);
    Result<std::optional<TaskView>> of_media(const MediaId& media);
    Result<std::optional<TaskView>> of_media(const ports::MediaRow& media);

  private:
    struct Shown {
        int run_number = 0;
        double percent = 0;
    };

    Result<TaskView> view_of(ports::TaskRow row);
    Result<TaskView> view_of(ports::TaskRow row, const ports::MediaRow& media);
    int slots_of(domain::Lane lane) const;
    void never_back(TaskView& view);

    ports::Store& store_;
    RunningUnits& running_;
    const LanePace& pace_;
    const ports::Clock& clock_;
    const EngineSettings& settings_;

    std::mutex mutex_;
    std::map<TaskId, Shown> shown_;  // guarded by mutex_
};

}  // namespace durascribe::engine
