// Cuts audio into the chunks that are recognised one by one.
#pragma once

#include <vector>

#include "durascribe/domain/audio_span.h"
#include "durascribe/domain/media_info.h"

namespace durascribe::domain {

struct ChunkLimits {
    Millis target{30'000};
    Millis longest{60'000};
    // No chunk is shorter, unless the media is, or its neighbours would be too long with it.
    Millis shortest{1'000};
    Millis least_silence{250};  // a silence shorter than this is not cut at
    int parallel = 1;           // slots: short media is cut so that each has about the same to do
};

// Chunks in order, not overlapping, each at most `longest`. Every moment that is not in a silence
// lies in exactly one chunk. Cuts lie in silences (a silence under 2 s in its middle; of a longer
// one, and of silence at the ends of the media, all but 200 ms beside the sound is left out). Sound
// that has no silence within `longest` is cut evenly. Chunks are about `target` long, or less where
// that lets all slots end together, and longer silences near that length are preferred. Empty if
// all is silence. Takes time linear in the number of silences.
// `silences` as measured: ordered, not overlapping, within [0, duration].
std::vector<AudioSpan> plan_chunks(Millis duration, const Silences& silences,
                                   const ChunkLimits& limits = {});

}  // namespace durascribe::domain
