#include "durascribe/api/negotiation.h"

#include <gtest/gtest.h>

namespace durascribe::api {
namespace {

TEST(Negotiation, TheMostExactRangeSays) {
    for (const char* good :
         {"", "nonsense", "*", "*/*", "application/json", "APPLICATION/JSON; charset=utf-8",
          "application/*", "text/html, */*;q=0.1", "application/json;q=0.001, */*;q=0",
          " , application/json", "text/html;q=2" /* malformed: nothing is refused for it */,
          "text/html;level"}) {
        EXPECT_TRUE(accepts(good, "application/json")) << good;
    }
    for (const char* bad : {"text/html", "application/json;q=0", "application/json;q=0, */*",
                            "application/xml, text/*", "*/*;q=0.0", "application/*;q=0, */*"}) {
        EXPECT_FALSE(accepts(bad, "application/json")) << bad;
    }
}

TEST(Negotiation, GzipWhereItIsTakenAndNotLessLiked) {
    for (const char* good :
         {"gzip", "GZIP", "deflate, gzip;q=1.0, *;q=0.5", "*", "x-gzip",
          "gzip;q=0.5, identity;q=0.5", "br;q=1, gzip;q=0.8", "identity;q=0, *"}) {
        EXPECT_TRUE(accepts_gzip(good)) << good;
    }
    for (const char* bad : {"", "identity", "gzip;q=0", "br", "*;q=0", "gzip;q=0, *",
                            "gzip;q=0.5, identity;q=0.8", "gzip;q=x", "deflate"}) {
        EXPECT_FALSE(accepts_gzip(bad)) << bad;
    }
}

TEST(Negotiation, AnyCodingThatIsNamedAndNotRefused) {
    EXPECT_TRUE(accepts_coding("gzip, deflate, br, zstd", "br"));
    EXPECT_TRUE(accepts_coding("*;q=0, br ; q=1.0", "br"));
    EXPECT_FALSE(accepts_coding("gzip", "br"));
    EXPECT_FALSE(accepts_coding("x-gzip, brotli", "br"));
    EXPECT_FALSE(accepts_coding("br;q=0, *", "br"));
}

}  // namespace
}  // namespace durascribe::api
