#include "durascribe/media/audio_analysis.h"

#include <ebur128.h>

#include <algorithm>
#include <cmath>
#include <new>

#include "durascribe/base/error.h"

namespace durascribe::media {
namespace {

constexpr unsigned kRateHz = 16'000;
constexpr std::size_t kWindowSamples = kRateHz * 20 / 1000;
constexpr double kFullScale = 32768;

// [-32768, 32767] to [-128, 127].
std::int8_t to_int8(int sample) {
    return static_cast<std::int8_t>(sample >> 8);
}

}  // namespace

class AudioAnalysis::Loudness {
  public:
    // With a histogram its memory does not grow with the length.
    explicit Loudness(bool two_speakers)
        : state_(ebur128_init(1, kRateHz, EBUR128_MODE_I | EBUR128_MODE_HISTOGRAM)) {
        if (state_ == nullptr) {
            throw std::bad_alloc();
        }
        if (two_speakers) {
            DURASCRIBE_ASSERT(ebur128_set_channel(state_, 0, EBUR128_DUAL_MONO) == EBUR128_SUCCESS);
        }
    }
    ~Loudness() { ebur128_destroy(&state_); }
    Loudness(const Loudness&) = delete;
    Loudness& operator=(const Loudness&) = delete;

    void add(std::span<const std::int16_t> samples) {
        if (ebur128_add_frames_short(state_, samples.data(), samples.size()) != EBUR128_SUCCESS) {
            throw std::bad_alloc();
        }
    }
    double lufs() const {
        double value = -HUGE_VAL;
        DURASCRIBE_ASSERT(ebur128_loudness_global(state_, &value) == EBUR128_SUCCESS);
        return std::max(value, -70.0);
    }

  private:
    ebur128_state* state_;
};

AudioAnalysis::AudioAnalysis(bool two_speakers)
    : loudness_(std::make_unique<Loudness>(two_speakers)) {}

AudioAnalysis::~AudioAnalysis() = default;

void AudioAnalysis::add(std::span<const std::int16_t> samples) {
    loudness_->add(samples);
    samples_ += static_cast<std::int64_t>(samples.size());
    while (!samples.empty()) {
        const auto part = samples.first(std::min(samples.size(), kWindowSamples - window_filled_));
        std::int64_t sum = 0;
        std::int64_t squares = 0;
        int least = 0;
        int most = 0;
        for (const std::int16_t s : part) {
            const int value = s;
            sum += value;
            squares += value * value;
            least = std::min(least, value);
            most = std::max(most, value);
        }
        window_sum_ += sum;
        window_squares_ += squares;
        window_min_ = std::min(window_min_, least);
        window_max_ = std::max(window_max_, most);
        window_filled_ += part.size();
        samples = samples.subspan(part.size());
        if (window_filled_ == kWindowSamples) {
            end_window();
        }
    }
}

void AudioAnalysis::end_window() {
    // Without the mean: a constant offset of a bad sound card is not heard, but would bury the
    // floor.
    const auto n = static_cast<double>(window_filled_);
    const double mean = static_cast<double>(window_sum_) / n;
    const double square = static_cast<double>(window_squares_) / n - mean * mean;
    levels_.push_back(level_of(square / (kFullScale * kFullScale)));

    peak_ = std::max({peak_, window_max_, -window_min_});
    bucket_min_ = std::min(bucket_min_, window_min_);
    bucket_max_ = std::max(bucket_max_, window_max_);
    window_sum_ = 0;
    window_squares_ = 0;
    window_filled_ = 0;
    window_min_ = 0;
    window_max_ = 0;
    if (++bucket_filled_ == windows_per_bucket_) {
        end_bucket();
    }
}

void AudioAnalysis::end_bucket() {
    if (min_max_.size() == 2 * kBucketsMax) {
        for (std::size_t i = 0; i < kBucketsMax; i += 2) {
            min_max_[i] = std::min(min_max_[2 * i], min_max_[2 * i + 2]);
            min_max_[i + 1] = std::max(min_max_[2 * i + 1], min_max_[2 * i + 3]);
        }
        min_max_.resize(kBucketsMax);
        windows_per_bucket_ *= 2;
        return;  // the bucket that was full is the first half of a longer one
    }
    min_max_.push_back(to_int8(bucket_min_));
    min_max_.push_back(to_int8(bucket_max_));
    bucket_filled_ = 0;
    bucket_min_ = 0;
    bucket_max_ = 0;
}

AudioAnalysis::Report AudioAnalysis::finish() {
    if (window_filled_ > 0) {
        end_window();
    }
    if (bucket_filled_ > 0) {
        end_bucket();
        if (bucket_filled_ > 0) {
            end_bucket();  // the first call made the others longer
        }
    }
    Report report;
    report.duration = Millis(samples_ * 1000 / kRateHz);
    report.loudness_lufs = loudness_->lufs();
    report.peak_dbfs = peak_ == 0 ? -120 : 20 * std::log10(peak_ / kFullScale);
    report.silences = find_silences(levels_, report.duration);
    report.peaks.bucket = kWindow * static_cast<std::int64_t>(windows_per_bucket_);
    report.peaks.min_max = std::move(min_max_);
    return report;
}

}  // namespace durascribe::media
