#include "durascribe/domain/chunk_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace durascribe::domain {
namespace {

// A silence of this length or longer is left out where it is cut at, but for the padding.
constexpr Millis kLongSilence{2'000};
constexpr Millis kPadding{200};
// Smaller shares than this are not worth a second slot.
constexpr double kLeastShareMs = 6'000;

// A place to cut at: a silence, or (hard) a moment within sound that has no silence for too long.
// The first and the last stand for the silence, perhaps of no length, at the ends of the media.
struct Boundary {
    AudioSpan silence;
    bool hard = false;
    bool edge = false;

    bool left_out() const { return edge || silence.length() >= kLongSilence; }
    Millis middle() const { return silence.start + silence.length() / 2; }
    // Where a chunk before it ends, and where a chunk after it starts.
    Millis chunk_end() const {
        return left_out() ? std::min(silence.start + kPadding, silence.end) : middle();
    }
    Millis chunk_start() const {
        return left_out() ? std::max(silence.end - kPadding, silence.start) : middle();
    }
};

std::vector<Boundary> boundaries_of(Millis duration, const Silences& silences,
                                    const ChunkLimits& limits) {
    std::vector<Boundary> found;
    found.push_back({.silence = {Millis{0}, Millis{0}}, .edge = true});
    for (AudioSpan s : silences) {
        s.start = std::max(s.start, found.back().silence.end);
        s.end = std::min(s.end, duration);
        if (s.length() < limits.least_silence || s.length() <= Millis{0}) {
            continue;
        }
        if (s.start == Millis{0}) {
            found.front().silence = s;
        } else {
            found.push_back({.silence = s});
        }
    }
    if (found.back().silence.end == duration) {
        found.back().edge = true;
    } else {
        found.push_back({.silence = {duration, duration}, .edge = true});
    }
    return found;
}

// Sound between two silences that is longer than a chunk may be is cut into the fewest equal parts.
std::vector<Boundary> with_hard_cuts(const std::vector<Boundary>& boundaries, Millis longest) {
    std::vector<Boundary> all{boundaries.front()};
    for (std::size_t i = 1; i < boundaries.size(); ++i) {
        const Millis from = boundaries[i - 1].silence.end;
        const Millis sound = boundaries[i].silence.start - from;
        const auto parts = (sound.count() + longest.count() - 1) / longest.count();
        for (std::int64_t k = 1; k < parts; ++k) {
            const Millis at = from + Millis{sound.count() * k / parts};
            all.push_back({.silence = {at, at}, .hard = true});
        }
        all.push_back(boundaries[i]);
    }
    return all;
}

// The length to aim at: such that the chunks come out in whole rounds over the slots.
double ideal_length_ms(const std::vector<Boundary>& boundaries, const ChunkLimits& limits) {
    Millis sound = boundaries.back().silence.start - boundaries.front().silence.end;
    for (std::size_t i = 1; i + 1 < boundaries.size(); ++i) {
        if (boundaries[i].left_out()) {
            sound -= boundaries[i].silence.length();
        }
    }
    const auto total = static_cast<double>(sound.count());
    const auto target = static_cast<double>(limits.target.count());
    const double slots = std::max(limits.parallel, 1);
    const double rounds = std::max(1.0, std::round(total / (slots * target)));
    return std::clamp(total / (slots * rounds), std::min(kLeastShareMs, target),
                      static_cast<double>(limits.longest.count()));
}

struct Costs {
    double ideal_ms;
    Millis shortest;

    // Of a chunk's length: the square keeps the lengths even, so that no tiny one is left at an
    // end.
    double length(Millis l) const {
        const double off = (static_cast<double>(l.count()) - ideal_ms) / ideal_ms;
        return off * off + (l < shortest ? 4.0 : 0.0);
    }
    // Of a cut: a breath is a poor place, a second of silence a good one.
    static double cut(const Boundary& b) {
        if (b.edge) {
            return 0;
        }
        const double s = static_cast<double>(b.silence.length().count()) / 1000.0;
        return 0.3 * (1 - std::min(s, 1.0));
    }
    // Of a long silence that stays within a chunk and is decoded for nothing.
    static double kept(const Boundary& b) {
        const auto over = b.silence.length() - kLongSilence;
        return over > Millis{0} ? static_cast<double>(over.count()) / 5'000.0 : 0.0;
    }
};

// The chunk between two boundaries, its silent ends shaved where it would be longer than allowed.
AudioSpan chunk_between(const Boundary& from, const Boundary& to, Millis longest) {
    AudioSpan chunk{from.chunk_start(), to.chunk_end()};
    const Millis excess = chunk.length() - longest;
    if (excess > Millis{0}) {
        const Millis at_start =
            std::min(from.silence.end - chunk.start,
                     std::max(excess / 2, excess - (chunk.end - to.silence.start)));
        chunk.start += at_start;
        chunk.end -= excess - at_start;
    }
    return chunk;
}

// Whether a chunk from i may end at j, beyond the boundaries between them: not at a hard cut, where
// it could have ended in a silence and been long enough.
bool may_end_at(const std::vector<Boundary>& boundaries, std::size_t i, std::size_t j,
                Millis shortest) {
    const Boundary& last = boundaries[j - 1];
    return !boundaries[j].hard ||
           (!last.hard && last.silence.start <= boundaries[i].chunk_start() + shortest);
}

// A short sound between long silences takes more of them: recognisers want a little to hear.
void stretch_short_ones(std::vector<AudioSpan>& chunks, Millis duration, Millis shortest) {
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        const Millis from = i == 0 ? Millis{0} : chunks[i - 1].end;
        const Millis to = i + 1 == chunks.size() ? duration : chunks[i + 1].start;
        if (chunks[i].length() < shortest) {
            chunks[i].end = std::min(to, chunks[i].start + shortest);
        }
        if (chunks[i].length() < shortest) {
            chunks[i].start = std::max(from, chunks[i].end - shortest);
        }
    }
}

}  // namespace

std::vector<AudioSpan> plan_chunks(Millis duration, const Silences& silences,
                                   const ChunkLimits& limits) {
    if (duration <= Millis{0}) {
        return {};
    }
    const Millis longest = std::max(limits.longest, Millis{1});
    const auto natural = boundaries_of(duration, silences, limits);
    if (natural.size() < 2) {
        return {};  // one silence from end to end
    }
    const auto boundaries = with_hard_cuts(natural, longest);
    const Costs costs{ideal_length_ms(boundaries, limits), limits.shortest};

    // The cheapest way to each boundary. A chunk holds at most longest / least_silence boundaries,
    // so that this is linear in the length of the media.
    std::vector<double> best(boundaries.size(), std::numeric_limits<double>::infinity());
    std::vector<std::size_t> came_from(boundaries.size(), 0);
    best[0] = 0;
    for (std::size_t j = 1; j < boundaries.size(); ++j) {
        double kept = 0;
        for (std::size_t i = j; i-- > 0;) {
            const Millis sound = boundaries[j].silence.start - boundaries[i].silence.end;
            if (sound > longest || (i + 1 < j && !may_end_at(boundaries, i, j, limits.shortest))) {
                break;
            }
            const AudioSpan chunk = chunk_between(boundaries[i], boundaries[j], longest);
            const double cost =
                best[i] + kept + costs.length(chunk.length()) + Costs::cut(boundaries[j]);
            if (cost < best[j]) {
                best[j] = cost;
                came_from[j] = i;
            }
            kept += Costs::kept(boundaries[i]);
        }
    }

    std::vector<AudioSpan> chunks;
    for (std::size_t j = boundaries.size() - 1; j > 0; j = came_from[j]) {
        chunks.push_back(chunk_between(boundaries[came_from[j]], boundaries[j], longest));
    }
    std::ranges::reverse(chunks);
    stretch_short_ones(chunks, duration, limits.shortest);
    return chunks;
}

}  // namespace durascribe::domain
