// Builds what people see of a task from its rows and what runs of it now. Pure.
#pragma once

#include <optional>
#include <span>

#include "durascribe/engine/running_units.h"
#include "durascribe/engine/task_view.h"

namespace durascribe::engine {

// What a running unit tells beyond its row.
struct LiveUnit {
    UnitId unit;
    Millis audio_done{0};
    RunningUnit::Pace pace;
    bool preparing = false;
};

struct ViewFacts {
    ports::TaskRow row;
    std::vector<ports::UnitRow> units;
    std::optional<Millis> media_duration;  // known once extracted
    std::vector<LiveUnit> live;
    std::optional<DownloadState> download;
    std::vector<domain::StepSpeed> speeds;
    int speech_slots = 1;
    WallTime now{};
    bool paused = false;  // the queue: nothing more of the task is started until it is resumed
    std::optional<int> queue_position;
    // Of other tasks: units before this one's next, and before its last that may be claimed now.
    int units_before_next = 0;
    int units_before_end = 0;
    domain::Lane lane = domain::Lane::media;  // of the open step
    int lane_slots = 1;
    double seconds_per_unit = 0;   // that units of the lane took lately
    double held_back_seconds = 0;  // until enough of what was decoded before it is recognised
};

TaskView build_view(ViewFacts facts);

}  // namespace durascribe::engine
