// Shapes recognised segments into subtitle cues that can be read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "durascribe/domain/transcript.h"

namespace durascribe::domain {

struct CueLimits {
    int line_length = 42;  // Unicode code points; East Asian wide ones count as two
    int lines = 2;
    Millis shortest{1'000};
    Millis longest{7'000};
    double characters_per_second = 20;  // columns, as in line_length
    Millis gap{40};                     // left between cues where one would touch the next
};

struct Cue {
    AudioSpan span;
    std::vector<std::string> lines;
    std::optional<std::string> speaker;
    bool operator==(const Cue&) const = default;
};

// Cues in order, never overlapping, every word in one of them. Always: at most `lines` lines of
// `line_length` (a longer word is broken), 100 ms to `longest`, one speaker. Where the speech
// leaves room before the next cue: at least `shortest`, and long enough to be read. Breaks at
// sentence ends, then at pauses, then between words; lines are balanced. Segments without word
// times have theirs spread by the width of the text. Text is cleaned as text.h says. Times that go
// back are moved forward.
std::vector<Cue> shape_cues(const std::vector<Segment>& segments, const CueLimits& limits = {});

}  // namespace durascribe::domain
