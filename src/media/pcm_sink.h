// Resamples decoded audio to 16 kHz mono, lays it on the media's timeline, measures and writes it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/media/audio_analysis.h"
#include "durascribe/media/handles.h"

namespace durascribe::media {

// How the frames' timestamps are to be read.
struct Timeline {
    AVRational time_base{1, 1};
    std::int64_t zero_us = 0;
    bool real_timestamps = false;     // else the audio is taken as without holes
    Millis longest_gap{0};            // a longer jump is a clock that was set, not a hole
    std::optional<Millis> media_end;  // a hole does not reach behind it
};

// Used by one thread; written() from any.
class PcmSink {
  public:
    PcmSink(int fd, const Timeline& timeline, Millis longest, bool two_speakers);

    // Errors: input/too_long, input/unsupported_audio, storage.
    Result<void> accept(const AVFrame& frame);
    // What swresample still holds, and what was buffered, written out.
    Result<void> flush();
    // Call after flush().
    AudioAnalysis::Report report() { return analysis_.finish(); }

    Millis written() const {
        return Millis(written_.load(std::memory_order_relaxed) * 1000 / 16'000);
    }
    bool decoded_anything() const { return decoded_anything_; }
    // Whether a jump in the timestamps was not followed: times after it may be off.
    bool lost_the_clock() const { return lost_the_clock_; }

  private:
    Result<void> adapt_to(const AVFrame& frame);
    Result<void> align(const AVFrame& frame);
    Result<void> convert(const std::uint8_t** planes, int samples);
    Result<void> deliver(std::span<const std::int16_t> samples);
    Result<void> deliver_silence(std::int64_t samples);
    Result<void> write_out();

    int fd_;
    Timeline timeline_;
    std::int64_t samples_max_;
    AudioAnalysis analysis_;

    SwrPtr swr_;  // for the three below
    int format_ = -1;
    int rate_ = 0;
    AVChannelLayout layout_{};  // native or unspecified order: owns nothing

    std::atomic<std::int64_t> written_{0};  // samples delivered
    std::int64_t clock_offset_us_ = 0;  // added to timestamps after a jump that was not followed
    std::int64_t filled_us_ = 0;
    bool decoded_anything_ = false;
    bool lost_the_clock_ = false;
    std::vector<std::int16_t> converted_;
    std::vector<std::int16_t> buffer_;
};

}  // namespace durascribe::media
