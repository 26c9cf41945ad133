// Lets FFmpeg read an open file descriptor: no path, no protocol.
#pragma once

#include <cstdint>
#include <optional>

#include "durascribe/base/error.h"
#include "durascribe/media/handles.h"

namespace durascribe::media {

// Must outlive the AVFormatContext that reads from it. One thread at a time.
class FdInput {
  public:
    explicit FdInput(int fd);
    FdInput(const FdInput&) = delete;
    FdInput& operator=(const FdInput&) = delete;

    // Errors: input/empty_file, input/not_media where it is no regular file, storage.
    Result<void> open();

    AVIOContext* io() { return io_.get(); }
    // How many bytes of audio the header of a WAVE file promises, and how many there are; none
    // where it is no WAVE file or its header promises nothing, as that of a recording to a pipe.
    // FFmpeg itself quietly believes the file's size.
    struct WaveBytes {
        std::int64_t promised = 0;
        std::int64_t present = 0;
    };
    std::optional<WaveBytes> wave_bytes() const;
    // Makes the file end where the audio of a WAVE file does, and starts again at its beginning;
    // false: nothing is behind it, or it is no WAVE file.
    Result<bool> leave_out_what_follows_wave_audio();
    // The error number of a read that failed; 0: none did.
    int read_error() const { return read_error_; }

  private:
    struct WaveData {
        std::int64_t at = 0;
        std::uint32_t promised = 0;
    };
    std::optional<WaveData> wave_data() const;
    Result<void> make_io();
    static int read(void* self, std::uint8_t* to, int size);
    static std::int64_t seek(void* self, std::int64_t offset, int whence);

    int fd_;
    std::int64_t size_ = 0;
    std::int64_t position_ = 0;
    int read_error_ = 0;
    IoPtr io_;
};

}  // namespace durascribe::media
