// Cuts audio into the chunks that are recognised one by one.
#pragma once

#include <vector>

#include "durascribe/domain/audio_span.h"
#include "durascribe/domain/media_info.h"

namespace durascribe::domain {

struct ChunkLimits {
    Millis target{30'000};
    Millis longest{60'000};
    Millis shortest{1'000};     // no chunk of sound is shorter, unless the media is
    Millis least_silence{250};  // a silence shorter than this is not cut at
    int parallel = 1;           // slots: short media is cut so that each has about the same to do
};

// Chunks in order, not overlapping, each at most `longest`. Every moment that is not in a silence
// lies in exactly one chunk; long silences between chunks may be left out. Cuts lie in silences
// wherever one reaches into the allowed range; where none does, at `longest`. Empty if all is
// silence. `silences` as measured: ordered, not overlapping, within [0, duration].
std::vector<AudioSpan> plan_chunks(Millis duration, const Silences& silences,
                                   const ChunkLimits& limits = {});

}  // namespace durascribe::domain
