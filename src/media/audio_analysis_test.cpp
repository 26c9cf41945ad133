#include "durascribe/media/audio_analysis.h"

#include <gtest/gtest.h>

TEST(AudioAnalysis, Empty) {
    EXPECT_EQ(durascribe::media::AudioAnalysis(false).finish().duration.count(), 0);
}
