// Builds what people see of a task from its rows and what runs of it now. Pure.
#pragma once

#include <optional>
#include <span>

#include "durascribe/engine/task_view.h"

namespace durascribe::engine {

// What a running unit tells beyond its row.
struct LiveUnit {
    UnitId unit;
    Millis audio_done{0};
    Millis running_for{0};
    bool preparing = false;
};

struct ViewFacts {
    ports::TaskRow row;
    std::vector<ports::UnitRow> units;
    std::optional<Millis> media_duration;  // known once extracted
    std::vector<LiveUnit> live;
    std::vector<domain::StepSpeed> speeds;
    int speech_slots = 1;
    std::optional<int> queue_position;
};

TaskView build_view(ViewFacts facts);

}  // namespace durascribe::engine
