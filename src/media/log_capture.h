// What FFmpeg logs, kept for Error::detail instead of standard error.
#pragma once

#include <string>
#include <string_view>

namespace durascribe::media {

// From the first one on, FFmpeg writes nothing to standard error in this process. FFmpeg has one
// log for all: two captures at once see each other's lines. Thread-safe.
class LogCapture {
  public:
    LogCapture();  // starts empty

    // The first lines of level error and warning, at most 4 KiB.
    std::string text() const;
    bool contains(std::string_view words) const;
    // Whether a demuxer found the file shorter than its own index says.
    bool saw_early_end() const;
};

}  // namespace durascribe::media
