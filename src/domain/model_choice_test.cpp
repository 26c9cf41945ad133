#include "durascribe/domain/model_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace durascribe::domain {
namespace {

constexpr std::int64_t kMb = 1 << 20;

const std::vector<ModelCandidate> kInstalled = {
    {.engine = "whisper",
     .model = "tiny",
     .memory_bytes = 200 * kMb,
     .accuracy = 1,
     .seconds_per_audio_second = 0.1},
    {.engine = "whisper",
     .model = "base",
     .memory_bytes = 400 * kMb,
     .accuracy = 2,
     .seconds_per_audio_second = 0.5},
    {.engine = "whisper",
     .model = "large",
     .memory_bytes = 4000 * kMb,
     .accuracy = 3,
     .seconds_per_audio_second = 1.5},
    {.engine = "pocketsphinx",
     .model = "en-us",
     .memory_bytes = 110 * kMb,
     .accuracy = 0,
     .languages = {"en-US"},
     .seconds_per_audio_second = 0.12},
};

ModelQuestion question(Millis duration) {
    return {.language = "en", .duration = duration, .signal_to_noise_db = 30};
}

std::string chosen(const ModelQuestion& q) {
    const auto choice = choose_model(q, kInstalled);
    return choice ? choice->model : "none";
}

TEST(ModelChoice, AShortRecordingGetsTheMostAccurateModel) {
    EXPECT_EQ(chosen(question(std::chrono::seconds{60})), "large");
}

TEST(ModelChoice, ALongOneGetsTheMostAccurateThatKeepsUpWithIt) {
    EXPECT_EQ(chosen(question(std::chrono::hours{10})), "base");
}

TEST(ModelChoice, HardAudioIsWorthMoreTime) {
    ModelQuestion q = question(std::chrono::hours{1});
    EXPECT_EQ(chosen(q), "base");
    q.signal_to_noise_db = 5;
    EXPECT_EQ(chosen(q), "large");
}

TEST(ModelChoice, WhatDoesNotFitTheMemoryIsPassedOver) {
    ModelQuestion q = question(std::chrono::seconds{60});
    q.memory_limit_bytes = 2000 * kMb;
    EXPECT_EQ(chosen(q), "base");
    q.memory_free_bytes = 300 * kMb;
    EXPECT_EQ(chosen(q), "tiny");
    q.memory_free_bytes = 10 * kMb;
    EXPECT_EQ(chosen(q), "en-us") << "the smallest, which may fail and say why";
}

TEST(ModelChoice, WhatIsAskedForIsTaken) {
    ModelQuestion q = question(std::chrono::hours{10});
    q.model = "large";
    const auto choice = choose_model(q, kInstalled);
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->model, "large");
    EXPECT_EQ(choice->reason, "") << "nothing was chosen";
    q.model = "medium";
    EXPECT_FALSE(choose_model(q, kInstalled));
    q = question(std::chrono::hours{1});
    q.engine = "pocketsphinx";
    EXPECT_EQ(chosen(q), "en-us");
    q.language = "de";
    EXPECT_FALSE(choose_model(q, kInstalled)) << "it speaks English only";
}

// The error's code, a colon, its message; "" where nothing is refused.
std::string refusal(const std::string& engine, const std::string& model,
                    const std::string& language = "en") {
    const auto checked = check_installed(engine, model, language, kInstalled);
    return checked ? "" : checked.error().code + ": " + checked.error().message;
}

TEST(CheckInstalled, WhatIsThereMayBeAskedFor) {
    EXPECT_EQ(refusal("auto", "auto"), "");
    EXPECT_EQ(refusal("whisper", "auto", "de"), "");
    EXPECT_EQ(refusal("auto", "base"), "");
    for (const char* english : {"en", "EN", "en-GB", "en_US", "auto", ""}) {
        EXPECT_EQ(refusal("pocketsphinx", "en-us", english), "") << english;
    }
    EXPECT_TRUE(check_installed("any", "any", "xx", {}).has_value())
        << "the recogniser says how to get a first model";
}

TEST(CheckInstalled, WhatIsNotThereIsNamedBesideWhatIs) {
    EXPECT_EQ(refusal("kaldi", "auto"),
              "unknown_engine: There is no engine \"kaldi\" here. Installed: whisper tiny (any "
              "language), whisper base (any language), whisper large (any language), pocketsphinx "
              "en-us (en-US). Choose one of these, or auto.");
    EXPECT_EQ(refusal("pocketsphinx", "base"),
              "unknown_model: There is no model \"base\" here. Installed: pocketsphinx en-us "
              "(en-US). Choose one of these, or auto.");
    EXPECT_EQ(refusal("pocketsphinx", "auto", "de").substr(0, 21), "unsupported_language:");
    EXPECT_EQ(refusal("auto", "en-us", "de").substr(0, 21), "unsupported_language:");
}

TEST(ModelChoice, EveryChoiceSaysWhy) {
    const auto choice = choose_model(question(std::chrono::hours{10}), kInstalled);
    ASSERT_TRUE(choice);
    EXPECT_THAT(choice->reason, ::testing::HasSubstr("base is the most accurate of 4"));
}

TEST(ModelChoice, TheNextSmallerIsTheBestThatNeedsLess) {
    EXPECT_EQ(next_smaller_model("whisper", "large", "en", kInstalled), "base");
    EXPECT_EQ(next_smaller_model("whisper", "base", "en", kInstalled), "tiny");
    EXPECT_EQ(next_smaller_model("whisper", "tiny", "en", kInstalled), std::nullopt);
    EXPECT_EQ(next_smaller_model("whisper", "unknown", "en", kInstalled), std::nullopt);
}

TEST(SignalToNoise, IsTheLoudTenthAgainstTheQuiet) {
    WaveformPeaks peaks;
    for (int i = 0; i < 100; ++i) {
        const auto loud = static_cast<std::int8_t>(i < 50 ? 10 : 100);
        peaks.min_max.push_back(static_cast<std::int8_t>(-loud));
        peaks.min_max.push_back(loud);
    }
    EXPECT_NEAR(estimate_signal_to_noise_db(peaks), 20, 0.1);
    EXPECT_EQ(estimate_signal_to_noise_db({}), 0);
}

}  // namespace
}  // namespace durascribe::domain
