#include "durascribe/speech/utterances.h"

#include <algorithm>
#include <cmath>

#include "durascribe/base/error.h"
#include "durascribe/speech/recognizer.h"

namespace durascribe::speech {
namespace {

constexpr int kFrameMs = 10;
constexpr std::size_t kFrameSamples = kSampleRateHz * kFrameMs / 1000;

// In dB over one unit of 16-bit amplitude, so that full scale is about 90.
constexpr float kInaudible = 20;        // -70 dBFS
constexpr float kAboveBackground = 12;  // speech is at least this much louder than the background
constexpr float kBelowSpeech = 10;      // and a pause at least this much quieter than speech

struct FrameRange {
    std::size_t begin;
    std::size_t end;
};

float loudness(std::span<const std::int16_t> frame) {
    double sum = 0;
    double squares = 0;
    for (const std::int16_t sample : frame) {
        sum += sample;
        squares += static_cast<double>(sample) * sample;
    }
    const auto n = static_cast<double>(frame.size());
    const double variance = squares / n - (sum / n) * (sum / n);  // a constant offset is no sound
    return static_cast<float>(10 * std::log10(std::max(variance, 0.0) + 1));
}

std::vector<float> frame_loudness(std::span<const std::int16_t> pcm) {
    std::vector<float> frames;
    frames.reserve(pcm.size() / kFrameSamples + 1);
    for (std::size_t at = 0; at < pcm.size(); at += kFrameSamples) {
        frames.push_back(loudness(pcm.subspan(at, std::min(kFrameSamples, pcm.size() - at))));
    }
    return frames;
}

float silence_threshold(std::vector<float> frames) {
    const auto percentile = [&](std::size_t percent) {
        const auto at =
            frames.begin() + static_cast<std::ptrdiff_t>((frames.size() - 1) * percent / 100);
        std::ranges::nth_element(frames, at);
        return *at;
    };
    const float background = percentile(5);
    const float speech = percentile(95);
    if (speech - background < kAboveBackground) {
        return kInaudible;  // all background or all speech: nothing in it tells which
    }
    return std::max(std::min(background + kAboveBackground, speech - kBelowSpeech), kInaudible);
}

std::size_t frames_in(int ms) {
    return static_cast<std::size_t>(ms / kFrameMs);
}

// Stretches of sound between pauses that are long enough, each with its margin.
std::vector<FrameRange> between_pauses(const std::vector<float>& frames,
                                       const UtteranceLimits& limits) {
    const float threshold = silence_threshold(frames);
    const std::size_t least = std::max<std::size_t>(frames_in(limits.least_silence_ms), 1);
    std::vector<FrameRange> sounds;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        if (frames[i] < threshold) {
            continue;
        }
        if (!sounds.empty() && i - sounds.back().end < least) {
            sounds.back().end = i + 1;
        } else {
            sounds.push_back({i, i + 1});
        }
    }
    const std::size_t margin = frames_in(limits.margin_ms);
    std::size_t free_from = 0;  // where the silence before the next sound begins
    for (std::size_t i = 0; i < sounds.size(); ++i) {
        FrameRange& sound = sounds[i];
        const bool last = i + 1 == sounds.size();
        const std::size_t before = sound.begin - free_from;
        const std::size_t after = (last ? frames.size() : sounds[i + 1].begin) - sound.end;
        free_from = sound.end;
        sound.begin -= std::min(margin, i == 0 ? before : before / 2);
        sound.end += std::min(margin, last ? after : after / 2);
    }
    return sounds;
}

// The middle of the quietest 100 ms in [from, to).
std::size_t quietest(const std::vector<float>& frames, std::size_t from, std::size_t to) {
    constexpr std::size_t kWindow = 10;
    std::size_t best = to;
    float least = 0;
    for (std::size_t i = from; i + kWindow <= to; ++i) {
        float sum = 0;
        for (std::size_t k = i; k < i + kWindow; ++k) {
            sum += frames[k];
        }
        if (best == to || sum < least) {
            least = sum;
            best = i + kWindow / 2;
        }
    }
    return best;
}

}  // namespace

std::vector<SampleRange> split_utterances(std::span<const std::int16_t> pcm,
                                          const UtteranceLimits& limits) {
    const std::size_t longest = frames_in(limits.longest_ms);
    DURASCRIBE_ASSERT(longest >= 100);  // a cut is looked for in the second half of it
    std::vector<SampleRange> utterances;
    if (pcm.empty()) {
        return utterances;
    }
    const std::vector<float> frames = frame_loudness(pcm);
    const auto add = [&](std::size_t begin, std::size_t end) {
        utterances.push_back({begin * kFrameSamples, std::min(end * kFrameSamples, pcm.size())});
    };
    for (FrameRange range : between_pauses(frames, limits)) {
        while (range.end - range.begin > longest) {
            const std::size_t cut =
                quietest(frames, range.begin + longest / 2, range.begin + longest);
            add(range.begin, cut);
            range.begin = cut;
        }
        add(range.begin, range.end);
    }
    return utterances;
}

}  // namespace durascribe::speech
