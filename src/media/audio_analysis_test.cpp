#include "durascribe/media/audio_analysis.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace durascribe::media {
namespace {

constexpr int kRateHz = 16'000;

std::vector<std::int16_t> tone(double seconds, double hz, double amplitude, int offset = 0) {
    std::vector<std::int16_t> samples(static_cast<std::size_t>(seconds * kRateHz));
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const double phase = 2 * std::numbers::pi * hz * static_cast<double>(i) / kRateHz;
        samples[i] =
            static_cast<std::int16_t>(std::lround(amplitude * 32767 * std::sin(phase)) + offset);
    }
    return samples;
}

AudioAnalysis::Report analyse(std::span<const std::int16_t> samples, bool two_speakers = false,
                              std::size_t piece = 777) {
    AudioAnalysis analysis(two_speakers);
    while (!samples.empty()) {
        const auto part = samples.first(std::min(piece, samples.size()));
        analysis.add(part);
        samples = samples.subspan(part.size());
    }
    return analysis.finish();
}

TEST(AudioAnalysis, OfNothing) {
    const auto report = analyse({});
    EXPECT_EQ(report.duration, Millis(0));
    EXPECT_EQ(report.loudness_lufs, -70);
    EXPECT_EQ(report.peak_dbfs, -120);
    EXPECT_TRUE(report.silences.empty());
    EXPECT_TRUE(report.peaks.min_max.empty());
}

// EBU Tech 3341 case 1: a 1 kHz sine of -23 dBFS on both speakers reads -23 LUFS, ±0.1.
TEST(AudioAnalysis, LoudnessOfTheReferenceTone) {
    const auto samples = tone(20, 1000, std::pow(10, -23.0 / 20));
    EXPECT_NEAR(analyse(samples, true).loudness_lufs, -23.0, 0.1);
    EXPECT_NEAR(analyse(samples, false).loudness_lufs, -26.0, 0.1);
}

TEST(AudioAnalysis, PeakIsOfSamples) {
    EXPECT_NEAR(analyse(tone(1, 440, 0.5)).peak_dbfs, -6.02, 0.01);
    EXPECT_EQ(analyse(std::vector<std::int16_t>{-32768}).peak_dbfs, 0);
}

TEST(AudioAnalysis, WaveformHasAPairForEach100Milliseconds) {
    std::vector<std::int16_t> samples(kRateHz / 10, 0);
    const auto loud = tone(0.15, 1000, 1);
    samples.insert(samples.end(), loud.begin(), loud.end());
    const auto peaks = analyse(samples).peaks;
    EXPECT_EQ(peaks.bucket, Millis(100));
    EXPECT_EQ(peaks.min_max, (std::vector<std::int8_t>{0, 0, -128, 127, -128, 127}));
}

TEST(AudioAnalysis, AnOffsetIsNotASound) {
    const auto report = analyse(std::vector<std::int16_t>(3 * kRateHz, 3000));
    EXPECT_EQ(report.silences, (domain::Silences{{Millis(0), Millis(3000)}}));
}

TEST(AudioAnalysis, SilenceBetweenTones) {
    auto samples = tone(1, 440, 0.3, 500);
    samples.resize(samples.size() + kRateHz / 2, 500);
    const auto again = tone(1, 440, 0.3, 500);
    samples.insert(samples.end(), again.begin(), again.end());
    const auto silences = analyse(samples).silences;
    EXPECT_EQ(silences, (domain::Silences{{Millis(1000), Millis(1500)}}));
}

TEST(AudioAnalysis, HowItIsCutUpDoesNotMatter) {
    const auto samples = tone(1.2345, 313, 0.7);
    const auto whole = analyse(samples, false, samples.size());
    const auto pieces = analyse(samples, false, 1);
    EXPECT_EQ(whole.peaks.min_max, pieces.peaks.min_max);
    EXPECT_EQ(whole.silences, pieces.silences);
    EXPECT_NEAR(whole.loudness_lufs, pieces.loudness_lufs, 1e-6);
}

TEST(AudioAnalysis, LongMediaGetsLongerBucketsNotMore) {
    AudioAnalysis analysis(false);
    const auto minute = std::vector<std::int16_t>(60 * kRateHz, 0);
    for (int i = 0; i < 125; ++i) {
        analysis.add(i == 122 ? tone(60, 100, 0.5) : minute);
    }
    const auto report = analysis.finish();
    EXPECT_EQ(report.peaks.bucket, Millis(200));
    ASSERT_EQ(report.peaks.min_max.size(), 2U * 125 * 60 * 5);
    const std::size_t loud = 2U * 122 * 60 * 5;
    EXPECT_EQ(report.peaks.min_max[loud - 1], 0);
    EXPECT_EQ(report.peaks.min_max[loud + 1], 64);
    EXPECT_EQ(report.peaks.min_max[loud + 2 * 300 - 1], 64);
    EXPECT_EQ(report.peaks.min_max[loud + 2 * 300 + 1], 0);
}

}  // namespace
}  // namespace durascribe::media
