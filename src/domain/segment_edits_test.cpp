#include "durascribe/domain/segment_edits.h"

#include <gtest/gtest.h>

namespace durascribe::domain {
namespace {

Word word(int start, int end, const std::string& text) {
    return {.span = {Millis{start}, Millis{end}}, .text = text, .confidence = 0.5};
}

// "the quick brown fox", a second each, from 10 s.
Segment spoken() {
    return {.span = {Millis{10'000}, Millis{14'000}},
            .text = "the quick brown fox",
            .confidence = 0.5,
            .words = {word(10'000, 11'000, "the"), word(11'000, 12'000, "quick"),
                      word(12'000, 13'000, "brown"), word(13'000, 14'000, "fox")},
            .speaker = "A"};
}

std::string words_of(const Segment& s) {
    std::string out;
    for (const Word& w : s.words) {
        out += w.text + "@" + std::to_string(w.span.start.count()) + "-" +
               std::to_string(w.span.end.count()) + " ";
    }
    return out;
}

TEST(SegmentEdits, AWordThatIsCorrectedTakesItsPlace) {
    const Segment s = with_text(spoken(), "the  quick green\nfox");
    EXPECT_EQ(s.text, "the quick green fox");
    EXPECT_EQ(words_of(s), "the@10000-11000 quick@11000-12000 green@12000-13000 fox@13000-14000 ");
    EXPECT_EQ(s.words[2].confidence, 1.0);
    EXPECT_EQ(s.words[1].confidence, 0.5);
    EXPECT_DOUBLE_EQ(s.confidence, 0.625);
}

TEST(SegmentEdits, TwoWordsForOneShareItsTimeByTheirWidth) {
    EXPECT_EQ(
        words_of(with_text(spoken(), "the quick red brown fox")),
        "the@10000-11000 quick@11000-12000 red@12000-12000 brown@12000-13000 fox@13000-14000 ")
        << "no time was left between, so a word that is put in has none";
    EXPECT_EQ(words_of(with_text(spoken(), "the quick re brn fox")),
              "the@10000-11000 quick@11000-12000 re@12000-12400 brn@12400-13000 fox@13000-14000 ");
}

TEST(SegmentEdits, AWordThatOnlyBeginsAlikeIsAnother) {
    const Segment s = with_text(spoken(), "there quick brown foxes");
    EXPECT_EQ(s.words.front().text, "there");
    EXPECT_EQ(s.words.front().confidence, 1.0);
    EXPECT_EQ(s.words.back().text, "foxes");
}

TEST(SegmentEdits, ChineseIsCorrectedByTheCharacter) {
    Segment s{
        .span = {Millis{0}, Millis{3'000}},
        .text = "今天下雨",
        .words = {word(0, 1'000, "今天"), word(1'000, 2'000, "下"), word(2'000, 3'000, "雨")}};
    EXPECT_EQ(words_of(with_text(s, "今天晴雨")), "今天@0-1000 晴@1000-2000 雨@2000-3000 ");
}

TEST(SegmentEdits, WithoutWordTimesThereAreNone) {
    Segment s = spoken();
    s.words.clear();
    EXPECT_TRUE(with_text(s, "other").words.empty());
    EXPECT_EQ(with_text(s, "other").confidence, 1.0);
}

TEST(SegmentEdits, TheSameTextChangesNothing) {
    EXPECT_EQ(with_text(spoken(), "the quick brown fox"), spoken());
}

TEST(SegmentEdits, OtherTimesKeepTheWordsWithin) {
    const Segment s = with_span(spoken(), {Millis{11'500}, Millis{13'500}});
    EXPECT_EQ(words_of(s), "the@11500-11500 quick@11500-12000 brown@12000-13000 fox@13000-13500 ");
}

TEST(SegmentEdits, ASplitDividesTextAndWords) {
    const auto halves = split_at(spoken(), Millis{12'000});
    ASSERT_TRUE(halves.has_value());
    EXPECT_EQ(halves->first.text, "the quick");
    EXPECT_EQ(halves->second.text, "brown fox");
    EXPECT_EQ(halves->first.span, (AudioSpan{Millis{10'000}, Millis{12'000}}));
    EXPECT_EQ(halves->second.span, (AudioSpan{Millis{12'000}, Millis{14'000}}));
    EXPECT_EQ(words_of(halves->second), "brown@12000-13000 fox@13000-14000 ");
    EXPECT_EQ(halves->second.speaker, "A");
    EXPECT_EQ(split_at_word(spoken(), 2)->second, halves->second);
}

TEST(SegmentEdits, PunctuationStaysWhereItWas) {
    Segment s = spoken();
    s.text = "The quick, brown fox!";
    s.words[0].text = "The";
    const auto halves = split_at_word(s, 2);
    EXPECT_EQ(halves->first.text, "The quick,");
    EXPECT_EQ(halves->second.text, "brown fox!");
}

TEST(SegmentEdits, TextWithoutTimesIsCutWhereItsWidthSays) {
    Segment s = spoken();
    s.words.clear();
    const auto halves = split_at(s, Millis{12'100});
    EXPECT_EQ(halves->first.text, "the quick");
    EXPECT_EQ(halves->second.text, "brown fox");
    const auto at_word = split_at_word(s, 1);
    EXPECT_EQ(at_word->second.text, "quick brown fox");
    EXPECT_EQ(at_word->second.span.start, Millis{10'842});
}

TEST(SegmentEdits, WhatCannotBeSplitSaysWhy) {
    for (const Millis at : {Millis{0}, Millis{10'000}, Millis{14'000}, Millis{10'100}}) {
        EXPECT_EQ(split_at(spoken(), at).error().code, "bad_split") << at.count();
    }
    for (const int word : {-1, 0, 4, 99}) {
        EXPECT_EQ(split_at_word(spoken(), word).error().code, "bad_split") << word;
    }
    Segment one = with_text(spoken(), "one");
    EXPECT_EQ(split_at(one, Millis{12'000}).error().cls, ErrorClass::input);
    one.words.clear();
    EXPECT_EQ(split_at(one, Millis{12'000}).error().code, "bad_split");
}

TEST(SegmentEdits, AMergeUndoesASplit) {
    const auto halves = split_at(spoken(), Millis{12'000});
    EXPECT_EQ(merged(halves->first, halves->second), spoken());
}

TEST(SegmentEdits, AMergeWithWordsOfOneHalfAloneSpreadsTheOthers) {
    auto halves = *split_at(spoken(), Millis{12'000});
    halves.first.words.clear();
    const Segment whole = merged(halves.first, halves.second);
    EXPECT_EQ(whole.words.size(), 4U);
    EXPECT_EQ(whole.words[0].span.start, Millis{10'000});
    halves = *split_at(spoken(), Millis{12'000});
    halves.second.words.clear();
    halves.first.speaker.reset();
    EXPECT_EQ(merged(halves.first, halves.second).words.size(), 4U);
    EXPECT_EQ(merged(halves.first, halves.second).speaker, "A");
}

}  // namespace
}  // namespace durascribe::domain
