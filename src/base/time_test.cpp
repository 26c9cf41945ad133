#include "durascribe/base/time.h"

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

TEST(Time, WhatIsNotRfc3339IsRefused) {
    for (const char* text : {"", "2026-11-22", "2026-02-30T00:00:00.000Z",
                             "2026-11-22T24:00:00.000Z", "2026-11-22 08:01:02.003Z"}) {
        EXPECT_FALSE(wall_time_from_rfc3339(text)) << text;
    }
}

}  // namespace
}  // namespace durascribe
