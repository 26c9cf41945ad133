// Which engine and model a task gets where it asks for "auto". Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/domain/media_info.h"

namespace durascribe::domain {

// One model that is installed.
struct ModelCandidate {
    std::string engine;
    std::string model;
    std::int64_t memory_bytes = 0;       // resident while it works; 0: not known
    int accuracy = 0;                    // rank among all candidates: higher makes fewer errors
    std::vector<std::string> languages;  // BCP 47; empty: any
    // Measured here; before that its engine's guess; 0: neither.
    double seconds_per_audio_second = 0;
};

struct ModelQuestion {
    std::string engine = "auto";  // as the task asks
    std::string model = "auto";
    std::string language;  // BCP 47, or "auto"
    Millis duration{0};
    double signal_to_noise_db = 0;        // estimated; how hard the audio is
    std::int64_t memory_limit_bytes = 0;  // of one worker; 0: none
    std::int64_t memory_free_bytes = 0;   // of the node, for one more worker; 0: not known
};

struct ModelChoice {
    std::string engine;
    std::string model;
    std::string reason;  // one sentence for a person
    bool operator==(const ModelChoice&) const = default;
};

// nullopt: no candidate fits (the question's engine, model or language is not there).
std::optional<ModelChoice> choose_model(const ModelQuestion& question,
                                        std::span<const ModelCandidate> candidates);

// Whether any candidate is what a task asks for, before the task is made. Errors: input
// "unknown_engine", "unknown_model", "unsupported_language", each naming what was given and what is
// installed. Without any candidate nothing is refused: the recogniser's own error says how to get
// one.
Result<void> check_installed(const std::string& engine, const std::string& model,
                             const std::string& language,
                             std::span<const ModelCandidate> candidates);

// How far speech stands above the noise, from the peaks of a recording: the louder tenth against
// the quieter tenth of its buckets. 0 dB: nothing stands out; at most 42 dB, what 8 bits can tell.
double estimate_signal_to_noise_db(const WaveformPeaks& peaks);

// The most accurate candidate of the same engine and language that needs less memory than `model`;
// nullopt: none does. For the attempt after one that ran out of memory.
std::optional<std::string> next_smaller_model(const std::string& engine, const std::string& model,
                                              const std::string& language,
                                              std::span<const ModelCandidate> candidates);

}  // namespace durascribe::domain
