#include "durascribe/engine/view_builder.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace durascribe::engine {
namespace {

struct StepUnits {
    domain::StepFacts facts;
    StepView view;
    int waiting = 0;  // for their next attempt
    int pending = 0;
    int cancelled = 0;
    bool preparing = false;
};

void note_times(StepView& view, const ports::UnitRow& unit) {
    if (unit.started_at && (!view.started_at || *unit.started_at < *view.started_at)) {
        view.started_at = unit.started_at;
    }
    if (unit.completed_at && (!view.completed_at || *unit.completed_at > *view.completed_at)) {
        view.completed_at = unit.completed_at;
    }
    if (unit.error && (unit.state != domain::UnitState::completed)) {
        view.error = unit.error;
    }
}

Millis done_of(const ports::UnitRow& unit, const std::vector<LiveUnit>& live) {
    switch (unit.state) {
        case domain::UnitState::completed:
        case domain::UnitState::failed:
            return unit.span.length();
        case domain::UnitState::processing:
            break;
        case domain::UnitState::pending:
        case domain::UnitState::cancelled:
            return Millis{0};
    }
    const auto running = std::ranges::find(live, unit.id, &LiveUnit::unit);
    const Millis done = running != live.end() ? running->audio_done : unit.audio_done;
    return unit.step == domain::Step::transcribe ? std::min(done, unit.span.length()) : done;
}

StepUnits gather(domain::Step step, const ViewFacts& facts) {
    StepUnits s;
    s.facts.step = step;
    for (const ports::UnitRow& unit : facts.units) {
        if (unit.step != step) {
            continue;
        }
        ++s.facts.units_total;
        s.facts.audio_total += unit.span.length();
        s.facts.audio_done += done_of(unit, facts.live);
        note_times(s.view, unit);
        switch (unit.state) {
            case domain::UnitState::completed:
                ++s.facts.units_completed;
                break;
            case domain::UnitState::failed:
                ++s.facts.units_failed;
                break;
            case domain::UnitState::cancelled:
                ++s.cancelled;
                break;
            case domain::UnitState::processing: {
                ++s.facts.units_running;
                const auto running = std::ranges::find(facts.live, unit.id, &LiveUnit::unit);
                s.preparing = s.preparing || (running != facts.live.end() && running->preparing);
                break;
            }
            case domain::UnitState::pending:
                ++s.pending;
                s.waiting += unit.not_before ? 1 : 0;
                break;
        }
    }
    s.facts.ended = s.facts.units_total > 0 &&
                    s.facts.units_completed + s.facts.units_failed == s.facts.units_total;
    if (step != domain::Step::transcribe && s.facts.units_total > 0) {
        s.facts.audio_total = facts.media_duration.value_or(Millis{0});
        if (s.facts.ended) {
            s.facts.audio_done = s.facts.audio_total;
        }
    }
    return s;
}

// Of each step the speed with this task's engine and model.
std::vector<domain::StepSpeed> speeds_of_task(const ViewFacts& facts) {
    std::vector<domain::StepSpeed> speeds;
    for (const domain::Step step : domain::steps_for(facts.row.options)) {
        const bool speech = step == domain::Step::transcribe;
        speeds.push_back(domain::speed_for(step, speech ? facts.row.engine : "",
                                           speech ? facts.row.model : "", facts.speeds));
    }
    return speeds;
}

// What chunks of this task have taken lately: those that run, and a few of those that ended.
struct Pace {
    double seconds = 0;
    double audio_seconds = 0;
};

Pace pace_of(const ViewFacts& facts) {
    constexpr Millis kWorthSomething{1'000};
    Pace pace;
    const auto add = [&](Millis took, Millis audio) {
        pace.seconds += std::chrono::duration<double>(took).count();
        pace.audio_seconds += std::chrono::duration<double>(audio).count();
    };
    for (const LiveUnit& live : facts.live) {
        const auto unit = std::ranges::find(facts.units, live.unit, &ports::UnitRow::id);
        if (unit != facts.units.end() && unit->step == domain::Step::transcribe &&
            live.pace.audio >= kWorthSomething) {
            add(std::max(live.pace.time, Millis{1}), live.pace.audio);
        }
    }
    std::vector<const ports::UnitRow*> ended;
    for (const ports::UnitRow& unit : facts.units) {
        // Of one that was claimed more than once the rows don't say how long the last time took:
        // started_at is of the first, before a restart, a drain or a retry, perhaps days ago (those
        // spend no attempt, or the count begins anew).
        if (unit.step == domain::Step::transcribe && unit.state == domain::UnitState::completed &&
            unit.lease == 1 && unit.started_at && unit.completed_at > unit.started_at) {
            ended.push_back(&unit);
        }
    }
    const auto lately =
        std::min(ended.size(), std::size_t{2} * static_cast<std::size_t>(facts.speech_slots));
    std::ranges::partial_sort(ended, ended.begin() + static_cast<std::ptrdiff_t>(lately),
                              std::greater{},
                              [](const ports::UnitRow* unit) { return *unit->completed_at; });
    for (std::size_t i = 0; i < lately; ++i) {
        add(*ended[i]->completed_at - *ended[i]->started_at, ended[i]->span.length());
    }
    return pace;
}

// The speed of recognition as it is just now, on this file and beside whatever else this machine
// does: what was learned before, or guessed, gives way to it as it becomes worth something.
void heed_pace(std::vector<domain::StepSpeed>& speeds, const ViewFacts& facts) {
    const Pace pace = pace_of(facts);
    if (pace.audio_seconds <= 0 || pace.seconds <= 0) {
        return;
    }
    auto speed = std::ranges::find(speeds, domain::Step::transcribe, &domain::StepSpeed::step);
    if (speed == speeds.end()) {
        speed = speeds.insert(speeds.end(), domain::prior_speed(domain::Step::transcribe));
    }
    if (speed->seconds_per_audio_second <= 0) {
        return;
    }
    // Recordings differ by more than their first seconds do from the rest: half a second is enough
    // to be believed as much as all that came before, half of the audio to be believed alone.
    constexpr double kOwnSeconds = 0.25;
    double audio_seconds = 0;
    for (const ports::UnitRow& unit : facts.units) {
        if (unit.step == domain::Step::transcribe) {
            audio_seconds += std::chrono::duration<double>(unit.span.length()).count();
        }
    }
    const double trust = std::clamp(2 * pace.audio_seconds / audio_seconds,
                                    pace.seconds / (pace.seconds + kOwnSeconds), 1.0);
    const double now = pace.seconds / pace.audio_seconds;
    speed->seconds_per_audio_second *= std::pow(now / speed->seconds_per_audio_second, trust);
}

// How long a running unit has been at work: as long as its worker was heard of, and since then no
// longer than what is left of it is predicted to take. Time passes also where a worker hangs.
Millis time_at_work(const ports::UnitRow& unit, const ViewFacts& facts) {
    const auto running = std::ranges::find(facts.live, unit.id, &LiveUnit::unit);
    const Millis heard = running != facts.live.end() ? running->pace.time : Millis{0};
    const auto speed = std::ranges::find(facts.speeds, unit.step, &domain::StepSpeed::step);
    const Millis audio =
        unit.step == domain::Step::transcribe ? unit.span.length() : *facts.media_duration;
    const Millis left = std::max(Millis{0}, audio - done_of(unit, facts.live));
    const Millis predicted =
        speed == facts.speeds.end()
            ? Millis{0}
            : std::chrono::duration_cast<Millis>(left * speed->seconds_per_audio_second) +
                  Millis{static_cast<std::int64_t>(1000 * speed->fixed_seconds)};
    return std::clamp(facts.now - *unit.started_at, heard, heard + predicted);
}

// The time in which units of the task were at work in this run. The clock may have been set: it is
// not believed for more than the supervisor counted and a pause of the store may have kept from it.
// None before the duration is known, and after a retry, of which only a part is to be done.
std::optional<double> worked_seconds(const ViewFacts& facts) {
    constexpr Millis kNotCounted{30'000};
    if (facts.row.run_number != 1 || !facts.media_duration) {
        return std::nullopt;
    }
    std::vector<std::pair<WallTime, WallTime>> at_work;
    for (const ports::UnitRow& unit : facts.units) {
        if (unit.started_at) {
            at_work.emplace_back(*unit.started_at,
                                 unit.state == domain::UnitState::processing
                                     ? *unit.started_at + time_at_work(unit, facts)
                                     : unit.completed_at.value_or(*unit.started_at));
        }
    }
    std::ranges::sort(at_work);
    Millis sum{0};
    WallTime until{};
    for (const auto& [from, to] : at_work) {
        sum += std::max(Millis{0}, to - std::max(from, until));
        until = std::max(until, to);
    }
    return std::chrono::duration<double>(std::min(sum, facts.row.worked + kNotCounted)).count();
}

// Until its next attempt may begin.
Millis wait_of(const ports::UnitRow& unit, WallTime now) {
    return unit.state == domain::UnitState::pending && unit.not_before
               ? std::max(Millis{0}, Millis{*unit.not_before - now})
               : Millis{0};
}

// Those that run first, then those that may, and then those that wait for their next attempt, by
// its time.
std::vector<domain::StepFacts::UnitLeft> units_left(const ViewFacts& facts) {
    std::vector<domain::StepFacts::UnitLeft> left;
    std::vector<domain::StepFacts::UnitLeft> later;
    for (const bool running : {true, false}) {
        for (const ports::UnitRow& unit : facts.units) {
            const auto state = running ? domain::UnitState::processing : domain::UnitState::pending;
            if (unit.step == domain::Step::transcribe && unit.state == state) {
                const Millis wait = wait_of(unit, facts.now);
                (wait > Millis{0} ? later : left)
                    .push_back(
                        {.audio = unit.span.length() - done_of(unit, facts.live), .wait = wait});
            }
        }
    }
    std::ranges::sort(later, {}, &domain::StepFacts::UnitLeft::wait);
    left.insert(left.end(), later.begin(), later.end());
    return left;
}

// The one unit of a step that has but one.
Millis wait_of_step(domain::Step step, const ViewFacts& facts) {
    const auto unit = std::ranges::find(facts.units, step, &ports::UnitRow::step);
    return unit == facts.units.end() ? Millis{0} : wait_of(*unit, facts.now);
}

// When there will be room, nobody knows.
bool waits_for_room(const ViewFacts& facts) {
    return std::ranges::any_of(facts.units, [&](const ports::UnitRow& unit) {
        return wait_of(unit, facts.now) > Millis{0} && unit.error &&
               unit.error->cls == ErrorClass::storage;
    });
}

std::string status_of(const StepUnits& s) {
    if (s.facts.units_total == 0) {
        return "pending";
    }
    if (s.facts.units_running > 0) {
        return "processing";
    }
    if (s.waiting > 0) {
        return "retrying";
    }
    if (s.pending > 0) {
        return s.facts.units_completed + s.facts.units_failed > 0 ? "processing" : "pending";
    }
    if (s.cancelled > 0) {
        return "cancelled";
    }
    if (s.facts.units_failed == 0) {
        return "completed";
    }
    return s.facts.units_completed > 0 ? "partial_failure" : "failed";
}

std::string stage_of(const ViewFacts& facts, const std::vector<StepUnits>& steps,
                     int chunks_total) {
    const ports::TaskRow& row = facts.row;
    switch (row.state) {
        case domain::TaskState::completed:
            return chunks_total == 0 ? "Completed: no speech was found" : "Completed";
        case domain::TaskState::partial_failure:
            return "Completed, with parts missing";
        case domain::TaskState::failed:
            return "Failed";
        case domain::TaskState::cancelled:
            return "Cancelled";
        case domain::TaskState::retrying:
            if (row.next_attempt_at && *row.next_attempt_at <= facts.now) {
                return "Waiting for a free slot";
            }
            if (row.error && row.error->cls == ErrorClass::storage) {
                return "Waiting for room on the disk";
            }
            return "Waiting for the next attempt";
        case domain::TaskState::pending:
        case domain::TaskState::processing:
            break;
    }
    if (row.cancel_requested_at) {
        return "Stopping";
    }
    // The step at work: the last that has opened and not ended.
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
        const domain::StepFacts& f = step->facts;
        if (f.units_total == 0 || f.ended) {
            continue;
        }
        if (step->preparing && f.units_completed == 0 && f.audio_done == Millis{0} &&
            f.step == domain::Step::transcribe) {
            return "Preparing model";
        }
        // Finalizing waits for nobody worth telling of.
        return domain::stage_text(f.step, f.units_completed + f.units_failed, f.units_total,
                                  f.units_running > 0 || f.step == domain::Step::finalize);
    }
    return "Waiting for a free slot";
}

// Its end, and perhaps its next start, come after the queue is resumed: nobody knows when.
bool waits_for_resume(const ViewFacts& facts, const std::vector<StepUnits>& steps) {
    return facts.paused && std::ranges::any_of(steps, [](const StepUnits& step) {
               return !step.facts.ended && (step.pending > 0 || step.facts.units_total == 0);
           });
}

}  // namespace

TaskView build_view(ViewFacts facts) {
    std::vector<StepUnits> steps;
    std::vector<domain::StepFacts> step_facts;
    for (const domain::Step step : domain::steps_for(facts.row.options)) {
        steps.push_back(gather(step, facts));
    }
    // A step that was passed over (silence only: nothing to transcribe) has ended when a later one
    // opened.
    bool later_opened = false;
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
        if (step->facts.units_total == 0 &&
            (later_opened || facts.row.state == domain::TaskState::completed)) {
            step->facts.ended = true;
        }
        later_opened = later_opened || step->facts.units_total > 0;
    }
    for (const StepUnits& step : steps) {
        step_facts.push_back(step.facts);
        // A step whose audio is known before it opens.
        if (step.facts.units_total == 0 && !step.facts.ended) {
            step_facts.back().audio_total = facts.media_duration.value_or(Millis{0});
        }
        if (step.facts.step == domain::Step::transcribe) {
            step_facts.back().left = units_left(facts);
        } else {
            step_facts.back().wait = wait_of_step(step.facts.step, facts);
        }
        if (step.facts.step == domain::Step::acquire && facts.download) {
            const auto& [done, total] = *facts.download;
            step_facts.back().share_done =
                total.value_or(0) > 0 ? static_cast<double>(done) / static_cast<double>(*total) : 0;
        }
    }
    facts.speeds = speeds_of_task(facts);
    heed_pace(facts.speeds, facts);
    const double per_unit = facts.seconds_per_unit / std::max(1, facts.lane_slots);
    domain::TaskProgress progress = domain::compute_progress(
        facts.row.options, step_facts, facts.media_duration, facts.speeds, facts.speech_slots,
        worked_seconds(facts), per_unit * facts.units_before_end + facts.held_back_seconds);
    const bool for_room = waits_for_room(facts);
    const bool for_resume = waits_for_resume(facts, steps);
    TaskView view;
    view.predicted_seconds = progress.total_seconds;
    view.predicted_seconds_on_one_slot = progress.seconds_on_one_slot;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        StepUnits& step = steps[i];
        step.view.progress = i < progress.steps.size() ? progress.steps[i] : domain::StepProgress{};
        step.view.status =
            step.facts.ended && step.facts.units_total == 0 ? "completed" : status_of(step);
        if (!domain::is_terminal(facts.row.state) && step.view.status != "completed" &&
            step.view.status != "partial_failure" && step.view.status != "failed") {
            step.view.completed_at.reset();
        }
        if (step.facts.step == domain::Step::transcribe) {
            view.chunks_total = step.facts.units_total;
            view.chunks_completed = step.facts.units_completed;
            view.chunks_failed = step.facts.units_failed;
        }
        view.steps.push_back(std::move(step.view));
    }
    view.stage = facts.paused && facts.queue_position ? "Waiting: the queue is paused"
                                                      : stage_of(facts, steps, view.chunks_total);
    if (facts.row.state == domain::TaskState::completed) {
        view.percent = 100;
    } else if (domain::is_terminal(facts.row.state) || facts.row.cancel_requested_at) {
        // Where it ended, or ends: what was cancelled is no longer left, and is not done.
        view.percent = facts.row.progress;
    } else {
        view.percent = std::max(facts.row.progress, progress.percent);
    }
    if (!domain::is_terminal(facts.row.state)) {
        if (!facts.row.cancel_requested_at && !for_resume && !for_room) {
            view.eta_seconds = progress.eta_seconds;
        }
        view.queue_position = facts.queue_position;
        if (facts.queue_position && !for_resume) {
            // The slots are busy, each half way through its unit as likely as not.
            view.estimated_start_seconds =
                facts.held_back_seconds + per_unit * (facts.units_before_next + 0.5);
        }
    }
    view.download = facts.download;
    view.row = std::move(facts.row);
    return view;
}

}  // namespace durascribe::engine
