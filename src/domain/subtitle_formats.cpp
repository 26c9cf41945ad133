#include "durascribe/domain/subtitle_formats.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include "durascribe/base/error.h"
#include "durascribe/domain/text.h"

namespace durascribe::domain {
namespace {

constexpr Millis kParagraphPause{2'000};
// A mark that stays for a whole gap would teach the viewer to ignore the screen; one of this length
// is seen, and the player's clock tells the rest.
constexpr Millis kLongestMark{7'000};
// A shorter one, squeezed between two cues, would be a flicker.
constexpr Millis kShortestMark{500};
constexpr std::string_view kInaudible = "[inaudible]";

// Hours have two digits, or as many as they need.
std::string clock(Millis t, char before_millis) {
    const auto ms = std::max(t, Millis{0}).count();
    return fmt::format("{:02}:{:02}:{:02}{}{:03}", ms / 3'600'000, ms / 60'000 % 60,
                       ms / 1'000 % 60, before_millis, ms % 1'000);
}

std::string clock_seconds(Millis t) {
    const auto s = std::max(t, Millis{0}).count() / 1'000;
    return fmt::format("{:02}:{:02}:{:02}", s / 3'600, s / 60 % 60, s % 60);
}

std::string replaced(std::string_view text,
                     std::initializer_list<std::pair<char, std::string_view>> replacements) {
    std::string out;
    for (const char c : text) {
        const auto* r =
            std::ranges::find(replacements, c, &std::pair<char, std::string_view>::first);
        out += r == replacements.end() ? std::string_view(&c, 1) : r->second;
    }
    return out;
}

// SubRip knows no escapes, and players read <b> and {\an8} as markup: the letters that would begin
// it are shown by ones that look alike. This also leaves no "-->".
std::string srt_text(std::string_view text) {
    return replaced(text, {{'<', "‹"}, {'>', "›"}, {'{', "("}, {'}', ")"}});
}

// WebVTT §4.2.2: character references.
std::string vtt_text(std::string_view text) {
    return replaced(text, {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}});
}

std::string name_of(const std::optional<std::string>& speaker) {
    return speaker ? clean_text(*speaker) : std::string();
}

// The cues, and a mark for each gap where they leave room for it.
std::vector<Cue> cues_with_gaps(const Transcript& transcript) {
    auto cues = shape_cues(transcript.segments);
    std::vector<Cue> marks;
    for (const Gap& gap : transcript.gaps) {
        AudioSpan span = gap.span;
        const auto next = std::ranges::upper_bound(cues, span.start, {},
                                                   [](const Cue& c) { return c.span.start; });
        if (next != cues.begin()) {
            span.start = std::max(span.start, std::prev(next)->span.end);
        }
        if (!marks.empty()) {
            span.start = std::max(span.start, marks.back().span.end);
        }
        span.end = std::min(span.end, span.start + kLongestMark);
        if (next != cues.end()) {
            span.end = std::min(span.end, next->span.start);
        }
        if (span.length() >= kShortestMark) {
            marks.push_back({span, {std::string(kInaudible)}, std::nullopt});
        }
    }
    std::ranges::move(marks, std::back_inserter(cues));
    std::ranges::sort(cues, {}, [](const Cue& c) { return c.span.start; });
    return cues;
}

std::string write_srt(const Transcript& transcript) {
    std::string out;
    int number = 0;
    std::string speaker;
    for (const Cue& cue : cues_with_gaps(transcript)) {
        out += fmt::format("{}{}\n{} --> {}\n", number == 0 ? "" : "\n", number + 1,
                           clock(cue.span.start, ','), clock(cue.span.end, ','));
        ++number;
        // A name where the speaker changes; SubRip has no other place for it.
        if (const std::string name = name_of(cue.speaker); !name.empty() && name != speaker) {
            out += srt_text(name) + ": ";
            speaker = name;
        }
        for (const auto& line : cue.lines) {
            out += srt_text(line) + "\n";
        }
    }
    return out;
}

std::string write_vtt(const Transcript& transcript) {
    std::string out = "WEBVTT\n";
    for (const Cue& cue : cues_with_gaps(transcript)) {
        out += fmt::format("\n{} --> {}\n", clock(cue.span.start, '.'), clock(cue.span.end, '.'));
        if (const std::string name = name_of(cue.speaker); !name.empty()) {
            out += "<v " + vtt_text(name) + ">";
        }
        for (const auto& line : cue.lines) {
            out += vtt_text(line) + "\n";
        }
    }
    return out;
}

std::string text_of(const Segment& segment) {
    std::string text = clean_text(segment.text);
    if (text.empty()) {
        for (const Word& word : segment.words) {
            append_text(text, clean_text(word.text));
        }
    }
    return text;
}

// Paragraphs apart by a blank line; a speaker is named where the speaker changes.
std::string write_txt(const Transcript& transcript) {
    std::vector<std::string> paragraphs;
    std::string speaker;
    Millis end{0};
    bool fresh = true;
    auto gap = transcript.gaps.begin();
    const auto mark_gaps_before = [&](Millis time) {
        for (; gap != transcript.gaps.end() && gap->span.start < time; ++gap) {
            paragraphs.push_back(fmt::format("[inaudible {}–{}]", clock_seconds(gap->span.start),
                                             clock_seconds(gap->span.end)));
            fresh = true;
        }
    };
    for (const Segment& segment : transcript.segments) {
        mark_gaps_before(segment.span.end);
        const std::string text = text_of(segment);
        if (text.empty()) {
            continue;
        }
        const std::string name = name_of(segment.speaker);
        const bool changed = name != speaker;
        if (fresh || changed || segment.span.start - end >= kParagraphPause) {
            paragraphs.emplace_back();
            if (changed && !name.empty()) {
                paragraphs.back() = name + ":";
            }
        }
        append_text(paragraphs.back(), text);
        speaker = name;
        end = segment.span.end;
        fresh = false;
    }
    mark_gaps_before(Millis::max());
    std::string out;
    for (const auto& paragraph : paragraphs) {
        out += (out.empty() ? "" : "\n") + paragraph + "\n";
    }
    return out;
}

// ---- JSON -------------------------------------------------------------------------------------
// Written by hand but for the strings: Boost.JSON writes 1.5 as 1.5E0, and one line for everything.

std::string in_quotes(std::string_view text) {
    return boost::json::serialize(boost::json::string(text));
}

std::string seconds(Millis t) {
    const auto ms = std::max(t, Millis{0}).count();
    return fmt::format("{}.{:03}", ms / 1'000, ms % 1'000);
}

std::string probability(double p) {
    return fmt::format("{:.3f}", p >= 0 ? std::min(p, 1.0) : 0.0);
}

std::string json_of(const Word& word) {
    return fmt::format(R"({{"word": {}, "start": {}, "end": {}, "confidence": {}}})",
                       in_quotes(clean_text(word.text)), seconds(word.span.start),
                       seconds(word.span.end), probability(word.confidence));
}

std::string json_of(const Segment& segment, std::size_t id) {
    std::string out =
        fmt::format(R"({{"id": {}, "start": {}, "end": {}, "text": {}, "confidence": {})", id,
                    seconds(segment.span.start), seconds(segment.span.end),
                    in_quotes(text_of(segment)), probability(segment.confidence));
    if (const std::string name = name_of(segment.speaker); !name.empty()) {
        out += fmt::format(R"(, "speaker": {})", in_quotes(name));
    }
    out += ", \"words\": [";
    for (std::size_t i = 0; i < segment.words.size(); ++i) {
        out += (i == 0 ? "" : ", ") + json_of(segment.words[i]);
    }
    return out + "]}";
}

std::string write_json(const Transcript& transcript) {
    std::string text;
    std::string segments;
    for (std::size_t i = 0; i < transcript.segments.size(); ++i) {
        append_text(text, text_of(transcript.segments[i]));
        segments += (i == 0 ? "\n    " : ",\n    ") + json_of(transcript.segments[i], i);
    }
    std::string gaps;
    for (const Gap& gap : transcript.gaps) {
        gaps += fmt::format(R"({}{{"start": {}, "end": {}, "reason": {}}})",
                            gaps.empty() ? "\n    " : ",\n    ", seconds(gap.span.start),
                            seconds(gap.span.end), in_quotes(clean_text(gap.reason)));
    }
    const auto list = [](const std::string& items) {
        return items.empty() ? std::string("[]") : "[" + items + "\n  ]";
    };
    return fmt::format(
        "{{\n  \"title\": {},\n  \"language\": {},\n  \"engine\": {},\n  \"model\": {},\n"
        "  \"duration\": {},\n  \"text\": {},\n  \"segments\": {},\n  \"gaps\": {}\n}}\n",
        in_quotes(clean_text(transcript.title)), in_quotes(clean_text(transcript.language)),
        in_quotes(clean_text(transcript.engine)), in_quotes(clean_text(transcript.model)),
        seconds(transcript.duration), in_quotes(text), list(segments), list(gaps));
}

}  // namespace

std::string_view to_string(DocumentFormat f) {
    switch (f) {
        case DocumentFormat::srt:
            return "srt";
        case DocumentFormat::vtt:
            return "vtt";
        case DocumentFormat::txt:
            return "txt";
        case DocumentFormat::json:
            return "json";
    }
    DURASCRIBE_ASSERT(false && "unknown DocumentFormat");
}

std::optional<DocumentFormat> document_format_from(std::string_view name) {
    for (const DocumentFormat f : kDocumentFormats) {
        if (to_string(f) == name) {
            return f;
        }
    }
    return std::nullopt;
}

std::string_view mime_type(DocumentFormat f) {
    switch (f) {
        case DocumentFormat::srt:
            return "application/x-subrip; charset=utf-8";
        case DocumentFormat::vtt:
            return "text/vtt; charset=utf-8";
        case DocumentFormat::txt:
            return "text/plain; charset=utf-8";
        case DocumentFormat::json:
            return "application/json";
    }
    DURASCRIBE_ASSERT(false && "unknown DocumentFormat");
}

std::string write_document(const Transcript& transcript, DocumentFormat format) {
    switch (format) {
        case DocumentFormat::srt:
            return write_srt(transcript);
        case DocumentFormat::vtt:
            return write_vtt(transcript);
        case DocumentFormat::txt:
            return write_txt(transcript);
        case DocumentFormat::json:
            return write_json(transcript);
    }
    DURASCRIBE_ASSERT(false && "unknown DocumentFormat");
}

std::vector<Segment> join_chunks(std::vector<std::vector<Segment>> chunks) {
    std::vector<Segment> heard;
    for (auto& chunk : chunks) {
        std::ranges::move(chunk, std::back_inserter(heard));
    }
    std::vector<std::pair<Millis, std::size_t>> order;  // what starts together keeps its order
    for (std::size_t i = 0; i < heard.size(); ++i) {
        order.emplace_back(heard[i].span.start, i);
    }
    std::ranges::sort(order);
    std::vector<Segment> joined;
    joined.reserve(heard.size());
    for (const auto& [start, index] : order) {
        joined.push_back(std::move(heard[index]));
    }
    // Text is never dropped for its times: what overlaps starts where the one before it ends.
    Millis now{0};
    const auto after = [&now](AudioSpan span) {
        const Millis start = std::max(span.start, now);
        return AudioSpan{start, std::max(span.end, start)};
    };
    for (Segment& segment : joined) {
        segment.span = after(segment.span);
        for (Word& word : segment.words) {
            word.span = after(word.span);
            word.span.start = std::min(word.span.start, segment.span.end);
            word.span.end = std::min(word.span.end, segment.span.end);
        }
        now = segment.span.end;
    }
    return joined;
}

}  // namespace durascribe::domain
