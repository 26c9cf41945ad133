#include "durascribe/media/silence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace durascribe::media {
namespace {

constexpr double kLowestDbfs = -100;
constexpr double kStepsPerDb = 2;
constexpr Level level_at(double dbfs) {
    return static_cast<Level>((dbfs - kLowestDbfs) * kStepsPerDb);
}
constexpr Level decibels(double db) {
    return static_cast<Level>(db * kStepsPerDb);
}

constexpr Level kAudible = level_at(-60);    // nothing above it: all is silence
constexpr Level kInaudible = level_at(-70);  // always silence
constexpr std::size_t kBlock = 500;          // windows: 10 s, judged with the block on either side

using Histogram = std::array<std::uint32_t, 256>;

// The level below which `share` of the counted windows lie; digital silence is not counted, for it
// tells nothing of the noise of a room.
Level percentile(const Histogram& h, double share) {
    std::uint64_t total = 0;
    for (std::size_t i = 1; i < h.size(); ++i) {
        total += h[i];
    }
    const auto wanted = static_cast<std::uint64_t>(static_cast<double>(total) * share);
    std::uint64_t seen = 0;
    for (std::size_t i = 1; i < h.size(); ++i) {
        seen += h[i];
        if (seen > wanted) {
            return static_cast<Level>(i);
        }
    }
    return 0;
}

// The highest level that still counts as silence in each block.
std::vector<Level> thresholds(std::span<const Level> levels) {
    Histogram audible{};
    for (const Level level : levels) {
        audible[level] += level > kAudible ? 1 : 0;
    }
    // Within 6 dB of the loud parts nothing is a pause, however steady it is.
    const int ceiling = percentile(audible, 0.95) - decibels(6);

    const std::size_t blocks = (levels.size() + kBlock - 1) / kBlock;
    std::vector<Level> result;
    result.reserve(blocks);
    for (std::size_t b = 0; b < blocks; ++b) {
        const std::size_t from = (b == 0 ? 0 : b - 1) * kBlock;
        const std::size_t to = std::min((b + 2) * kBlock, levels.size());
        Histogram near{};
        for (std::size_t i = from; i < to; ++i) {
            ++near[levels[i]];
        }
        const int floor = percentile(near, 0.10);
        const int loud = percentile(near, 0.95);
        const int margin = std::clamp((loud - floor) * 3 / 10, int{decibels(3)}, int{decibels(10)});
        const int threshold = std::max(std::min(floor + margin, ceiling), int{kInaudible});
        result.push_back(static_cast<Level>(threshold));
    }
    return result;
}

void keep_longest(domain::Silences& silences) {
    if (silences.size() <= kSilencesMax) {
        return;
    }
    std::vector<Millis> lengths;
    lengths.reserve(silences.size());
    for (const auto& s : silences) {
        lengths.push_back(s.length());
    }
    const auto cut = lengths.begin() + static_cast<std::ptrdiff_t>(kSilencesMax);
    std::nth_element(lengths.begin(), cut, lengths.end(), std::greater<>());
    // Those as long as the first that is left out go too: which of equals stay would be chance.
    std::erase_if(silences, [&](const auto& s) { return s.length() <= *cut; });
}

}  // namespace

Level level_of(double mean_square) {
    if (mean_square <= 0) {
        return 0;
    }
    const double steps = (10 * std::log10(mean_square) - kLowestDbfs) * kStepsPerDb;
    return static_cast<Level>(std::clamp(std::lround(steps), 0L, 200L));
}

double dbfs_of(Level level) {
    return kLowestDbfs + level / kStepsPerDb;
}

domain::Silences find_silences(std::span<const Level> levels, Millis duration) {
    domain::Silences silences;
    if (duration <= Millis(0)) {
        return silences;
    }
    if (std::ranges::none_of(levels, [](Level level) { return level > kAudible; })) {
        silences.push_back({Millis(0), duration});
        return silences;
    }
    const std::vector<Level> limit = thresholds(levels);
    std::size_t start = 0;
    bool silent = false;
    const auto end_at = [&](std::size_t window) {
        const Millis from = kWindow * static_cast<std::int64_t>(start);
        const Millis to = std::min(kWindow * static_cast<std::int64_t>(window), duration);
        if (silent && to - from >= kLeastSilence) {
            silences.push_back({from, to});
        }
    };
    for (std::size_t i = 0; i < levels.size(); ++i) {
        const bool now = levels[i] <= limit[i / kBlock];
        if (now && !silent) {
            start = i;
        } else if (!now) {
            end_at(i);
        }
        silent = now;
    }
    end_at(levels.size());
    keep_longest(silences);
    return silences;
}

}  // namespace durascribe::media
