#include "durascribe/domain/pipeline.h"

#include <gtest/gtest.h>

#include <vector>

namespace durascribe::domain {
namespace {

std::vector<Step> listed(bool from_url, bool diarize) {
    const TaskOptions options{.diarize = diarize, .from_url = from_url};
    const auto steps = steps_for(options);
    return {steps.begin(), steps.end()};
}

TEST(Pipeline, StepsFollowTheOptions) {
    using enum Step;
    EXPECT_EQ(listed(false, false), (std::vector{extract, transcribe, finalize}));
    EXPECT_EQ(listed(false, true), (std::vector{extract, transcribe, diarize, finalize}));
    EXPECT_EQ(listed(true, false), (std::vector{acquire, extract, transcribe, finalize}));
    EXPECT_EQ(listed(true, true), (std::vector{acquire, extract, transcribe, diarize, finalize}));
}

TEST(Pipeline, NextStepWalksTheSteps) {
    for (const bool from_url : {false, true}) {
        for (const bool diarize : {false, true}) {
            const TaskOptions options{.diarize = diarize, .from_url = from_url};
            std::vector<Step> walked;
            for (std::optional<Step> s = steps_for(options)[0]; s; s = next_step(options, *s)) {
                walked.push_back(*s);
            }
            EXPECT_EQ(walked, listed(from_url, diarize));
        }
    }
}

TEST(Pipeline, WeightsAreOfTheStepsThatRun) {
    for (const bool from_url : {false, true}) {
        for (const bool diarize : {false, true}) {
            const TaskOptions options{.diarize = diarize, .from_url = from_url};
            const auto steps = steps_for(options);
            for (int i = 0; i < kSteps; ++i) {
                const auto step = static_cast<Step>(i);
                const bool runs = std::find(steps.begin(), steps.end(), step) != steps.end();
                EXPECT_EQ(weight_of(step, options) > 0, runs) << to_string(step);
            }
        }
    }
    EXPECT_EQ(weight_of(Step::transcribe, {}), 60);
}

TEST(Pipeline, TheSameWorkDiffersOnlyInWhenAndFromWhere) {
    TaskOptions other;
    other.priority = 7;
    other.from_step = Step::finalize;
    EXPECT_TRUE(same_work({}, other));
    other.language = "de";
    EXPECT_FALSE(same_work({}, other));
}

TEST(Pipeline, NamesRoundTripAndLanesAreNamed) {
    for (int i = 0; i < kSteps; ++i) {
        EXPECT_EQ(step_from(to_string(static_cast<Step>(i))), static_cast<Step>(i));
    }
    EXPECT_EQ(step_from("queued"), std::nullopt);
    EXPECT_EQ(to_string(lane_of(Step::extract)), "media");
    EXPECT_EQ(to_string(lane_of(Step::transcribe)), "speech");
    EXPECT_EQ(to_string(lane_of(Step::acquire)), "fetch");
    EXPECT_EQ(to_string(lane_of(Step::finalize)), "local");
}

TEST(Pipeline, StageTextIsWhatAPersonSees) {
    EXPECT_EQ(stage_text(Step::extract, 0, 1, false), "Waiting for a free slot");
    EXPECT_EQ(stage_text(Step::acquire, 0, 1, true), "Downloading");
    EXPECT_EQ(stage_text(Step::extract, 0, 1, true), "Loading audio");
    EXPECT_EQ(stage_text(Step::transcribe, 0, 0, true), "Preparing model");
    EXPECT_EQ(stage_text(Step::transcribe, 0, 1, true), "Transcribing");
    EXPECT_EQ(stage_text(Step::transcribe, 11, 40, true), "Transcribing 12 of 40");
    EXPECT_EQ(stage_text(Step::transcribe, 40, 40, true), "Transcribing 40 of 40");
    EXPECT_EQ(stage_text(Step::diarize, 0, 1, true), "Detecting speakers");
    EXPECT_EQ(stage_text(Step::finalize, 0, 1, true), "Finalizing");
    EXPECT_EQ(stage_text(Step::finalize, 1, 1, false), "Completed");
}

}  // namespace
}  // namespace durascribe::domain
