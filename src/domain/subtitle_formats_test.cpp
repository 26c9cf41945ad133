#include "durascribe/domain/subtitle_formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <boost/json/parse.hpp>

#include <regex>
#include <sstream>

#include "durascribe/domain/text.h"

namespace durascribe::domain {
namespace {

using testing::HasSubstr;
using testing::Not;

AudioSpan span_ms(int from, int to) {
    return {Millis{from}, Millis{to}};
}

Segment said(int from, int to, std::string text, std::optional<std::string> speaker = {}) {
    return {.span = span_ms(from, to), .text = std::move(text), .speaker = std::move(speaker)};
}

Transcript sample() {
    Transcript t{.title = "A \"talk\"",
                 .language = "en",
                 .engine = "pocketsphinx",
                 .model = "en-us",
                 .duration = Millis{100'250}};
    t.segments.push_back(
        {.span = span_ms(500, 2'100),
         .text = "hello <world>",
         .confidence = 0.875,
         .words = {{span_ms(500, 1'200), "hello", 0.9}, {span_ms(1'200, 2'100), "<world>", 0.85}},
         .speaker = "Ann"});
    t.segments.push_back(said(2'200, 3'400, "R & D --> done.", "Ben"));
    t.segments.push_back(said(95'000, 96'000, "bye"));
    t.gaps.push_back({span_ms(60'000, 90'000), "crash"});
    return t;
}

TEST(SubtitleFormats, Srt) {
    EXPECT_EQ(write_document(sample(), DocumentFormat::srt),
              "1\n00:00:00,500 --> 00:00:02,100\nAnn: hello ‹world›\n\n"
              "2\n00:00:02,200 --> 00:00:03,400\nBen: R & D --› done.\n\n"
              "3\n00:01:00,000 --> 00:01:07,000\n[inaudible]\n\n"
              "4\n00:01:35,000 --> 00:01:36,000\nbye\n");
}

TEST(SubtitleFormats, Vtt) {
    EXPECT_EQ(write_document(sample(), DocumentFormat::vtt),
              "WEBVTT\n\n"
              "00:00:00.500 --> 00:00:02.100\n<v Ann>hello &lt;world&gt;\n\n"
              "00:00:02.200 --> 00:00:03.400\n<v Ben>R &amp; D --&gt; done.\n\n"
              "00:01:00.000 --> 00:01:07.000\n[inaudible]\n\n"
              "00:01:35.000 --> 00:01:36.000\nbye\n");
}

TEST(SubtitleFormats, Txt) {
    EXPECT_EQ(
        write_document(sample(), DocumentFormat::txt),
        "Ann: hello <world>\n\nBen: R & D --> done.\n\n[inaudible 00:01:00–00:01:30]\n\nbye\n");
}

TEST(SubtitleFormats, TxtParagraphsFollowPauses) {
    Transcript t;
    t.segments = {said(0, 1'000, "one"), said(2'900, 4'000, "two"), said(6'000, 7'000, "three")};
    EXPECT_EQ(write_document(t, DocumentFormat::txt), "one two\n\nthree\n");
}

TEST(SubtitleFormats, Json) {
    const std::string json = write_document(sample(), DocumentFormat::json);
    EXPECT_EQ(json, R"({
  "title": "A \"talk\"",
  "language": "en",
  "engine": "pocketsphinx",
  "model": "en-us",
  "duration": 100.250,
  "text": "hello <world> R & D --> done. bye",
  "segments": [
    {"id": 0, "start": 0.500, "end": 2.100, "text": "hello <world>", "confidence": 0.875, "speaker": "Ann", "words": [{"word": "hello", "start": 0.500, "end": 1.200, "confidence": 0.900}, {"word": "<world>", "start": 1.200, "end": 2.100, "confidence": 0.850}]},
    {"id": 1, "start": 2.200, "end": 3.400, "text": "R & D --> done.", "confidence": 1.000, "speaker": "Ben", "words": []},
    {"id": 2, "start": 95.000, "end": 96.000, "text": "bye", "confidence": 1.000, "words": []}
  ],
  "gaps": [
    {"start": 60.000, "end": 90.000, "reason": "crash"}
  ]
}
)");
    EXPECT_NO_THROW(boost::json::parse(json));
}

TEST(SubtitleFormats, SilenceAloneIsAValidDocument) {
    const Transcript t{.duration = Millis{1'000}};
    EXPECT_EQ(write_document(t, DocumentFormat::srt), "");
    EXPECT_EQ(write_document(t, DocumentFormat::vtt), "WEBVTT\n");
    EXPECT_EQ(write_document(t, DocumentFormat::txt), "");
    EXPECT_THAT(write_document(t, DocumentFormat::json), HasSubstr("\"segments\": [],\n"));
}

TEST(SubtitleFormats, TimesBeyondHundredHours) {
    Transcript t;
    t.segments = {said(400'000'000, 400'001'500, "late")};
    EXPECT_THAT(write_document(t, DocumentFormat::srt),
                HasSubstr("111:06:40,000 --> 111:06:41,500"));
}

TEST(SubtitleFormats, AGapMarkNeverCoversSpeech) {
    Transcript t;
    t.segments = {said(0, 1'000, "before it"), said(32'000, 33'000, "after")};
    t.gaps = {{span_ms(900, 32'000), "timeout"}};
    EXPECT_THAT(write_document(t, DocumentFormat::vtt),
                HasSubstr("00:00:01.000 --> 00:00:08.000\n[in"));
    t.gaps = {{span_ms(900, 1'300), "timeout"}};
    EXPECT_THAT(write_document(t, DocumentFormat::vtt), Not(HasSubstr("inaudible")));
}

TEST(SubtitleFormats, NamesRoundTrip) {
    for (const auto f : kDocumentFormats) {
        EXPECT_EQ(document_format_from(to_string(f)), f);
        EXPECT_FALSE(mime_type(f).empty());
    }
    EXPECT_EQ(document_format_from("docx"), std::nullopt);
}

TEST(JoinChunks, OrdersAndPartsWhatOverlaps) {
    Segment overlapping = said(900, 2'000, "two three");
    overlapping.words = {{span_ms(900, 950), "two"}, {span_ms(1'500, 2'000), "three"}};
    const auto joined =
        join_chunks({{said(3'000, 4'000, "four")}, {said(0, 1'000, "one"), overlapping}});
    ASSERT_EQ(joined.size(), 3U);
    EXPECT_EQ(joined[1].span, span_ms(1'000, 2'000));
    EXPECT_EQ(joined[1].words[0].span, span_ms(1'000, 1'000));
    EXPECT_EQ(joined[1].words[1].span, span_ms(1'500, 2'000));
    EXPECT_EQ(joined[2].text, "four");
}

// ---- properties: a strict reader of both formats ------------------------------------------------

std::int64_t read_clock(const std::string& text, char separator) {
    std::smatch m;
    const std::regex shape(std::string(R"((\d{2,}):([0-5]\d):([0-5]\d)\)") + separator +
                           R"((\d{3}))");
    RC_ASSERT(std::regex_match(text, m, shape));
    return ((std::stoll(m[1]) * 60 + std::stoll(m[2])) * 60 + std::stoll(m[3])) * 1000 +
           std::stoll(m[4]);
}

// Blocks apart by one blank line, each as its lines; throws where the shape is not kept.
std::vector<std::vector<std::string>> blocks_of(const std::string& document) {
    std::vector<std::vector<std::string>> blocks;
    RC_ASSERT((document.empty() || document.back() == '\n'));
    std::istringstream in(document);
    bool open = false;
    for (std::string line; std::getline(in, line);) {
        if (line.empty()) {
            RC_ASSERT(open);  // no two blank lines, none at the start
            open = false;
        } else {
            if (!open) {
                blocks.emplace_back();
            }
            blocks.back().push_back(line);
            open = true;
        }
    }
    RC_ASSERT((document.empty() || open));
    return blocks;
}

void check_cue(const std::vector<std::string>& block, std::size_t times, char separator,
               std::int64_t& last_end) {
    RC_ASSERT((block.size() > times + 1 && block.size() <= times + 3));
    const std::string& line = block[times];
    const auto arrow = line.find(" --> ");
    RC_ASSERT(arrow != std::string::npos);
    const auto start = read_clock(line.substr(0, arrow), separator);
    const auto end = read_clock(line.substr(arrow + 5), separator);
    RC_ASSERT((start >= last_end && end > start));
    last_end = end;
    for (std::size_t i = times + 1; i < block.size(); ++i) {
        RC_ASSERT(block[i].find("-->") == std::string::npos);
        RC_ASSERT(clean_text(block[i]) == block[i]);  // valid UTF-8, no control characters
    }
}

Transcript any_transcript() {
    Transcript t{.title = *rc::gen::arbitrary<std::string>()};
    Millis now{0};
    const int count = *rc::gen::inRange(0, 10);
    for (int i = 0; i < count; ++i) {
        now += Millis{*rc::gen::element(0, 10, 3'000, 100'000'000)};
        const Millis end = now + Millis{*rc::gen::inRange(0, 20'000)};
        if (*rc::gen::inRange(0, 4) == 0) {
            t.gaps.push_back({{now, end}, *rc::gen::arbitrary<std::string>()});
        } else {
            Segment s{.span = {now, end}};
            s.text = *rc::gen::oneOf(rc::gen::arbitrary<std::string>(),
                                     rc::gen::element<std::string>(
                                         "a --> b", "x\n\n2\n00:00:01,000 --> 00:00:02,000\nhi",
                                         "<i>&amp;</i>", "{\\an8}", "--", ">", "\r\n\r\n"));
            s.confidence = *rc::gen::element(0.5, -1.0, 2.0, std::nan(""));
            if (*rc::gen::inRange(0, 3) == 0) {
                s.speaker = *rc::gen::element<std::string>("Ann", "<b>\n-->", "");
            }
            t.segments.push_back(std::move(s));
        }
        now = end;
    }
    return t;
}

TEST(SubtitleFormats, AnyTextGivesAStrictlyValidDocument) {
    EXPECT_TRUE(rc::check("srt, vtt, txt, json", [] {
        const Transcript t = any_transcript();
        std::int64_t end = 0;
        int number = 0;
        for (const auto& block : blocks_of(write_document(t, DocumentFormat::srt))) {
            RC_ASSERT(block.front() == std::to_string(++number));
            check_cue(block, 1, ',', end);
            for (std::size_t i = 2; i < block.size(); ++i) {
                RC_ASSERT(block[i].find_first_of("<>{}") == std::string::npos);
            }
        }
        const auto vtt = blocks_of(write_document(t, DocumentFormat::vtt));
        RC_ASSERT(vtt.front() == std::vector<std::string>{"WEBVTT"});
        end = 0;
        static const std::regex kPayload(R"((<v [^<>]+>)?([^<>&]|&(amp|lt|gt);)*)");
        for (std::size_t i = 1; i < vtt.size(); ++i) {
            check_cue(vtt[i], 0, '.', end);
            for (std::size_t line = 1; line < vtt[i].size(); ++line) {
                RC_ASSERT(std::regex_match(vtt[i][line], kPayload));
            }
        }
        blocks_of(write_document(t, DocumentFormat::txt));
        const auto json = boost::json::parse(write_document(t, DocumentFormat::json));
        RC_ASSERT(json.at("segments").as_array().size() == t.segments.size());
        RC_ASSERT(json.at("gaps").as_array().size() == t.gaps.size());
    }));
}

}  // namespace
}  // namespace durascribe::domain
