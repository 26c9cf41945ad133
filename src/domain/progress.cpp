#include "durascribe/domain/progress.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "durascribe/base/error.h"

namespace durascribe::domain {
namespace {

// What is not ended never looks it, however much of it was reported done.
constexpr double kAlmost = 0.999;

double sane(double seconds) {
    return std::isfinite(seconds) && seconds > 0 ? seconds : 0;
}

double seconds_of(Millis t) {
    return static_cast<double>(std::max(t, Millis{0}).count()) / 1000.0;
}

struct Plan {
    Step step{};
    double per_audio_second = 0;  // transcribe: on all slots together
    double on_one_slot = 0;       // the same of a unit by itself
    double fixed = 0;
    double prior_weight = 0;
    double share = 0;  // of the whole, the steps' add up to 1
    StepFacts facts;
};

StepSpeed speed_of(Step step, std::span<const StepSpeed> speeds) {
    for (const auto& s : speeds) {
        if (s.step == step) {
            return {step, sane(s.seconds_per_audio_second), sane(s.fixed_seconds)};
        }
    }
    return prior_speed(step);
}

double fraction_of(const StepFacts& f) {
    if (f.ended) {
        return 1;
    }
    double done = 0;
    if (f.share_done) {
        done = *f.share_done;
    } else if (f.audio_total > Millis{0}) {
        done = seconds_of(f.audio_done) / seconds_of(f.audio_total);
    } else if (f.units_total > 0) {
        done = static_cast<double>(f.units_completed + f.units_failed) / f.units_total;
    }
    return std::clamp(done, 0.0, kAlmost);
}

void share_by_time(std::vector<Plan>& plans, double media_seconds) {
    double total = 0;
    for (auto& p : plans) {
        p.share = p.per_audio_second * media_seconds + p.fixed;
        total += p.share;
    }
    for (auto& p : plans) {
        p.share /= total;
    }
}

// Before the duration is known. A step's share of the time, (a·d + b) / (A·d + B), runs from b/B to
// a/A as the duration d grows, never outside them. The steps that run before the duration is known
// get no more than the lesser of the two: then what they have done can only gain when it is.
void share_by_prior(std::vector<Plan>& plans) {
    double per_second = 0;
    double fixed = 0;
    double weights = 0;
    for (const auto& p : plans) {
        per_second += p.per_audio_second;
        fixed += p.fixed;
        weights += p.prior_weight;
    }
    double left = 1;
    double weights_left = 0;
    for (auto& p : plans) {
        if (p.step > Step::extract) {
            weights_left += p.prior_weight;
            continue;
        }
        p.share = p.prior_weight / weights;
        if (per_second > 0) {
            p.share = std::min(p.share, p.per_audio_second / per_second);
        }
        if (fixed > 0) {
            p.share = std::min(p.share, p.fixed / fixed);
        }
        left -= p.share;
    }
    for (auto& p : plans) {
        if (p.step > Step::extract) {
            p.share = left * p.prior_weight / weights_left;
        }
    }
}

double seconds_left(const Plan& p, double media_seconds, int slots) {
    if (!p.facts.ended && !p.facts.left.empty()) {
        std::vector<UnitSeconds> units;
        units.reserve(p.facts.left.size());
        for (const StepFacts::UnitLeft& unit : p.facts.left) {
            units.push_back({p.on_one_slot * seconds_of(unit.audio), seconds_of(unit.wait)});
        }
        return seconds_on_slots(units, slots) + p.fixed * (1 - fraction_of(p.facts));
    }
    const double left = 1 - (p.facts.ended ? 1 : fraction_of(p.facts));
    const double audio =
        p.facts.audio_total > Millis{0} ? seconds_of(p.facts.audio_total) : media_seconds;
    return (p.facts.ended ? 0 : seconds_of(p.facts.wait)) +
           left * (p.per_audio_second * audio + p.fixed);
}

}  // namespace

double seconds_on_slots(std::span<const UnitSeconds> units, int slots) {
    std::vector<double> free_at(static_cast<std::size_t>(std::max(slots, 1)), 0.0);
    for (const UnitSeconds& unit : units) {  // a heap whose first is free the soonest
        std::ranges::pop_heap(free_at, std::greater{});
        free_at.back() = std::max(free_at.back(), unit.wait) + unit.work;
        std::ranges::push_heap(free_at, std::greater{});
    }
    return std::ranges::max(free_at);
}

StepSpeed prior_speed(Step step) {
    switch (step) {
        case Step::acquire:
            return {step, 0.02, 1.0};
        case Step::extract:
            return {step, 0.002, 0.05};
        case Step::transcribe:
            return {step, 0.12, 0.0};
        case Step::diarize:
            return {step, 0.05, 0.5};
        case Step::finalize:
            return {step, 0.0, 0.01};
    }
    DURASCRIBE_ASSERT(false && "unknown Step");
}

StepSpeed speed_for(Step step, std::string_view engine, std::string_view model,
                    std::span<const StepSpeed> speeds) {
    const StepSpeed* best = nullptr;
    for (const StepSpeed& s : speeds) {
        if (s.step != step ||
            (engine.empty() ? s.samples == 0 : s.engine != engine || s.model != model)) {
            continue;
        }
        if (best == nullptr || s.samples > best->samples) {
            best = &s;
        }
    }
    return best != nullptr ? *best : prior_speed(step);
}

TaskProgress compute_progress(const TaskOptions& options, std::span<const StepFacts> facts,
                              std::optional<Millis> media_duration,
                              std::span<const StepSpeed> speeds, int speech_slots,
                              std::optional<double> worked_seconds, double wait_seconds) {
    const int slots = std::max(speech_slots, 1);
    std::vector<Plan> plans;
    double seconds_in_all = 0;
    double seconds_on_one_slot = 0;
    const bool timed = media_duration && *media_duration > Millis{0};
    const double media_seconds = timed ? seconds_of(*media_duration) : 0;
    for (const Step step : steps_for(options)) {
        Plan p{.step = step};
        const StepSpeed speed = speed_of(step, speeds);
        p.per_audio_second =
            speed.seconds_per_audio_second / (step == Step::transcribe ? slots : 1);
        p.on_one_slot = speed.seconds_per_audio_second;
        p.fixed = speed.fixed_seconds;
        p.prior_weight = weight_of(step, options);
        p.facts.step = step;
        for (const auto& f : facts) {
            if (f.step == step) {
                p.facts = f;
            }
        }
        seconds_in_all += p.per_audio_second * media_seconds + p.fixed;
        seconds_on_one_slot += p.on_one_slot * media_seconds + p.fixed;
        plans.push_back(p);
    }
    if (timed && seconds_in_all > 0) {
        share_by_time(plans, media_seconds);
    } else {
        share_by_prior(plans);
    }

    TaskProgress progress;
    bool all_ended = true;
    double eta = sane(wait_seconds);
    for (const auto& p : plans) {
        const double fraction = fraction_of(p.facts);
        all_ended = all_ended && p.facts.ended;
        progress.percent += 100 * p.share * fraction;
        eta += seconds_left(p, media_seconds, slots);
        progress.steps.push_back({p.step, 100 * p.share, p.facts.units_total,
                                  p.facts.units_completed, p.facts.units_failed, 100 * fraction});
    }
    if (timed && worked_seconds && *worked_seconds > 0) {
        progress.percent = 100 * *worked_seconds / (*worked_seconds + eta);
    }
    progress.percent = all_ended ? 100 : std::min(progress.percent, 100 * kAlmost);
    if (all_ended) {
        progress.eta_seconds = 0;
    } else if (timed) {
        progress.eta_seconds = eta;
    }
    if (timed) {
        progress.total_seconds = seconds_in_all;
        progress.seconds_on_one_slot = seconds_on_one_slot;
    }
    return progress;
}

double learn_speed(double current, int samples, double measured) {
    if (!std::isfinite(measured) || measured <= 0) {
        return current;
    }
    if (samples <= 0 || !std::isfinite(current) || current <= 0) {
        return measured;
    }
    // In logarithms, so that ten times too slow and ten times too fast weigh the same.
    constexpr double kForget = 0.1;
    constexpr int kTrusted = 5;
    constexpr double kOutlier = 4;
    double ratio = std::log(measured / current);
    if (samples >= kTrusted) {
        ratio = std::clamp(ratio, -std::log(kOutlier), std::log(kOutlier));
    }
    return current * std::exp(std::max(kForget, 1.0 / (samples + 1)) * ratio);
}

}  // namespace durascribe::domain
