#include "durascribe/engine/model_memory.h"

#include <gtest/gtest.h>

namespace durascribe::engine {
namespace {

constexpr std::int64_t kUnknown = 200;

ModelMemory memory() {
    return {
        [] {
            return std::vector<domain::ModelCandidate>{
                {.engine = "whisper", .model = "base.en", .memory_bytes = 220, .languages = {"en"}},
                {.engine = "whisper", .model = "base", .memory_bytes = 225},
                {.engine = "whisper", .model = "large", .memory_bytes = 3'000},
                {.engine = "pocketsphinx",
                 .model = "en-us",
                 .memory_bytes = 125,
                 .languages = {"en"}},
                {.engine = "pocketsphinx", .model = "silent", .languages = {"xx"}}};
        },
        kUnknown};
}

TEST(ModelMemory, AModelNeedsWhatItSays) {
    ModelMemory m = memory();
    EXPECT_EQ(m.needed("whisper", "large", "auto"), 3'000);
    EXPECT_EQ(m.needed("auto", "en-us", "en"), 125);
}

TEST(ModelMemory, LeftToChooseItIsTheFirstEnginesSmallestThatSpeaksTheLanguage) {
    ModelMemory m = memory();
    EXPECT_EQ(m.named("auto", "auto", "en"), (SpeechModel{"whisper", "base.en"}));
    EXPECT_EQ(m.named("", "", ""), (SpeechModel{"whisper", "base.en"}));
    EXPECT_EQ(m.named("auto", "auto", "de"), (SpeechModel{"whisper", "base"}));
    EXPECT_EQ(m.needed("pocketsphinx", "auto", "en"), 125);
}

TEST(ModelMemory, WhatWasMeasuredIsBelieved) {
    ModelMemory m = memory();
    m.measured({"whisper", "base.en"}, 180);
    m.measured({"whisper", "base.en"}, 170);
    EXPECT_EQ(m.needed("whisper", "base.en", "en"), 180) << "the most of it";
    EXPECT_EQ(m.needed("auto", "auto", "en"), 180);
    EXPECT_EQ(m.needed("whisper", "base", "en"), 225) << "another's";
}

TEST(ModelMemory, OfAModelThatSaysNothingAGuessIsMade) {
    ModelMemory m = memory();
    EXPECT_EQ(m.needed("pocketsphinx", "silent", "xx"), kUnknown);
    EXPECT_EQ(m.needed("elsewhere", "unheard", "en"), kUnknown);
    ModelMemory nothing(nullptr, kUnknown);
    EXPECT_EQ(nothing.needed("auto", "auto", "auto"), kUnknown);
    nothing.measured(nothing.named("auto", "", ""), 300);
    EXPECT_EQ(nothing.needed("", "auto", ""), 300);
}

TEST(ModelMemory, ALargeModelHasMoreTimeToBeLoaded) {
    EXPECT_EQ(load_within(0), Millis{60'000});
    EXPECT_EQ(load_within(-1), Millis{60'000});
    EXPECT_EQ(load_within(std::int64_t{3} << 30), Millis{60'000 + 192'000});
}

}  // namespace
}  // namespace durascribe::engine
