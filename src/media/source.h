// An opened container with one audio track chosen in it.
#pragma once

#include <optional>

#include "durascribe/base/error.h"
#include "durascribe/domain/media_info.h"
#include "durascribe/media/fd_input.h"
#include "durascribe/media/handles.h"
#include "durascribe/media/log_capture.h"

namespace durascribe::media {

// FFmpeg's names of the containers that are opened, with commas.
const char* container_formats();

// Only containers and audio decoders on this layer's lists are ever opened; playlists and anything
// else that would read a second file are refused. Video is noticed, not decoded here (poster.h).
class Source {
  public:
    Source(int fd, const LogCapture& log);

    // Errors: as extract() says, up to unsupported_codec.
    Result<void> open(std::optional<int> wanted_track);

    AVFormatContext* format() { return format_.get(); }
    AVStream* stream() { return stream_; }
    const AVCodec* decoder() const { return decoder_; }
    int read_error() const { return input_.read_error(); }
    Error unreadable_media() const {  // of read_error()
        return unreadable(read_error(), "the media",
                          "Then delete the media, and upload the file again.");
    }
    // Container, tracks and choice; what only decoding tells is left at its defaults.
    const domain::MediaInfo& info() const { return info_; }

    // Where the media's timeline starts, in microseconds of its timestamps: what a player shows
    // as 0:00.
    std::int64_t zero_us() const;
    // Whether a jump in the timestamps tells of a hole in the audio.
    bool has_real_timestamps() const;
    // Length of the chosen track on that timeline as the header promises it; none: no promise.
    std::optional<Millis> promised() const;
    // About how long it is, by whatever tells of it before it is decoded; none: nothing does.
    std::optional<Millis> expected() const;

  private:
    int try_to_open();
    Result<void> open_container();
    void list_tracks();
    Result<void> choose(std::optional<int> wanted_track);
    Result<void> find_decoder();

    const LogCapture& log_;
    FdInput input_;
    FormatPtr format_;  // after input_, which it reads until it is closed
    AVStream* stream_ = nullptr;
    const AVCodec* decoder_ = nullptr;
    domain::MediaInfo info_;
};

}  // namespace durascribe::media
