#include "durascribe/domain/chunk_plan.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <random>

namespace durascribe::domain {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

AudioSpan span_ms(int from, int to) {
    return {Millis{from}, Millis{to}};
}

// A breath of `length` every `every`.
Silences breaths(Millis duration, Millis every, Millis length) {
    Silences s;
    for (Millis at = every; at + length < duration; at += every) {
        s.push_back({at, at + length});
    }
    return s;
}

TEST(ChunkPlan, SilenceAloneNeedsNoChunk) {
    EXPECT_TRUE(plan_chunks(seconds{60}, {span_ms(0, 60'000)}).empty());
    EXPECT_TRUE(plan_chunks(Millis{0}, {}).empty());
}

TEST(ChunkPlan, AShortClipIsOneChunk) {
    EXPECT_EQ(plan_chunks(Millis{400}, {}), std::vector{span_ms(0, 400)});
    const auto silences = breaths(seconds{5}, Millis{1'000}, Millis{400});
    EXPECT_EQ(plan_chunks(seconds{5}, silences, {.parallel = 4}), std::vector{span_ms(0, 5'000)});
}

TEST(ChunkPlan, SilentEndsAreLeftOutButForAPadding) {
    EXPECT_EQ(plan_chunks(seconds{30}, {span_ms(0, 5'000), span_ms(20'000, 30'000)}),
              std::vector{span_ms(4'800, 20'200)});
}

TEST(ChunkPlan, ALongSilenceIsLeftOut) {
    EXPECT_EQ(plan_chunks(seconds{130}, {span_ms(30'000, 100'000)}),
              (std::vector{span_ms(0, 30'200), span_ms(99'800, 130'000)}));
}

TEST(ChunkPlan, CutsInTheMiddleOfTheLongestSilenceNearTheTarget) {
    const Silences s = {span_ms(28'000, 28'300), span_ms(31'000, 32'200), span_ms(33'000, 33'300)};
    EXPECT_EQ(plan_chunks(seconds{62}, s),
              (std::vector{span_ms(0, 31'600), span_ms(31'600, 62'000)}));
}

TEST(ChunkPlan, TwoSlotsShareAShortTalk) {
    const auto s = breaths(seconds{40}, Millis{2'000}, Millis{400});
    const auto chunks = plan_chunks(seconds{40}, s, {.parallel = 2});
    ASSERT_EQ(chunks.size(), 2U);
    EXPECT_NEAR(static_cast<double>(chunks[0].length().count()), 20'000, 1'500);
}

TEST(ChunkPlan, WithoutASilenceAShortTalkIsNotCutForTheSlots) {
    EXPECT_EQ(plan_chunks(seconds{40}, {}, {.parallel = 2}), std::vector{span_ms(0, 40'000)});
}

TEST(ChunkPlan, ATalkEndsEvenly) {
    const auto s = breaths(minutes{9}, Millis{3'700}, Millis{450});
    const auto chunks = plan_chunks(minutes{9}, s, {.parallel = 2});
    EXPECT_EQ(chunks.size() % 2, 0U);
    for (const auto& c : chunks) {
        EXPECT_GT(c.length(), seconds{20});
        EXPECT_LT(c.length(), seconds{40});
    }
}

TEST(ChunkPlan, SoundWithoutSilenceIsCutEvenly) {
    EXPECT_EQ(plan_chunks(Millis{61'000}, {}),
              (std::vector{span_ms(0, 30'500), span_ms(30'500, 61'000)}));
}

TEST(ChunkPlan, AShortSoundBetweenLongSilencesIsStretched) {
    EXPECT_EQ(plan_chunks(seconds{60}, {span_ms(0, 30'000), span_ms(30'200, 60'000)}),
              std::vector{span_ms(29'800, 30'800)});
}

TEST(ChunkPlan, TenHoursArePlannedAtOnce) {
    const auto s = breaths(hours{10}, Millis{1'800}, Millis{300});
    ASSERT_GT(s.size(), 19'000U);
    const std::clock_t before = std::clock();  // of this process's own time
    const auto chunks = plan_chunks(hours{10}, s);
    EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC);
    EXPECT_NEAR(static_cast<double>(chunks.size()), 1'200, 150);
}

// ---- properties -------------------------------------------------------------------------------

struct Audio {
    Millis duration{0};
    Silences silences;
};

Audio any_audio() {
    // Sound and silence by turns; now and then a long one.
    const auto draws = *rc::gen::container<std::vector<std::pair<int, int>>>(
        rc::gen::pair(rc::gen::oneOf(rc::gen::inRange(1, 8'000), rc::gen::inRange(1, 200'000)),
                      rc::gen::oneOf(rc::gen::inRange(1, 1'500), rc::gen::inRange(1, 30'000))));
    Audio audio;
    Millis at{*rc::gen::element(0, 0, 300, 5'000)};
    if (at > Millis{0}) {
        audio.silences.push_back({Millis{0}, at});
    }
    for (const auto& [sound, silence] : draws) {
        at += Millis{sound};
        audio.silences.push_back({at, at + Millis{silence}});
        at += Millis{silence};
    }
    audio.duration = at + Millis{*rc::gen::element(0, 400, 40'000, 90'000)};
    return audio;
}

bool silent(const Silences& silences, AudioSpan span) {
    return span.length() <= Millis{0} || std::ranges::any_of(silences, [&](const AudioSpan& s) {
               return s.start <= span.start && span.end <= s.end;
           });
}

// Whether a chunk that starts there could have ended in a silence.
bool silence_in_range(const Silences& silences, Millis start, const ChunkLimits& limits) {
    return std::ranges::any_of(silences, [&](const AudioSpan& s) {
        return s.length() >= limits.least_silence && s.start > start + limits.shortest &&
               s.start <= start + limits.longest;
    });
}

TEST(ChunkPlan, HoldsWhatItPromises) {
    EXPECT_TRUE(rc::check("coverage, order, bounds, cuts in silence", [] {
        const Audio audio = any_audio();
        const ChunkLimits limits{.parallel = *rc::gen::inRange(1, 5)};
        const auto chunks = plan_chunks(audio.duration, audio.silences, limits);
        Millis covered{0};
        for (std::size_t i = 0; i < chunks.size(); ++i) {
            const auto& c = chunks[i];
            RC_ASSERT((c.start >= covered && c.end <= audio.duration && c.start < c.end));
            RC_ASSERT(c.length() <= limits.longest);
            RC_ASSERT(silent(audio.silences, {covered, c.start}));  // what is left out is silence
            const bool in_sound = !silent(audio.silences, {c.end, c.end + Millis{1}}) &&
                                  !silent(audio.silences, {c.end - Millis{1}, c.end});
            if (in_sound && c.end < audio.duration) {
                RC_ASSERT(!silence_in_range(audio.silences, c.start, limits));
            }
            covered = c.end;
        }
        RC_ASSERT(silent(audio.silences, {covered, audio.duration}));
    }));
}

TEST(ChunkPlan, NoChunkIsTooShortWhereItsNeighboursHaveRoom) {
    EXPECT_TRUE(rc::check("shortest", [] {
        const Audio audio = any_audio();
        const ChunkLimits limits;
        const auto chunks = plan_chunks(audio.duration, audio.silences, limits);
        for (std::size_t i = 0; i < chunks.size(); ++i) {
            if (chunks[i].length() >= limits.shortest || audio.duration < limits.shortest) {
                continue;
            }
            // Only where joining it to either side would be longer than a chunk may be.
            RC_ASSERT((i == 0 || chunks[i].end - chunks[i - 1].start > limits.longest));
            RC_ASSERT(
                (i + 1 == chunks.size() || chunks[i + 1].end - chunks[i].start > limits.longest));
        }
    }));
}

}  // namespace
}  // namespace durascribe::domain
