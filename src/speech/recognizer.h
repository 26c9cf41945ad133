// What every recogniser promises. Which recognisers there are, and how one is loaded, is in
// engines/engines.h.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/domain/transcript.h"

namespace durascribe::speech {

inline constexpr int kSampleRateHz = 16'000;

// Audio worked through since the start of the call; never goes back, ends at the audio's length.
// Called from the thread that called recognize; must not throw.
using OnProgress = std::function<void(Millis audio_done)>;

// A recogniser with its model in memory. One thread at a time.
class Recognizer {
  public:
    virtual ~Recognizer() = default;

    // The speech in `pcm` (mono, kSampleRateHz) as segments, one per stretch between silences, in
    // order and not overlapping. Every time in them is `offset` + the position in `pcm`. The result
    // depends on `pcm` and `offset` alone, not on what was recognised before. Silence, noise
    // without words and audio too short for a word give no segments and no error. Progress comes at
    // least once per 2 s of audio, or as the engine allows where it says otherwise. Errors: model
    // "recognition_failed".
    virtual Result<std::vector<domain::Segment>> recognize(std::span<const std::int16_t> pcm,
                                                           Millis offset,
                                                           const OnProgress& on_progress) = 0;

    virtual std::string_view engine() const = 0;   // "pocketsphinx"
    virtual std::string_view model() const = 0;    // "en-us"
    virtual std::string_view version() const = 0;  // of the engine, as it was built
};

}  // namespace durascribe::speech
