#include "durascribe/speech/utterances.h"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include "durascribe/speech/recognizer.h"

namespace durascribe::speech {
namespace {

constexpr std::size_t kMs = kSampleRateHz / 1000;

// Audio made of stretches; each tone is 440 Hz at the given peak, 0 is digital silence.
struct Audio {
    std::vector<std::int16_t> pcm;
    Audio& add(std::size_t ms, double peak) {
        for (std::size_t i = 0; i < ms * kMs; ++i) {
            const double t = static_cast<double>(pcm.size()) / kSampleRateHz;
            pcm.push_back(
                static_cast<std::int16_t>(peak * std::sin(2 * std::numbers::pi * 440 * t)));
        }
        return *this;
    }
};

TEST(SplitUtterances, OfNothingAndOfSilenceIsEmpty) {
    EXPECT_TRUE(split_utterances({}).empty());
    EXPECT_TRUE(split_utterances(Audio{}.add(5'000, 0).pcm).empty());
    EXPECT_TRUE(split_utterances(Audio{}.add(5'000, 8).pcm).empty());  // -72 dBFS
}

TEST(SplitUtterances, KeepsAMarginAndLeavesOutTheRestOfASilence) {
    const Audio audio =
        Audio{}.add(1'000, 0).add(500, 9'000).add(1'000, 0).add(700, 9'000).add(300, 0);
    EXPECT_EQ(split_utterances(audio.pcm),
              (std::vector<SampleRange>{{800 * kMs, 1'700 * kMs}, {2'300 * kMs, 3'400 * kMs}}));
}

TEST(SplitUtterances, SharesAPauseShorterThanTwoMargins) {
    const Audio audio = Audio{}.add(1'000, 9'000).add(300, 30).add(1'000, 9'000);
    EXPECT_EQ(split_utterances(audio.pcm),
              (std::vector<SampleRange>{{0, 1'150 * kMs}, {1'150 * kMs, 2'300 * kMs}}));
}

TEST(SplitUtterances, DoesNotSplitAtAShortPause) {
    const Audio audio = Audio{}.add(1'000, 9'000).add(200, 0).add(1'000, 9'000);
    EXPECT_EQ(split_utterances(audio.pcm), (std::vector<SampleRange>{{0, 2'200 * kMs}}));
}

TEST(SplitUtterances, HearsAPauseOverABackground) {
    const Audio audio = Audio{}.add(2'000, 12'000).add(600, 400).add(2'000, 12'000);
    EXPECT_EQ(split_utterances(audio.pcm).size(), 2U);
}

TEST(SplitUtterances, HearsAQuietSpeaker) {
    const Audio audio = Audio{}.add(1'000, 2).add(1'000, 150).add(1'000, 2).add(1'000, 150);
    EXPECT_EQ(split_utterances(audio.pcm).size(), 2U);
}

TEST(SplitUtterances, CutsALongUtteranceAtItsQuietestMoment) {
    const Audio audio = Audio{}.add(12'000, 9'000).add(150, 100).add(8'000, 9'000);
    const auto utterances = split_utterances(audio.pcm);
    ASSERT_EQ(utterances.size(), 2U);
    EXPECT_GE(utterances[0].end, 12'000 * kMs);
    EXPECT_LE(utterances[0].end, 12'150 * kMs);
    EXPECT_EQ(utterances[1].begin, utterances[0].end);
    EXPECT_EQ(utterances[1].end, audio.pcm.size());
}

TEST(SplitUtterances, NoneIsLongerThanTheLimitWithoutAnyPause) {
    const Audio audio = Audio{}.add(61'003, 9'000);
    std::size_t at = 0;
    for (const SampleRange& utterance : split_utterances(audio.pcm)) {
        EXPECT_EQ(utterance.begin, at);
        EXPECT_LE(utterance.size(), 15'000 * kMs);
        at = utterance.end;
    }
    EXPECT_EQ(at, audio.pcm.size());
}

}  // namespace
}  // namespace durascribe::speech
