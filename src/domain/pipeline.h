// The steps that a task goes through, in their order, and what each weighs before anything is known
// of the machine's speed.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "durascribe/domain/audio_span.h"

namespace durascribe::domain {

enum class Step { acquire, extract, transcribe, diarize, finalize };
inline constexpr int kSteps = 5;

// Where a step's units run: each lane has slots of its own.
enum class Lane { fetch, media, speech, local };
inline constexpr int kLanes = 4;

// What a user chose for a task; frozen when the task is made.
struct TaskOptions {
    std::string engine = "auto";
    std::string model = "auto";
    std::string language = "en";
    std::optional<int> audio_track;  // among the audio streams, from 0; none: the default one
    bool diarize = false;
    bool from_url = false;
    int priority = 0;  // higher goes first
    // A new task over a media that was worked on before: the first step to be done again, what the
    // steps before it left is taken over. None: all of it.
    std::optional<Step> from_step;
    bool operator==(const TaskOptions&) const = default;
};

// Whether two tasks over the same media give the same transcript: equal but for what only says when
// and from where they run.
bool same_work(TaskOptions a, TaskOptions b);

// The steps of a task with these options, in order, from `from_step` on.
std::span<const Step> steps_for(const TaskOptions& options);
// The step after `step`, or nullopt after the last.
std::optional<Step> next_step(const TaskOptions& options, Step step);
Lane lane_of(Step step);
// Prior weight in points; those of a task's steps need not add up to 100.
int weight_of(Step step, const TaskOptions& options);

std::string_view to_string(Step s);
std::string_view to_string(Lane l);
std::optional<Step> step_from(std::string_view name);

// What a person sees: "Waiting for a free slot" where nothing of the step runs, else "Downloading",
// "Loading audio", "Preparing model" (no chunk known yet), "Transcribing 12 of 40" (11 are done),
// "Detecting speakers", "Finalizing"; "Completed" once the last step's units are done. `done` and
// `total` count the step's units.
std::string stage_text(Step step, int done, int total, bool running);

}  // namespace durascribe::domain
