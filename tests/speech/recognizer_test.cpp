// What recognizer.h promises, of PocketSphinx with the real English model. Speech comes from flite.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "durascribe/speech/engines/engines.h"
#include "durascribe/speech/word_error_rate.h"
#include "spoken.h"

namespace durascribe::speech {
namespace {

using test::kMs;
using test::Pcm;
using test::silence;
using test::spoken;

std::unique_ptr<Recognizer> fresh() {
    auto loaded = load("pocketsphinx", "auto", "en");
    EXPECT_TRUE(loaded) << loaded.error().message;
    return loaded ? std::move(*loaded) : nullptr;
}

std::vector<domain::Segment> recognize(Recognizer& recognizer, const Pcm& pcm,
                                       Millis offset = Millis{0}) {
    auto segments = recognizer.recognize(pcm, offset, nullptr);
    EXPECT_TRUE(segments) << segments.error().message;
    return segments.value_or(std::vector<domain::Segment>{});
}

std::string text_of(const std::vector<domain::Segment>& segments) {
    std::string text;
    for (const auto& segment : segments) {
        text += segment.text + "\n";
    }
    return text;
}

// One warm recogniser for the cases that do not ask what it remembers.
class Pocketsphinx : public ::testing::Test {
  protected:
    static void SetUpTestSuite() { warm_ = fresh(); }
    static void TearDownTestSuite() { warm_.reset(); }
    void SetUp() override { ASSERT_TRUE(warm_); }
    static std::unique_ptr<Recognizer> warm_;
};
std::unique_ptr<Recognizer> Pocketsphinx::warm_;

TEST_F(Pocketsphinx, SaysWhatItIs) {
    EXPECT_EQ(warm_->engine(), "pocketsphinx");
    EXPECT_EQ(warm_->model(), "en-us");
    EXPECT_FALSE(warm_->version().empty());
}

TEST_F(Pocketsphinx, TimesWordsFromTheStartOfTheMedia) {
    const Pcm first = spoken("yesterday");
    const Pcm second = spoken("newspaper");
    ASSERT_FALSE(first.empty());
    ASSERT_FALSE(second.empty());
    const Millis offset{60'000};
    const Pcm audio = test::joined({silence(1'500), first, silence(2'000), second, silence(1'000)});
    const auto segments = recognize(*warm_, audio, offset);
    ASSERT_EQ(segments.size(), 2U) << text_of(segments);
    const auto length = [](const Pcm& pcm) {
        return Millis(static_cast<std::int64_t>(pcm.size() / kMs));
    };
    const Millis starts[] = {offset + Millis{1'500}, offset + Millis{3'500} + length(first)};
    const Millis ends[] = {starts[0] + length(first), starts[1] + length(second)};
    for (std::size_t i = 0; i < 2; ++i) {
        ASSERT_FALSE(segments[i].words.empty());
        EXPECT_NEAR(static_cast<double>(segments[i].span.start.count()),
                    static_cast<double>(starts[i].count()), 150);
        EXPECT_NEAR(static_cast<double>(segments[i].span.end.count()),
                    static_cast<double>(ends[i].count()), 150);
        EXPECT_EQ(segments[i].words.front().span.start, segments[i].span.start);
        EXPECT_EQ(segments[i].words.back().span.end, segments[i].span.end);
    }
    EXPECT_EQ(segments[0].text, "yesterday");
    EXPECT_EQ(segments[1].text, "newspaper");
}

TEST_F(Pocketsphinx, HearsASentenceInOrderWithConfidences) {
    const Pcm audio = spoken("the people of this country have never seen a field of white flowers");
    ASSERT_FALSE(audio.empty());
    const auto segments = recognize(*warm_, audio);
    EXPECT_LE(word_errors("the people of this country have never seen a field of white flowers",
                          text_of(segments))
                  .rate(),
              0.25)
        << text_of(segments);
    Millis previous{0};
    bool unsure = false;
    for (const auto& segment : segments) {
        EXPECT_GE(segment.confidence, 0);
        EXPECT_LE(segment.confidence, 1);
        for (const auto& word : segment.words) {
            EXPECT_GE(word.span.start, previous);
            EXPECT_GT(word.span.end, word.span.start);
            previous = word.span.end;
            EXPECT_GE(word.confidence, 0);
            EXPECT_LE(word.confidence, 1);
            unsure = unsure || word.confidence < 0.999;
            EXPECT_EQ(word.text.find_first_of("<>[]()+ "), std::string::npos) << word.text;
        }
    }
    EXPECT_TRUE(unsure) << "every word is certain: these are no posteriors";
    EXPECT_LE(previous, Millis(static_cast<std::int64_t>(audio.size() / kMs)));
}

TEST(PocketsphinxMemory, ResultsDoNotDependOnWhatWasHeardBefore) {
    std::mt19937 random(7);
    std::uniform_int_distribution<int> hiss(-3'000, 3'000);
    Pcm before = spoken("our neighbor remembered the sound of the river");
    ASSERT_FALSE(before.empty());
    for (auto& sample : before) {  // another level, another background
        sample = static_cast<std::int16_t>(std::clamp(sample / 2 + hiss(random), -32'768, 32'767));
    }
    const Pcm chunk = test::joined(
        {spoken("a small company"), silence(700), spoken("decided to paint the yellow house")});
    auto one = fresh();
    auto other = fresh();
    ASSERT_TRUE(one && other);
    recognize(*one, before);
    const auto after = recognize(*one, chunk);
    ASSERT_FALSE(after.empty());
    EXPECT_EQ(after, recognize(*other, chunk));
    EXPECT_EQ(after, recognize(*one, chunk));
}

TEST_F(Pocketsphinx, HearsNothingInSilenceOrInTooLittle) {
    EXPECT_TRUE(recognize(*warm_, {}).empty());
    EXPECT_TRUE(recognize(*warm_, silence(5'000)).empty());
    const Pcm word = spoken("yesterday");
    for (const std::size_t ms : {1U, 5U, 10U, 20U, 25U, 26U, 30U, 50U, 90U}) {
        ASSERT_GT(word.size(), (100 + ms) * kMs);
        const auto begin = word.begin() + 100 * kMs;
        EXPECT_TRUE(
            recognize(*warm_, Pcm(begin, begin + static_cast<std::ptrdiff_t>(ms * kMs))).empty())
            << ms;
    }
}

TEST_F(Pocketsphinx, SurvivesNoise) {
    std::mt19937 random(11);
    for (const int peak : {200, 32'000}) {
        std::uniform_int_distribution<int> hiss(-peak, peak);
        Pcm noise(2'000 * kMs);
        for (auto& sample : noise) {
            sample = static_cast<std::int16_t>(hiss(random));
        }
        recognize(*warm_, noise);
    }
    Pcm square(1'000 * kMs);
    for (std::size_t i = 0; i < square.size(); ++i) {
        square[i] = i / 40 % 2 == 0 ? 32'767 : -32'768;
    }
    recognize(*warm_, square);
}

TEST_F(Pocketsphinx, ReportsProgressWithinAnUtteranceAndEndsAtTheEnd) {
    const Pcm audio =
        spoken("his best friend wrote a letter about the first day of school and then went home");
    ASSERT_FALSE(audio.empty());
    const Millis length(static_cast<std::int64_t>(audio.size() / kMs));
    std::vector<Millis> reports;
    ASSERT_TRUE(
        warm_->recognize(audio, Millis{5'000}, [&](Millis done) { reports.push_back(done); }));
    ASSERT_FALSE(reports.empty());
    EXPECT_LT(reports.front(), Millis{2'000});
    for (std::size_t i = 1; i < reports.size(); ++i) {
        EXPECT_GE(reports[i], reports[i - 1]);
        EXPECT_LE(reports[i] - reports[i - 1], Millis{2'000});
    }
    EXPECT_EQ(reports.back(), length);
}

}  // namespace
}  // namespace durascribe::speech
