#include "durascribe/media/silence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace durascribe::media {
namespace {

using domain::AudioSpan;

constexpr Millis ms(std::int64_t n) {
    return Millis(n);
}

Level at(double dbfs) {
    return level_of(std::pow(10, dbfs / 10));
}

void append(std::vector<Level>& levels, Millis length, double dbfs) {
    levels.insert(levels.end(), static_cast<std::size_t>(length / kWindow), at(dbfs));
}

// Levels as speech has them: syllables that rise and fall, no window below the room.
void append_speech(std::vector<Level>& levels, Millis length, double loud, double room,
                   std::mt19937& random) {
    std::uniform_real_distribution<double> jitter(-3, 3);
    for (std::int64_t i = 0; i < length / kWindow; ++i) {
        const double syllable = -8 + 8 * std::sin(static_cast<double>(i) * 0.7);
        levels.push_back(at(std::max(loud + syllable + jitter(random), room)));
    }
}

TEST(Silence, LevelsAreHalfDecibels) {
    EXPECT_EQ(level_of(0), 0);
    EXPECT_DOUBLE_EQ(dbfs_of(level_of(1)), 0);
    EXPECT_NEAR(dbfs_of(at(-34.5)), -34.5, 0.01);
    EXPECT_EQ(level_of(1e-30), 0);
}

TEST(Silence, NothingIsNoSilence) {
    EXPECT_TRUE(find_silences({}, ms(0)).empty());
}

TEST(Silence, AllQuietIsOneSilence) {
    std::vector<Level> levels;
    append(levels, ms(1000), -100);
    append(levels, ms(1000), -62);
    EXPECT_EQ(find_silences(levels, ms(1995)), (domain::Silences{{ms(0), ms(1995)}}));
}

TEST(Silence, SteadySoundHasNone) {
    std::vector<Level> levels;
    append(levels, ms(60'000), -12);
    EXPECT_TRUE(find_silences(levels, ms(60'000)).empty());
}

TEST(Silence, PausesInACleanRecording) {
    std::vector<Level> levels;
    append(levels, ms(1000), -100);
    append(levels, ms(4000), -20);
    append(levels, ms(180), -100);  // too short
    append(levels, ms(4000), -20);
    append(levels, ms(200), -100);
    append(levels, ms(4000), -20);
    EXPECT_EQ(find_silences(levels, ms(13'380)),
              (domain::Silences{{ms(0), ms(1000)}, {ms(9180), ms(9380)}}));
}

TEST(Silence, PausesInANoisyRoomAreFoundToo) {
    constexpr unsigned kSeed = 7;
    std::mt19937 random(kSeed);
    std::normal_distribution<double> noise(-33, 0.5);
    std::vector<Level> levels;
    for (int phrase = 0; phrase < 20; ++phrase) {
        append_speech(levels, ms(3000), -15, -32, random);
        for (int i = 0; i < 30; ++i) {
            levels.push_back(at(noise(random)));  // 600 ms
        }
    }
    const auto silences = find_silences(levels, ms(72'000));
    ASSERT_GE(silences.size(), 20U) << "seed " << kSeed;
    for (const AudioSpan& s : silences) {
        EXPECT_GE(s.start % ms(3600), ms(2800)) << s.start.count();
    }
}

TEST(Silence, AQuietSpeakerIsNotSilence) {
    std::mt19937 random(1);
    std::vector<Level> levels;
    append_speech(levels, ms(60'000), -12, -60, random);
    const Millis quiet_from(60'000);
    append_speech(levels, ms(60'000), -38, -60, random);
    append(levels, ms(1000), -60);
    Millis silent_in_quiet(0);
    for (const AudioSpan& s : find_silences(levels, ms(121'000))) {
        silent_in_quiet += s.start >= quiet_from && s.end < ms(120'000) ? s.length() : ms(0);
    }
    EXPECT_EQ(silent_in_quiet, ms(0));
}

TEST(Silence, TheNoiseFloorFollowsTheRecording) {
    std::mt19937 random(3);
    std::vector<Level> levels;
    for (const double room : {-65.0, -35.0}) {
        for (int phrase = 0; phrase < 30; ++phrase) {
            append_speech(levels, ms(3500), -15, room, random);
            append(levels, ms(500), room);
        }
    }
    int quiet_room = 0;
    int noisy_room = 0;
    for (const AudioSpan& s : find_silences(levels, ms(240'000))) {
        (s.start < ms(120'000) ? quiet_room : noisy_room) += 1;
    }
    EXPECT_GE(quiet_room, 29);
    EXPECT_GE(noisy_room, 29);
}

TEST(Silence, AtMostSoManyAndTheLongestStay) {
    std::vector<Level> levels;
    for (std::size_t i = 0; i < kSilencesMax + 10; ++i) {
        append(levels, ms(200), -15);
        append(levels, i % 2 == 0 ? ms(200) : ms(300), -70);
    }
    const auto silences = find_silences(levels, kWindow * static_cast<std::int64_t>(levels.size()));
    EXPECT_LE(silences.size(), kSilencesMax);
    EXPECT_GE(silences.size(), kSilencesMax / 2);
    EXPECT_EQ(std::ranges::min(silences, {}, &AudioSpan::length).length(), ms(300));
}

}  // namespace
}  // namespace durascribe::media
