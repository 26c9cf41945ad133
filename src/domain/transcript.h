// What a recogniser hears: segments of words, timed from the start of the media.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "durascribe/domain/audio_span.h"

namespace durascribe::domain {

struct Word {
    AudioSpan span;
    std::string text;         // UTF-8, no spaces
    double confidence = 1.0;  // posterior probability in [0, 1]
    bool operator==(const Word&) const = default;
};

// A stretch of speech between silences. `words` is empty where the engine gives no word times.
struct Segment {
    AudioSpan span;
    std::string text;
    double confidence = 1.0;  // mean over the words, weighted by their length
    std::vector<Word> words;
    std::optional<std::string> speaker;
    bool operator==(const Segment&) const = default;
};

// A chunk that failed for good: its audio has no text.
struct Gap {
    AudioSpan span;
    std::string reason;
    bool operator==(const Gap&) const = default;
};

struct Transcript {
    std::string title;
    std::string language;  // BCP 47, as the engine says
    std::string engine;
    std::string model;
    Millis duration{0};
    std::vector<Segment> segments;  // by start, not overlapping
    std::vector<Gap> gaps;
};

}  // namespace durascribe::domain
