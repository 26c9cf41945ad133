// Positions in audio: milliseconds from the start of the media, half open.
#pragma once

#include "durascribe/base/time.h"

namespace durascribe::domain {

struct AudioSpan {
    Millis start{0};
    Millis end{0};  // exclusive
    Millis length() const { return end - start; }
    bool operator==(const AudioSpan&) const = default;
};

}  // namespace durascribe::domain
