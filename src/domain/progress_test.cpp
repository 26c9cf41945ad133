#include "durascribe/domain/progress.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <numeric>

namespace durascribe::domain {
namespace {

using std::chrono::seconds;

constexpr Millis kHour{3'600'000};

std::vector<StepFacts> nothing_done(const TaskOptions& options) {
    std::vector<StepFacts> facts;
    for (const Step s : steps_for(options)) {
        facts.push_back({.step = s});
    }
    return facts;
}

double weights(const TaskProgress& p) {
    return std::accumulate(p.steps.begin(), p.steps.end(), 0.0,
                           [](double sum, const StepProgress& s) { return sum + s.weight; });
}

TEST(Progress, ATaskWithoutFactsStandsAtZero) {
    const auto p = compute_progress({}, {}, std::nullopt, {}, 2);
    EXPECT_EQ(p.percent, 0);
    EXPECT_EQ(p.steps.size(), 3U);
    EXPECT_EQ(p.eta_seconds, std::nullopt);
    EXPECT_NEAR(weights(p), 100, 1e-9);
}

TEST(Progress, IsWeightedByPredictedTime) {
    auto facts = nothing_done({});
    facts[0].ended = true;
    facts[1] = {.step = Step::transcribe,
                .audio_total = kHour,
                .audio_done = kHour / 2,
                .units_total = 120,
                .units_completed = 60};
    // extract 3600·0.002 + 0.05 = 7.25 s, transcribe 3600·0.12/2 = 216 s, finalize 0.01 s
    const auto p = compute_progress({}, facts, kHour, {}, 2);
    EXPECT_NEAR(p.percent, 100 * (7.25 + 108) / 223.26, 1e-6);
    EXPECT_NEAR(*p.eta_seconds, 108.01, 1e-6);
    EXPECT_NEAR(p.steps[1].progress, 50, 1e-9);
    EXPECT_EQ(p.steps[1].units_completed, 60);
}

TEST(Progress, TheLastChunkHasOneSlotOnly) {
    auto facts = nothing_done({});
    facts[0].ended = true;
    facts[1] = {.step = Step::transcribe,
                .audio_total = seconds{60},
                .audio_done = seconds{30},
                .units_total = 2,
                .units_completed = 1,
                .left = {{.audio = seconds{30}}}};
    EXPECT_NEAR(*compute_progress({}, facts, seconds{60}, {}, 2).eta_seconds, 30 * 0.12 + 0.01,
                1e-9);
}

TEST(Progress, OnOneSlotATaskTakesAsLongAsItCanBesideOthers) {
    const auto p = compute_progress({}, nothing_done({}), kHour, {}, 8);
    EXPECT_NEAR(*p.total_seconds, 7.25 + 54 + 0.01, 1e-9);
    EXPECT_NEAR(*p.seconds_on_one_slot, 7.25 + 432 + 0.01, 1e-9);
    EXPECT_EQ(compute_progress({}, {}, std::nullopt, {}, 8).seconds_on_one_slot, std::nullopt);
}

TEST(Progress, UnitsGoToTheSlotThatIsFreeFirst) {
    EXPECT_EQ(seconds_on_slots({}, 2), 0);
    const std::vector<UnitSeconds> units = {{5}, {1}, {1}, {1}, {1}, {8}};
    EXPECT_EQ(seconds_on_slots(units, 1), 17);
    EXPECT_EQ(seconds_on_slots(units, 2), 12);  // 5 beside 1+1+1+1+8
    EXPECT_EQ(seconds_on_slots(units, 6), 8);
}

TEST(Progress, AUnitThatMustWaitKeepsTheEndWaitingNoLongerThanIsLeftOfIt) {
    const std::vector<UnitSeconds> units = {{5}, {3, 4}, {2, 20}};
    EXPECT_EQ(seconds_on_slots(std::span(units).first(2), 1), 8) << "its time comes meanwhile";
    EXPECT_EQ(seconds_on_slots(std::span(units).first(2), 2), 7);
    EXPECT_EQ(seconds_on_slots(units, 2), 22);
}

TEST(Progress, AStepOfOneUnitThatWaitsIsThatMuchFurtherFromItsEnd) {
    auto facts = nothing_done({});
    const double before = *compute_progress({}, facts, seconds{100}, {}, 1).eta_seconds;
    facts[0].wait = seconds{60};
    EXPECT_NEAR(*compute_progress({}, facts, seconds{100}, {}, 1).eta_seconds, before + 60, 1e-9);
    facts[0].ended = true;
    EXPECT_LT(*compute_progress({}, facts, seconds{100}, {}, 1).eta_seconds, before);
}

TEST(Progress, WithTheTimeWorkedItIsAShareOfTheTime) {
    auto facts = nothing_done({});
    facts[0].ended = true;
    facts[1] = {.step = Step::transcribe,
                .audio_total = seconds{100},
                .audio_done = seconds{50},
                .units_total = 2,
                .left = {{.audio = seconds{10}}, {.audio = seconds{40}}}};
    const std::vector<StepSpeed> speeds = {{Step::transcribe, 0.5, 0}};
    const auto p = compute_progress({}, facts, seconds{100}, speeds, 2, 60.0);
    EXPECT_NEAR(*p.eta_seconds, 20.01, 1e-9);
    EXPECT_NEAR(p.percent, 100 * 60 / 80.01, 1e-9);
    const auto waiting = compute_progress({}, facts, seconds{100}, speeds, 2, 60.0, 40.0);
    EXPECT_NEAR(*waiting.eta_seconds, 60.01, 1e-9);
    EXPECT_NEAR(waiting.percent, 100 * 60 / 120.01, 1e-9);
}

TEST(Progress, LearnedSpeedsTakeThePlaceOfThePriors) {
    const std::vector<StepSpeed> speeds = {{Step::transcribe, 1.0, 2.0}};
    const auto p = compute_progress({}, nothing_done({}), seconds{100}, speeds, 1);
    EXPECT_NEAR(*p.eta_seconds, 0.25 + 102 + 0.01, 1e-9);
}

TEST(Progress, HundredOnlyWhereEveryStepHasEnded) {
    auto facts = nothing_done({});
    for (auto& f : facts) {
        f.audio_total = f.audio_done = kHour;
        f.units_total = f.units_completed = 1;
    }
    facts[0].ended = facts[1].ended = true;
    EXPECT_LT(compute_progress({}, facts, kHour, {}, 1).percent, 100);
    facts[2].ended = true;
    const auto p = compute_progress({}, facts, kHour, {}, 1);
    EXPECT_EQ(p.percent, 100);
    EXPECT_EQ(p.eta_seconds, 0);
}

TEST(Progress, SpeedsThatMakeNoSenseDoNoHarm) {
    const std::vector<StepSpeed> speeds = {
        {Step::extract, -1, std::nan("")},
        {Step::transcribe, std::numeric_limits<double>::infinity(), 0},
        {Step::finalize, 0, 0}};
    const auto p = compute_progress({}, nothing_done({}), kHour, speeds, 0);
    EXPECT_NEAR(weights(p), 100, 1e-9);
    EXPECT_EQ(p.percent, 0);
}

// ---- properties -------------------------------------------------------------------------------

struct Scene {
    TaskOptions options;
    std::vector<StepSpeed> speeds;
    int slots = 1;
};

Scene any_scene() {
    Scene scene;
    scene.options.diarize = *rc::gen::arbitrary<bool>();
    scene.options.from_url = *rc::gen::arbitrary<bool>();
    scene.slots = *rc::gen::inRange(1, 17);
    for (int i = 0; i < kSteps; ++i) {
        if (*rc::gen::arbitrary<bool>()) {
            scene.speeds.push_back({static_cast<Step>(i), *rc::gen::inRange(0, 5000) / 1000.0,
                                    *rc::gen::inRange(0, 5000) / 100.0});
        }
    }
    return scene;
}

std::vector<StepFacts> any_facts(const TaskOptions& options) {
    auto facts = nothing_done(options);
    for (auto& f : facts) {
        f.audio_total = Millis{*rc::gen::inRange(0, 4'000'000)};
        f.audio_done = Millis{*rc::gen::inRange(0, 5'000'000)};
        f.units_total = *rc::gen::inRange(0, 100);
        f.units_completed = *rc::gen::inRange(0, f.units_total + 1);
        f.ended = *rc::gen::arbitrary<bool>();
    }
    return facts;
}

TEST(Progress, MoreDoneNeverShowsLess) {
    EXPECT_TRUE(rc::check("monotonic in every fact", [] {
        const Scene scene = any_scene();
        const std::optional<Millis> duration =
            *rc::gen::arbitrary<bool>() ? std::optional(Millis{*rc::gen::inRange(0, 4'000'000)})
                                        : std::nullopt;
        auto facts = any_facts(scene.options);
        const std::optional<double> worked = *rc::gen::arbitrary<bool>()
                                                 ? std::optional(*rc::gen::inRange(0, 5000) / 10.0)
                                                 : std::nullopt;
        const auto before =
            compute_progress(scene.options, facts, duration, scene.speeds, scene.slots, worked);
        auto& f = facts[*rc::gen::inRange<std::size_t>(0, facts.size())];
        switch (*rc::gen::inRange(0, 3)) {
            case 0:
                f.audio_done += Millis{*rc::gen::inRange(0, 100'000)};
                break;
            case 1:
                f.units_completed = std::min(f.units_total, f.units_completed + 1);
                break;
            default:
                f.ended = true;
        }
        const auto after =
            compute_progress(scene.options, facts, duration, scene.speeds, scene.slots, worked);
        RC_ASSERT(after.percent >= before.percent - 1e-9);
        RC_ASSERT((after.percent >= 0 && after.percent <= 100));
        RC_ASSERT(std::abs(weights(after) - 100) < 1e-6);
    }));
}

TEST(Progress, LearningTheDurationNeverShowsLess) {
    EXPECT_TRUE(rc::check("acquire and extract under the priors ≤ under time", [] {
        const Scene scene = any_scene();
        auto facts = any_facts(scene.options);
        for (auto& f : facts) {
            if (f.step > Step::extract) {
                f = {.step = f.step};
            }
        }
        const auto before =
            compute_progress(scene.options, facts, std::nullopt, scene.speeds, scene.slots);
        const Millis duration{*rc::gen::inRange(1, 40'000'000)};
        const auto after =
            compute_progress(scene.options, facts, duration, scene.speeds, scene.slots);
        RC_ASSERT(after.percent >= before.percent - 1e-9);
    }));
}

TEST(SpeedFor, AGuessIsOfItsModelAlone) {
    const std::array speeds{StepSpeed{.step = Step::transcribe,
                                      .seconds_per_audio_second = 4,
                                      .engine = "whisper",
                                      .model = "large"},
                            StepSpeed{.step = Step::transcribe,
                                      .seconds_per_audio_second = 0.2,
                                      .engine = "pocketsphinx",
                                      .model = "en-us",
                                      .samples = 3}};
    const auto seconds = [](const StepSpeed& s) { return s.seconds_per_audio_second; };
    EXPECT_EQ(seconds(speed_for(Step::transcribe, "whisper", "large", speeds)), 4);
    EXPECT_EQ(seconds(speed_for(Step::transcribe, "", "", speeds)), 0.2);
    EXPECT_EQ(seconds(speed_for(Step::transcribe, "", "", std::span{speeds}.first(1))),
              prior_speed(Step::transcribe).seconds_per_audio_second);
}

TEST(LearnSpeed, TakesTheFirstMeasurementAndThenForgetsSlowly) {
    EXPECT_EQ(learn_speed(0.12, 0, 0.5), 0.5);
    double speed = 0.5;
    for (int i = 1; i < 40; ++i) {
        speed = learn_speed(speed, i, 0.1);
    }
    EXPECT_NEAR(speed, 0.1, 0.02);
}

TEST(LearnSpeed, OneOutlierMovesItByLessThanAFifth) {
    EXPECT_LT(learn_speed(0.1, 50, 1000), 0.12);
    EXPECT_GT(learn_speed(0.1, 50, 0.000001), 0.08);
    EXPECT_EQ(learn_speed(0.1, 50, 0), 0.1);
    EXPECT_EQ(learn_speed(0.1, 50, std::nan("")), 0.1);
}

}  // namespace
}  // namespace durascribe::domain
