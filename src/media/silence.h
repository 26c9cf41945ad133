// Finds the pauses in a recording from its loudness over time. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "durascribe/domain/media_info.h"

namespace durascribe::media {

inline constexpr Millis kWindow{20};  // one level for each
inline constexpr Millis kLeastSilence{200};
inline constexpr std::size_t kSilencesMax = 100'000;  // some megabytes of JSON at most

// The RMS of a window without its mean, in half decibels above -100 dBFS. 0 is digital silence.
using Level = std::uint8_t;
Level level_of(double mean_square);  // of samples in [-1, 1]
double dbfs_of(Level level);

// Silence is what stays near the noise floor of its surroundings (about half a minute), so that a
// recording in a noisy room has its pauses too. Speech that is merely quieter than the rest is not
// silence: the floor decides, not the loudest voice. A sound that never pauses (a tone, dense
// music) has no silences; where nothing reaches -60 dBFS, all is one. Ordered, not overlapping,
// within [0, duration]. Where there would be more than kSilencesMax, the shortest are left out.
// `levels` holds one entry for each kWindow of `duration`, the last window perhaps incomplete.
domain::Silences find_silences(std::span<const Level> levels, Millis duration);

}  // namespace durascribe::media
