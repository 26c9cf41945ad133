// How far a task is, as a share of the time it will take.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "durascribe/domain/pipeline.h"

namespace durascribe::domain {

// Seconds of work per second of audio for each step, learned or prior.
struct StepSpeed {
    Step step;
    double seconds_per_audio_second = 0;
    double fixed_seconds = 0;  // start-up that does not grow with the audio
    std::string engine;        // learned with; empty: a prior
    std::string model;
    int samples = 0;  // units it was learned from
};
// What a machine of today needs before anything was measured.
StepSpeed prior_speed(Step step);
// The speed learned with just this engine and model, or guessed of it (no samples); else, where
// none are named yet, the one of the step learned from the most units; else the prior.
StepSpeed speed_for(Step step, std::string_view engine, std::string_view model,
                    std::span<const StepSpeed> speeds);

struct StepProgress {
    Step step;
    double weight = 0;    // share of the whole in percent; the steps' add up to 100
    int units_total = 0;  // 0 while the step has not opened
    int units_completed = 0;
    int units_failed = 0;
    double progress = 0;  // of this step, 0 to 100
};

// What is known of one step when progress is asked for.
struct StepFacts {
    Step step;
    Millis audio_total{0};  // to be worked through in this step; 0: not known yet
    Millis audio_done{0};   // ended units whole, running units as far as they reported
    int units_total = 0;
    int units_completed = 0;
    int units_failed = 0;
    int units_running = 0;
    bool ended = false;
    std::optional<double> share_done;  // in place of audio_done over audio_total
    // Of transcribe: each unit that is not ended, those that run first, then the others in the
    // order in which they start. Empty: only the sums above are known.
    struct UnitLeft {
        Millis audio{0};
        Millis wait{0};  // until it may start: its next attempt has a time
    };
    std::vector<UnitLeft> left;
    Millis wait{0};  // the same of a step of one unit
};

struct TaskProgress {
    double percent = 0;  // 0 to 100; 100 only where every step has ended
    std::vector<StepProgress> steps;
    std::optional<double>
        eta_seconds;  // until its end: of work on `slots` speech slots, and waiting; none: unknown
    std::optional<double> total_seconds;  // of work, of the whole task from its start
    // Of the whole task where one slot serves it: as long as it can be at work with others beside
    // it.
    std::optional<double> seconds_on_one_slot;
};

struct UnitSeconds {
    double work = 0;
    double wait = 0;  // before it may start
};
// How long `slots` need for these units, each taken in turn by the first slot that is free.
double seconds_on_slots(std::span<const UnitSeconds> units, int slots);

// With `worked_seconds`, the time in which the task was at work so far, `percent` is its share of
// that, of the work left and of `wait_seconds` for others. Without, it is weighted by predicted
// time where the media's duration is known. Before that by the prior weights, with acquire and
// extract held down to the least that they can weigh for any duration, so that `percent` does not
// fall when the duration becomes known. Monotonic in every fact: more audio done or a step ended
// never lowers `percent`. Speeds or slots that change may: the caller keeps the greatest of a run.
TaskProgress compute_progress(const TaskOptions& options, std::span<const StepFacts> facts,
                              std::optional<Millis> media_duration,
                              std::span<const StepSpeed> speeds, int speech_slots,
                              std::optional<double> worked_seconds = std::nullopt,
                              double wait_seconds = 0);

// A learned speed after one more unit, `samples` having been learned before: an exponentially
// weighted geometric mean that forgets slowly and is not thrown by a single outlier. The first
// measurement takes the place of the prior.
double learn_speed(double current, int samples, double measured);

}  // namespace durascribe::domain
