#include "durascribe/base/time.h"

#include <utility>

#include <gtest/gtest.h>

namespace durascribe {
namespace {

TEST(Time, Rfc3339RoundTrips) {
    for (const char* text :
         {"1970-01-01T00:00:00.000Z", "2026-11-22T08:01:02.003Z", "2024-02-29T23:59:59.999Z"}) {
        const auto t = wall_time_from_rfc3339(text);
        ASSERT_TRUE(t) << text;
        EXPECT_EQ(to_rfc3339(*t), text);
    }
}

TEST(Time, EveryFormOfRfc3339IsRead) {
    const std::pair<const char*, const char*> forms[] = {
        {"2026-11-22T08:01:02Z", "2026-11-22T08:01:02.000Z"},
        {"2026-11-22t08:01:02z", "2026-11-22T08:01:02.000Z"},
        {"2026-11-22T08:01:02.5Z", "2026-11-22T08:01:02.500Z"},
        {"2026-11-22T08:01:02.003999Z", "2026-11-22T08:01:02.003Z"},
        {"2026-11-22T08:01:02+02:00", "2026-11-22T06:01:02.000Z"},
        {"2026-11-22T08:01:02.25-00:30", "2026-11-22T08:31:02.250Z"},
        {"2026-11-22T23:30:00-01:00", "2026-11-23T00:30:00.000Z"},
        {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"}};
    for (const auto& [text, same] : forms) {
        const auto t = wall_time_from_rfc3339(text);
        ASSERT_TRUE(t) << text;
        EXPECT_EQ(to_rfc3339(*t), same) << text;
    }
}

TEST(Time, WhatIsNotRfc3339IsRefused) {
    for (const char* text :
         {"", "2026-11-22", "2026-02-30T00:00:00.000Z", "2026-11-22T24:00:00.000Z",
          "2026-11-22 08:01:02.003Z", "2026-11-22T08:01:02", "2026-11-22T08:01:02.Z",
          "2026-11-22T08:01:02.003", "2026-11-22T08:01:02ZZ", "2026-11-22T08:01:02+0200",
          "2026-11-22T08:01:02+24:00", "2026-11-22T08:01:02+02:60", "2026-11-22T08:01:61Z",
          "2026-11-22T08:01:-2Z", "2026-11-22T08:01Z", "-026-11-22T08:01:02Z"}) {
        EXPECT_FALSE(wall_time_from_rfc3339(text)) << text;
    }
}

}  // namespace
}  // namespace durascribe
