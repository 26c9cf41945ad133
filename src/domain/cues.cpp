#include "durascribe/domain/cues.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "durascribe/domain/text.h"

namespace durascribe::domain {
namespace {

// Shorter than this nobody sees that a cue was there; cues of words that all carry one time are
// pushed apart by it.
constexpr Millis kLeastVisible{100};
// A pause of this length always ends a cue: what comes after is another thought.
constexpr Millis kBreakingPause{2'000};

// What stands together on a line: a word, or a character of a script that has no spaces.
struct Token {
    std::string text;
    int width = 0;
    bool space_before = false;
    Millis start{0};
    Millis end{0};
};

// Tokens that may share cues: one speaker, no long pause.
struct Run {
    std::vector<Token> tokens;
    std::optional<std::string> speaker;
};

double seconds_of(Millis t) {
    return static_cast<double>(t.count()) / 1000.0;
}

// ---- tokens -----------------------------------------------------------------------------------

// Clean text cut where a line may break, words that are wider than a line in pieces of a line.
std::vector<Token> cut(std::string_view clean, int line_length) {
    std::vector<Token> tokens;
    bool space = false;
    bool may_join = false;  // whether the next code point may belong to the token before it
    for (const std::string_view point : code_points(clean)) {
        if (point == " ") {
            space = true;
            may_join = false;
            continue;
        }
        const int width = width_of(point);
        const bool clings = !space && !tokens.empty() && clings_to_previous(point);
        const bool alone = writes_without_spaces(point);
        const bool fits = !tokens.empty() && tokens.back().width + width <= line_length;
        if (fits && (clings || (may_join && !alone))) {
            tokens.back().text += point;
            tokens.back().width += width;
        } else {
            tokens.push_back({std::string(point), width, space});
        }
        may_join = clings ? may_join : !alone;
        space = false;
    }
    return tokens;
}

// Spreads a stretch of time over tokens by their width, for text without times of its own.
void spread(std::span<Token> tokens, AudioSpan span) {
    std::int64_t total = 0;
    for (const Token& t : tokens) {
        total += t.width;
    }
    const std::int64_t length = std::max(span.length(), Millis{0}).count();
    std::int64_t before = 0;
    for (Token& t : tokens) {
        t.start = span.start + Millis{length * before / total};
        before += t.width;
        t.end = span.start + Millis{length * before / total};
    }
}

std::vector<Token> tokens_of(const Segment& segment, int line_length) {
    std::vector<Token> tokens;
    const auto add = [&](std::string_view text, AudioSpan span) {
        auto more = cut(clean_text(text), line_length);
        if (more.empty()) {
            return;
        }
        const auto ends = [](const Token& t) { return code_points(t.text).back(); };
        more.front().space_before =
            !tokens.empty() && !(writes_without_spaces(ends(tokens.back())) &&
                                 writes_without_spaces(code_points(more.front().text).front()));
        spread(more, span);
        std::ranges::move(more, std::back_inserter(tokens));
    };
    for (const Word& word : segment.words) {
        add(word.text, word.span);
    }
    if (tokens.empty()) {
        add(segment.text, segment.span);
    }
    return tokens;
}

std::vector<Run> runs_of(const std::vector<Segment>& segments, int line_length) {
    std::vector<Run> runs;
    Millis now{0};  // times only ever grow, whatever an engine reports
    for (const Segment& segment : segments) {
        auto tokens = tokens_of(segment, line_length);
        bool first = true;
        for (Token& token : tokens) {
            token.start = std::max(token.start, now);
            token.end = std::max(token.end, token.start);
            const bool same = !runs.empty() && runs.back().speaker == segment.speaker &&
                              token.start - now < kBreakingPause;
            if (!same) {
                runs.push_back({{}, segment.speaker});
                token.space_before = false;
            } else if (first) {
                token.space_before =
                    !(writes_without_spaces(code_points(runs.back().tokens.back().text).back()) &&
                      writes_without_spaces(code_points(token.text).front()));
            }
            first = false;
            now = token.end;
            runs.back().tokens.push_back(std::move(token));
        }
    }
    return runs;
}

// ---- which tokens share a cue -----------------------------------------------------------------

enum class Ending { sentence, clause, word, within_word };

bool ends_with_any(std::string_view text, std::span<const std::string_view> endings) {
    return std::ranges::any_of(endings, [&](std::string_view e) { return text.ends_with(e); });
}

Ending ending_of(const Token& token, const Token& next) {
    static constexpr std::array<std::string_view, 8> kSentence = {".",  "!",  "?",  "…",
                                                                  "。", "！", "？", ".\""};
    static constexpr std::array<std::string_view, 7> kClause = {",",  ";",  ":", "，",
                                                                "、", "；", "："};
    if (ends_with_any(token.text, kSentence)) {
        return Ending::sentence;
    }
    if (ends_with_any(token.text, kClause)) {
        return Ending::clause;
    }
    const bool no_spaces = writes_without_spaces(code_points(next.text).front());
    return next.space_before || no_spaces ? Ending::word : Ending::within_word;
}

double break_cost(const Token& token, const Token& next) {
    const double pause = seconds_of(next.start - token.end);
    double cost = 0;
    switch (ending_of(token, next)) {
        case Ending::sentence:
            return 0;
        case Ending::clause:
            cost = 0.8;
            break;
        case Ending::word:
            cost = 1.6;
            break;
        case Ending::within_word:
            return 6;
    }
    return cost * (1 - std::min(pause, 0.8));
}

// What it costs to keep a place inside a cue at which it would better end.
double kept_cost(const Token& token, const Token& next) {
    const double pause = seconds_of(next.start - token.end);
    return (ending_of(token, next) == Ending::sentence ? 0.9 : 0.0) + 1.2 * std::min(pause, 2.0);
}

struct CueCosts {
    const CueLimits& limits;

    // Of a cue by itself; `room` is the time until the next one starts.
    double cue(int width, Millis speech, Millis room) const {
        double cost = 1;
        const Millis shown = std::min(std::max(room - limits.gap, speech), limits.longest);
        if (shown < limits.shortest) {
            cost += 4 * (1 - seconds_of(shown) / seconds_of(limits.shortest));
        }
        const double readable = limits.characters_per_second * seconds_of(shown);
        if (width > readable) {
            cost += std::min(4.0, 2 * (width / std::max(readable, 1.0) - 1));
        }
        const double full = std::min(1.0, width / static_cast<double>(limits.line_length));
        return cost + 0.6 * (1 - full) * (1 - full);
    }
};

// Fills lines from the left: whether the tokens fit a cue.
struct Filling {
    int lines = 0;
    int line_width = 0;
    int width = 0;

    bool add(const Token& token, const CueLimits& limits) {
        const int space = token.space_before ? 1 : 0;
        if (lines == 0 || line_width + space + token.width > limits.line_length) {
            ++lines;
            line_width = token.width;
        } else {
            line_width += space + token.width;
        }
        width += (width > 0 ? space : 0) + token.width;
        return lines <= limits.lines;
    }
};

// Ends of the cues (one past their last token) that cost the least together. A cue holds at most
// lines · line_length tokens: linear in the number of tokens.
std::vector<std::size_t> divide(const std::vector<Token>& tokens, Millis next_run_start,
                                const CueLimits& limits) {
    const std::size_t n = tokens.size();
    const CueCosts costs{limits};
    std::vector<double> best(n + 1, std::numeric_limits<double>::infinity());
    std::vector<std::size_t> came_from(n + 1, 0);
    best[0] = 0;
    for (std::size_t i = 0; i < n; ++i) {
        Filling filling;
        double kept = 0;
        for (std::size_t j = i; j < n; ++j) {
            const Millis speech = tokens[j].end - tokens[i].start;
            if (!filling.add(tokens[j], limits) || (j > i && speech > limits.longest)) {
                break;
            }
            const bool last = j + 1 == n;
            const Millis room = (last ? next_run_start : tokens[j + 1].start) - tokens[i].start;
            const double cost = best[i] + kept + costs.cue(filling.width, speech, room) +
                                (last ? 0 : break_cost(tokens[j], tokens[j + 1]));
            if (cost < best[j + 1]) {
                best[j + 1] = cost;
                came_from[j + 1] = i;
            }
            if (!last) {
                kept += kept_cost(tokens[j], tokens[j + 1]);
            }
        }
    }
    std::vector<std::size_t> ends;
    for (std::size_t j = n; j > 0; j = came_from[j]) {
        ends.push_back(j);
    }
    std::ranges::reverse(ends);
    return ends;
}

// ---- lines and times --------------------------------------------------------------------------

// The fewest lines, of lengths as even as they can be, broken rather after punctuation.
std::vector<std::string> break_lines(std::span<const Token> tokens, const CueLimits& limits) {
    const std::size_t n = tokens.size();
    Filling filling;
    for (const Token& t : tokens) {
        filling.add(t, limits);
    }
    const auto lines = static_cast<std::size_t>(filling.lines);
    constexpr double kNever = std::numeric_limits<double>::infinity();
    const double even = filling.width / static_cast<double>(lines);
    std::vector best(lines + 1, std::vector<double>(n + 1, kNever));
    std::vector came_from(lines + 1, std::vector<std::size_t>(n + 1, 0));
    best[0][0] = 0;
    for (std::size_t k = 1; k <= lines; ++k) {
        for (std::size_t i = 0; i < n; ++i) {
            int width = 0;
            for (std::size_t j = i; j < n && best[k - 1][i] < kNever; ++j) {
                width += (j > i && tokens[j].space_before ? 1 : 0) + tokens[j].width;
                if (width > limits.line_length) {
                    break;
                }
                const double off = (width - even) / limits.line_length;
                const double at_end =
                    j + 1 == n ? 0 : 0.05 * static_cast<int>(ending_of(tokens[j], tokens[j + 1]));
                const double cost = best[k - 1][i] + off * off + at_end;
                if (cost < best[k][j + 1]) {
                    best[k][j + 1] = cost;
                    came_from[k][j + 1] = i;
                }
            }
        }
    }
    std::vector<std::string> broken(lines);
    std::size_t end = n;
    for (std::size_t k = lines; k > 0; --k) {
        const std::size_t begin = came_from[k][end];
        for (std::size_t j = begin; j < end; ++j) {
            broken[k - 1] += (j > begin && tokens[j].space_before ? " " : "") + tokens[j].text;
        }
        end = begin;
    }
    return broken;
}

int width_of_cue(const Cue& cue) {
    int width = static_cast<int>(cue.lines.size()) - 1;
    for (const auto& line : cue.lines) {
        width += width_of(line);
    }
    return width;
}

// Lets each cue stand until it can be read, but not into the next one.
void set_ends(std::vector<Cue>& cues, const CueLimits& limits) {
    for (std::size_t i = 1; i < cues.size(); ++i) {
        cues[i].span.start = std::max(cues[i].span.start, cues[i - 1].span.start + kLeastVisible);
    }
    for (std::size_t i = 0; i < cues.size(); ++i) {
        AudioSpan& span = cues[i].span;
        const Millis to_read{static_cast<std::int64_t>(
            1000.0 * width_of_cue(cues[i]) / limits.characters_per_second + 0.999)};
        Millis end = std::max({span.end, span.start + limits.shortest, span.start + to_read});
        end = std::min(end, span.start + limits.longest);
        if (i + 1 < cues.size()) {
            const Millis next = cues[i + 1].span.start;
            // The gap tells two cues apart; where time is short it is the first to go.
            const Millis parted = next - limits.gap;
            end = std::min(end, parted - span.start >= kLeastVisible ? parted : next);
        }
        span.end = end;
    }
}

CueLimits sane(CueLimits limits) {
    limits.line_length = std::max(limits.line_length, 2);  // a wide character must fit
    limits.lines = std::max(limits.lines, 1);
    limits.longest = std::max(limits.longest, kLeastVisible);
    limits.shortest = std::clamp(limits.shortest, kLeastVisible, limits.longest);
    limits.characters_per_second = std::max(limits.characters_per_second, 1.0);
    limits.gap = std::max(limits.gap, Millis{0});
    return limits;
}

}  // namespace

std::vector<Cue> shape_cues(const std::vector<Segment>& segments, const CueLimits& asked) {
    const CueLimits limits = sane(asked);
    const auto runs = runs_of(segments, limits.line_length);
    std::vector<Cue> cues;
    for (std::size_t r = 0; r < runs.size(); ++r) {
        const auto& tokens = runs[r].tokens;
        const Millis next_start = r + 1 < runs.size() ? runs[r + 1].tokens.front().start
                                                      : tokens.back().end + limits.longest;
        std::size_t begin = 0;
        for (const std::size_t end : divide(tokens, next_start, limits)) {
            const std::span part(tokens.data() + begin, end - begin);
            cues.push_back({{part.front().start, part.back().end},
                            break_lines(part, limits),
                            runs[r].speaker});
            begin = end;
        }
    }
    set_ends(cues, limits);
    return cues;
}

}  // namespace durascribe::domain
