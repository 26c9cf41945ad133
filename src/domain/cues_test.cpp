#include "durascribe/domain/cues.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <ctime>

#include "durascribe/domain/text.h"

namespace durascribe::domain {
namespace {

using testing::ElementsAre;

// Words one after the other, each `each` long.
Segment spoken(Millis start, Millis each, const std::vector<std::string>& words) {
    Segment s{.span = {start, start}};
    for (const auto& w : words) {
        s.words.push_back({{s.span.end, s.span.end + each}, w});
        s.span.end += each;
        append_text(s.text, w);
    }
    return s;
}

TEST(Cues, NothingSaidIsNoCue) {
    EXPECT_TRUE(shape_cues({}).empty());
    EXPECT_TRUE(shape_cues({Segment{.span = {Millis{0}, Millis{900}}, .text = " \n\t"}}).empty());
}

TEST(Cues, AShortWordStandsLongEnoughToBeRead) {
    const auto cues = shape_cues({spoken(Millis{1'000}, Millis{300}, {"Yes."})});
    ASSERT_EQ(cues.size(), 1U);
    EXPECT_EQ(cues[0].span, (AudioSpan{Millis{1'000}, Millis{2'000}}));
    EXPECT_THAT(cues[0].lines, ElementsAre("Yes."));
}

TEST(Cues, BreaksAtSentenceEnds) {
    const auto cues =
        shape_cues({spoken(Millis{0}, Millis{400},
                           {"We",     "met",    "at",    "the",  "old",     "harbour",  "wall.",
                            "Nobody", "had",    "told",  "the",  "captain", "that",     "we",
                            "were",   "coming", "along", "with", "the",     "children."})});
    ASSERT_EQ(cues.size(), 2U);
    EXPECT_THAT(cues[0].lines, ElementsAre("We met at the old harbour wall."));
    EXPECT_EQ(cues[1].lines.front().substr(0, 6), "Nobody");
}

TEST(Cues, TwoLinesAreBalanced) {
    const auto cues = shape_cues({spoken(Millis{0}, Millis{350},
                                         {"Nobody", "had", "told", "the", "captain", "that", "we",
                                          "were", "coming", "with", "children"})});
    ASSERT_EQ(cues.size(), 1U);
    ASSERT_EQ(cues[0].lines.size(), 2U);
    EXPECT_LE(std::abs(width_of(cues[0].lines[0]) - width_of(cues[0].lines[1])), 8);
}

TEST(Cues, NeverMixesSpeakers) {
    auto a = spoken(Millis{0}, Millis{300}, {"Are", "you", "there?"});
    auto b = spoken(Millis{900}, Millis{300}, {"Yes."});
    a.speaker = "A";
    b.speaker = "B";
    const auto cues = shape_cues({a, b});
    ASSERT_EQ(cues.size(), 2U);
    EXPECT_EQ(cues[0].speaker, "A");
    EXPECT_EQ(cues[1].speaker, "B");
    EXPECT_EQ(cues[0].span.end, Millis{860});  // the gap before a cue that would touch
}

TEST(Cues, ShortTurnsOfOneSpeakerAreJoined) {
    const auto cues = shape_cues(
        {spoken(Millis{0}, Millis{250}, {"No."}), spoken(Millis{300}, Millis{250}, {"Yes."})});
    ASSERT_EQ(cues.size(), 1U);
    EXPECT_THAT(cues[0].lines, ElementsAre("No. Yes."));
}

TEST(Cues, WithoutWordTimesTheTextIsSpreadOverTheSegment) {
    std::string text;
    for (int i = 0; i < 40; ++i) {
        append_text(text, "syllables");
    }
    const auto cues = shape_cues({Segment{.span = {Millis{0}, Millis{24'000}}, .text = text}});
    ASSERT_GE(cues.size(), 5U);
    EXPECT_LE(cues.back().span.start, Millis{23'000});
    EXPECT_GE(cues.back().span.end, Millis{24'000});
}

TEST(Cues, ChineseIsBrokenBetweenCharactersButNotBeforePunctuation) {
    std::string text;
    for (int i = 0; i < 12; ++i) {
        text += "今天天气很好，";
    }
    const auto cues = shape_cues({Segment{.span = {Millis{0}, Millis{30'000}}, .text = text}});
    ASSERT_GE(cues.size(), 2U);
    std::string all;
    for (const auto& cue : cues) {
        for (const auto& line : cue.lines) {
            EXPECT_LE(width_of(line), 42);
            EXPECT_FALSE(line.starts_with("，")) << line;
            all += line;
        }
    }
    EXPECT_EQ(all, text);
}

TEST(Cues, AWordLongerThanALineIsBroken) {
    const auto cues = shape_cues({spoken(Millis{0}, Millis{5'000}, {std::string(100, 'x')})});
    std::size_t letters = 0;
    for (const auto& cue : cues) {
        EXPECT_LE(cue.lines.size(), 2U);
        for (const auto& line : cue.lines) {
            EXPECT_LE(line.size(), 42U);
            letters += line.size();
        }
    }
    EXPECT_EQ(letters, 100U);
}

// ---- properties -------------------------------------------------------------------------------

std::vector<Segment> any_segments() {
    static const std::vector<std::string> kWords = {"a",
                                                    "we",
                                                    "harbour",
                                                    "wall.",
                                                    "however,",
                                                    "今",
                                                    "天气",
                                                    "好。",
                                                    "한국어",
                                                    "e\u0301te\u0301",
                                                    "🙂",
                                                    "-->",
                                                    "\xff",
                                                    "incomprehensibilities",
                                                    std::string(60, 'w'),
                                                    "Why?",
                                                    "",
                                                    "\n"};
    std::vector<Segment> segments;
    Millis now{0};
    const int count = *rc::gen::inRange(0, 12);
    for (int i = 0; i < count; ++i) {
        Segment s;
        now += Millis{*rc::gen::element(0, 0, 40, 500, 2'500)};
        s.span.start = now;
        const auto words = *rc::gen::container<std::vector<std::pair<std::string, int>>>(
            rc::gen::pair(rc::gen::elementOf(kWords),
                          rc::gen::oneOf(rc::gen::inRange(0, 2), rc::gen::inRange(30, 900),
                                         rc::gen::inRange(0, 12'000))));
        for (const auto& [text, length] : words) {
            s.words.push_back({{now, now + Millis{length}}, text});
            now += Millis{length + *rc::gen::element(0, 0, 10, 400)};
            append_text(s.text, clean_text(text));
        }
        s.span.end = now;
        if (*rc::gen::inRange(0, 3) == 0) {
            s.words.clear();
        }
        if (*rc::gen::inRange(0, 3) == 0) {
            s.speaker = *rc::gen::element<std::string>("A", "B");
        }
        segments.push_back(std::move(s));
    }
    return segments;
}

std::string without_spaces(std::string_view text) {
    std::string bare;
    for (const char c : clean_text(text)) {
        if (c != ' ') {
            bare += c;
        }
    }
    return bare;
}

TEST(Cues, HoldWhatTheyPromise) {
    EXPECT_TRUE(rc::check("lines, times, order, every word once", [] {
        const auto segments = any_segments();
        const CueLimits limits;
        const auto cues = shape_cues(segments, limits);
        std::string said;
        for (const auto& s : segments) {
            std::string words;
            for (const auto& w : s.words) {
                words += without_spaces(w.text);
            }
            said += words.empty() ? without_spaces(s.text) : words;
        }
        std::string shown;
        for (std::size_t i = 0; i < cues.size(); ++i) {
            const Cue& c = cues[i];
            RC_ASSERT(
                (!c.lines.empty() && c.lines.size() <= static_cast<std::size_t>(limits.lines)));
            for (const auto& line : c.lines) {
                RC_ASSERT((!line.empty() && line == clean_text(line)));
                RC_ASSERT(width_of(line) <= limits.line_length);
                shown += without_spaces(line);
            }
            RC_ASSERT((c.span.length() >= Millis{100} && c.span.length() <= limits.longest));
            if (i + 1 < cues.size()) {
                const Millis next = cues[i + 1].span.start;
                RC_ASSERT(c.span.end <= next);
                // Shorter than the minimum only where the next cue follows at once.
                RC_ASSERT((c.span.length() >= limits.shortest || next - c.span.end <= limits.gap));
                // Too fast to read only where there is no room, or the longest is reached.
                int width = static_cast<int>(c.lines.size()) - 1;
                for (const auto& line : c.lines) {
                    width += width_of(line);
                }
                const double seconds = static_cast<double>(c.span.length().count()) / 1000.0;
                RC_ASSERT((width <= limits.characters_per_second * seconds + 1e-6 ||
                           next - c.span.end <= limits.gap || c.span.length() == limits.longest));
            } else {
                RC_ASSERT(c.span.length() >= limits.shortest);
            }
        }
        RC_ASSERT(shown == said);
    }));
}

TEST(Cues, AnHourOfSpeechIsShapedQuickly) {
    std::vector<Segment> segments;
    for (int i = 0; i < 1'000; ++i) {
        segments.push_back(spoken(Millis{i * 3'600}, Millis{300},
                                  {"we", "went", "along", "the", "river,", "and", "nobody", "said",
                                   "anything", "at", "all."}));
    }
    const std::clock_t before = std::clock();  // of this process's own time
    EXPECT_GT(shape_cues(segments).size(), 500U);
    EXPECT_LT(std::clock() - before, 3 * CLOCKS_PER_SEC);
}

TEST(Text, CleansWhatIsNotText) {
    EXPECT_EQ(clean_text("  a\r\n\tb \x07 "), "a b");
    EXPECT_EQ(clean_text(std::string_view("a\0b", 3)), "ab");
    EXPECT_EQ(clean_text("\xff\xc3"), "\uFFFD\uFFFD");
    EXPECT_EQ(clean_text("\xe2\x82x"), "\uFFFDx");
    EXPECT_EQ(clean_text("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
    EXPECT_EQ(clean_text("\u202Eabc"), "abc");
    EXPECT_EQ(clean_text("e\u0301 \u4ECA\U0001F642"), "e\u0301 \u4ECA\U0001F642");
}

TEST(Text, KnowsWidths) {
    EXPECT_EQ(width_of("abc"), 3);
    EXPECT_EQ(width_of("今天"), 4);
    EXPECT_EQ(width_of("한국어"), 6);
    EXPECT_EQ(width_of("\uFFFD"), 1);
}

TEST(Text, JoinsAsTheScriptWants) {
    std::string text = "今";
    append_text(text, "天");
    append_text(text, "Hi");
    append_text(text, "there");
    EXPECT_EQ(text, "今天 Hi there");
}

}  // namespace
}  // namespace durascribe::domain
