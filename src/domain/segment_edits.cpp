#include "durascribe/domain/segment_edits.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "durascribe/domain/text.h"

namespace durascribe::domain {
namespace {

void skip_space(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
}
void drop_space_at_end(std::string_view& text) {
    text = text.substr(0, text.find_last_not_of(' ') + 1);
}
std::string_view trimmed(std::string_view text) {
    skip_space(text);
    drop_space_at_end(text);
    return text;
}

std::string_view last_code_point(std::string_view text) {
    std::size_t at = text.size();
    while (at > 0 && (static_cast<unsigned char>(text[--at]) & 0xC0U) == 0x80U) {
    }
    return text.substr(at);
}

// Whether a word may end and another begin between these two.
bool is_boundary(std::string_view before, std::string_view after) {
    return before.empty() || after.empty() || before.back() == ' ' || after.front() == ' ' ||
           writes_without_spaces(last_code_point(before)) || writes_without_spaces(after);
}

// Words of clean text: between spaces, and each character of a script without them.
std::vector<std::string_view> words_of(std::string_view clean) {
    std::vector<std::string_view> words;
    std::size_t begin = 0;
    std::size_t at = 0;
    const auto end_word = [&] {
        if (at > begin) {
            words.push_back(clean.substr(begin, at - begin));
        }
    };
    for (const std::string_view point : code_points(clean)) {
        if (point == " ") {
            end_word();
            begin = at + 1;
        } else if (at > begin && is_boundary(clean.substr(begin, at - begin), point) &&
                   !clings_to_previous(point)) {
            end_word();
            begin = at;
        }
        at += point.size();
    }
    end_word();
    return words;
}

double mean_confidence(const std::vector<Word>& words, double without) {
    double weighed = 0;
    double length = 0;
    for (const Word& word : words) {
        const double weight = std::max(1.0, static_cast<double>(word.span.length().count()));
        weighed += word.confidence * weight;
        length += weight;
    }
    return length > 0 ? weighed / length : without;
}

// Words over a stretch of time, each as long as it is wide.
void spread(const std::vector<std::string_view>& texts, AudioSpan over, std::vector<Word>& into) {
    int total = 0;
    for (const std::string_view text : texts) {
        total += width_of(text);
    }
    const auto time_at = [&](int width) {
        return over.start + Millis{over.length().count() * width / std::max(total, 1)};
    };
    int passed = 0;
    for (const std::string_view text : texts) {
        const Millis start = time_at(passed);
        passed += width_of(text);
        into.push_back({.span = {start, time_at(passed)}, .text = std::string(text)});
    }
}

Error bad_split(std::string message) {
    return {ErrorClass::input, "bad_split", std::move(message), {}};
}

// Where in the text the word `word` begins; 0: it can't be told, the text is not what the words
// say.
std::size_t begin_of_word(const Segment& segment, std::size_t word) {
    std::size_t at = 0;
    for (std::size_t i = 0; i <= word; ++i) {
        const std::size_t found = segment.text.find(segment.words[i].text, at);
        if (found == std::string::npos) {
            return 0;
        }
        if (i == word) {
            return found;
        }
        at = found + segment.words[i].text.size();
    }
    return 0;
}

std::string joined(std::span<const Word> words) {
    std::string text;
    for (const Word& word : words) {
        append_text(text, word.text);
    }
    return text;
}

std::pair<Segment, Segment> split_words(const Segment& segment, std::size_t word, Millis at) {
    Segment first = segment;
    Segment second = segment;
    const auto cut = static_cast<std::ptrdiff_t>(word);
    first.words.assign(segment.words.begin(), segment.words.begin() + cut);
    second.words.assign(segment.words.begin() + cut, segment.words.end());
    if (const std::size_t begin = begin_of_word(segment, word); begin > 0) {
        const std::string_view text = segment.text;
        first.text = trimmed(text.substr(0, begin));
        second.text = trimmed(text.substr(begin));
    } else {
        first.text = joined(first.words);
        second.text = joined(second.words);
    }
    first.confidence = mean_confidence(first.words, segment.confidence);
    second.confidence = mean_confidence(second.words, segment.confidence);
    return {with_span(std::move(first), {segment.span.start, at}),
            with_span(std::move(second), {at, segment.span.end})};
}

std::pair<Segment, Segment> split_text(const Segment& segment,
                                       const std::vector<std::string_view>& words, std::size_t word,
                                       Millis at) {
    Segment first = segment;
    Segment second = segment;
    const std::string_view text = segment.text;
    const auto begin = static_cast<std::size_t>(words[word].data() - text.data());
    first.text = trimmed(text.substr(0, begin));
    second.text = trimmed(text.substr(begin));
    first.span.end = at;
    second.span.start = at;
    return {std::move(first), std::move(second)};
}

Millis middle(AudioSpan span) {
    return span.start + span.length() / 2;
}

std::string show(Millis t) {
    return fmt::format("{:.3f}", static_cast<double>(t.count()) / 1'000.0);
}

}  // namespace

Segment with_text(Segment segment, std::string_view text) {
    std::string clean = clean_text(text);
    if (clean == segment.text) {
        return segment;
    }
    if (segment.words.empty()) {
        segment.text = std::move(clean);
        segment.confidence = 1.0;
        return segment;
    }
    std::vector<Word> before = std::move(segment.words);
    std::vector<Word> after;
    std::string_view rest = clean;
    std::size_t kept = 0;  // at the beginning
    for (; kept < before.size(); ++kept) {
        const std::string& word = before[kept].text;
        if (word.empty() || !rest.starts_with(word) ||
            !is_boundary(word, rest.substr(word.size()))) {
            break;
        }
        rest.remove_prefix(word.size());
        skip_space(rest);
    }
    std::size_t last = before.size();  // those from here on are kept, too
    for (; last > kept; --last) {
        const std::string& word = before[last - 1].text;
        if (word.empty() || !rest.ends_with(word) ||
            !is_boundary(rest.substr(0, rest.size() - word.size()), word)) {
            break;
        }
        rest.remove_suffix(word.size());
        drop_space_at_end(rest);
    }
    const auto at = [&before](std::size_t i) {
        return before.begin() + static_cast<std::ptrdiff_t>(i);
    };
    const AudioSpan between{kept > 0 ? before[kept - 1].span.end : segment.span.start,
                            last < before.size() ? before[last].span.start : segment.span.end};
    const AudioSpan changed =
        kept < last ? AudioSpan{before[kept].span.start, before[last - 1].span.end} : between;
    after.assign(at(0), at(kept));
    spread(words_of(rest), {changed.start, std::max(changed.start, changed.end)}, after);
    after.insert(after.end(), at(last), before.end());
    segment.words = std::move(after);
    segment.confidence = mean_confidence(segment.words, 1.0);
    segment.text = std::move(clean);
    return segment;
}

Segment with_span(Segment segment, AudioSpan span) {
    segment.span = span;
    for (Word& word : segment.words) {
        word.span.start = std::clamp(word.span.start, span.start, span.end);
        word.span.end = std::clamp(word.span.end, word.span.start, span.end);
    }
    return segment;
}

Result<std::pair<Segment, Segment>> split_at(const Segment& segment, Millis at) {
    if (at <= segment.span.start || at >= segment.span.end) {
        return std::unexpected(bad_split(
            fmt::format("The segment lasts from {} to {} seconds: it cannot be split at {}.",
                        show(segment.span.start), show(segment.span.end), show(at))));
    }
    if (!segment.words.empty()) {
        const auto second = std::ranges::find_if(
            segment.words, [at](const Word& word) { return middle(word.span) >= at; });
        const auto word = static_cast<std::size_t>(second - segment.words.begin());
        if (word == 0 || word == segment.words.size()) {
            return std::unexpected(
                bad_split("All words of the segment are on one side of that time. Split it between "
                          "two words."));
        }
        return split_words(segment, word, at);
    }
    const auto words = words_of(segment.text);
    if (words.size() < 2) {
        return std::unexpected(bad_split("The segment has no two words to be split between."));
    }
    const double share = static_cast<double>((at - segment.span.start).count()) /
                         static_cast<double>(segment.span.length().count());
    const double wanted = share * width_of(segment.text);
    std::size_t best = 1;
    double nearest = INFINITY;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto begin = static_cast<std::size_t>(words[i].data() - segment.text.data());
        const double off =
            std::abs(width_of(std::string_view(segment.text).substr(0, begin)) - wanted);
        if (off < nearest) {
            nearest = off;
            best = i;
        }
    }
    return split_text(segment, words, best, at);
}

Result<std::pair<Segment, Segment>> split_at_word(const Segment& segment, int word) {
    const auto words = words_of(segment.text);
    const std::size_t count = segment.words.empty() ? words.size() : segment.words.size();
    if (word < 1 || std::cmp_greater_equal(word, count)) {
        return std::unexpected(bad_split(fmt::format(
            "The segment has {} words: the second half can begin with word 1 to {}, not with {}.",
            count, count > 0 ? count - 1 : 0, word)));
    }
    const auto index = static_cast<std::size_t>(word);
    const auto inside = [&](Millis at) {
        return std::clamp(at, segment.span.start + Millis{1},
                          std::max(segment.span.start + Millis{1}, segment.span.end - Millis{1}));
    };
    if (segment.span.length() < Millis{2}) {
        return std::unexpected(bad_split("The segment is too short to be split."));
    }
    if (!segment.words.empty()) {
        return split_words(segment, index, inside(segment.words[index].span.start));
    }
    const auto begin = static_cast<std::size_t>(words[index].data() - segment.text.data());
    const auto passed = width_of(std::string_view(segment.text).substr(0, begin));
    const Millis at = segment.span.start +
                      Millis{segment.span.length().count() * passed / width_of(segment.text)};
    return split_text(segment, words, index, inside(at));
}

Segment merged(Segment first, const Segment& second) {
    const double one = std::max(1.0, static_cast<double>(first.span.length().count()));
    const double other = std::max(1.0, static_cast<double>(second.span.length().count()));
    first.confidence = (first.confidence * one + second.confidence * other) / (one + other);
    // Words of one half alone would be taken for all there are.
    if (first.words.empty() != second.words.empty()) {
        if (first.words.empty()) {
            spread(words_of(first.text), first.span, first.words);
            first.words.insert(first.words.end(), second.words.begin(), second.words.end());
        } else {
            spread(words_of(second.text), second.span, first.words);
        }
    } else {
        first.words.insert(first.words.end(), second.words.begin(), second.words.end());
    }
    append_text(first.text, second.text);
    first.span.end = second.span.end;
    if (!first.speaker) {
        first.speaker = second.speaker;
    }
    return first;
}

}  // namespace durascribe::domain
