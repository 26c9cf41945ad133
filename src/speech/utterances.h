// Splits audio at its silences into utterances: the stretches that are recognised as one. No model,
// no learning: energy in frames of 10 ms against a threshold taken from the audio itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace durascribe::speech {

// Samples, half open.
struct SampleRange {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t size() const { return end - begin; }
    bool operator==(const SampleRange&) const = default;
};

struct UtteranceLimits {
    int least_silence_ms = 300;  // a shorter pause does not end an utterance
    int longest_ms = 15'000;     // a longer utterance is cut at its quietest moment
    int margin_ms = 200;         // silence kept around speech, at most half of what there is
};

// Utterances in order, not overlapping; sound louder than the threshold is in exactly one. Empty
// where all is silence. Deterministic.
std::vector<SampleRange> split_utterances(std::span<const std::int16_t> pcm,
                                          const UtteranceLimits& limits = {});

}  // namespace durascribe::speech
