// Measures 16 kHz mono PCM while it passes: loudness, sample peak, silences, waveform.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "durascribe/domain/media_info.h"
#include "durascribe/media/silence.h"

namespace durascribe::media {

// Fed by one thread. Keeps one byte for each 20 ms (180 kB an hour) and a bounded rest.
class AudioAnalysis {
  public:
    static constexpr std::size_t kBucketsMax = 72'000;  // two hours of 100 ms

    // Loudness is measured on the mono mix. Where the source had two channels or more, the mix is
    // counted as heard from two speakers (BS.1770's dual mono), which gives the stereo source's own
    // loudness where both channels carry the same, and up to 3 LU less where they do not.
    explicit AudioAnalysis(bool two_speakers);
    ~AudioAnalysis();
    AudioAnalysis(const AudioAnalysis&) = delete;
    AudioAnalysis& operator=(const AudioAnalysis&) = delete;

    void add(std::span<const std::int16_t> samples);

    struct Report {
        Millis duration{0};
        double loudness_lufs = -70;  // -70: silence, or shorter than 400 ms
        double peak_dbfs = -120;
        domain::Silences silences;
        domain::WaveformPeaks peaks;
    };
    // Call once, after the last add().
    Report finish();

  private:
    void end_window();
    void end_bucket();

    class Loudness;
    std::unique_ptr<Loudness> loudness_;
    std::int64_t samples_ = 0;
    int peak_ = 0;

    std::int64_t window_sum_ = 0;
    std::int64_t window_squares_ = 0;
    std::size_t window_filled_ = 0;
    std::vector<Level> levels_;

    // A bucket is a whole number of windows.
    std::size_t windows_per_bucket_ = 5;
    std::size_t bucket_filled_ = 0;  // windows
    int bucket_min_ = 0;
    int bucket_max_ = 0;
    int window_min_ = 0;
    int window_max_ = 0;
    std::vector<std::int8_t> min_max_;
};

}  // namespace durascribe::media
