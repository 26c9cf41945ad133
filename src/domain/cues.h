// Shapes recognised segments into subtitle cues that can be read.
#pragma once

#include <string>
#include <vector>

#include "durascribe/domain/transcript.h"

namespace durascribe::domain {

struct CueLimits {
    int line_length = 42;  // Unicode code points; East Asian wide ones count as two
    int lines = 2;
    Millis shortest{1'000};
    Millis longest{7'000};
    double characters_per_second = 20;
    Millis gap{40};  // left between cues where one would touch the next
};

struct Cue {
    AudioSpan span;
    std::vector<std::string> lines;
    std::optional<std::string> speaker;
    bool operator==(const Cue&) const = default;
};

// Cues in order, never overlapping, each within `limits` where the speech allows it. Breaks at
// sentence ends, then at pauses, then at balanced line lengths; a cue never mixes speakers.
std::vector<Cue> shape_cues(const std::vector<Segment>& segments, const CueLimits& limits = {});

}  // namespace durascribe::domain
