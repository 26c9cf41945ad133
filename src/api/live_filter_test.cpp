#include "durascribe/api/live_filter.h"

#include <gtest/gtest.h>

namespace durascribe::api {
namespace {

constexpr const char* kOne = "0190f7d2-0000-7000-8000-000000000001";
constexpr const char* kTwo = "0190f7d2-0000-7000-8000-000000000002";

LiveFilter filter_of(const std::string& query) {
    Request request;
    request.method = Method::get;
    EXPECT_TRUE(parse_target("/api/v1/events?" + query, request));
    const auto filter = live_filter_of(request);
    EXPECT_TRUE(filter) << query;
    return filter.value_or(LiveFilter{});
}

std::string refusal_of(const std::string& query) {
    Request request;
    request.method = Method::get;
    EXPECT_TRUE(parse_target("/api/v1/events?" + query, request));
    const auto filter = live_filter_of(request);
    return filter ? "" : filter.error().message;
}

TEST(LiveFilter, WithoutAnythingLetsAllThrough) {
    EXPECT_TRUE(filter_of("after=3").matches(kOne, "", "media.created"));
}

TEST(LiveFilter, ListsAreOredAndThenAnded) {
    const LiveFilter filter =
        filter_of(std::string{"media_id="} + kOne + "," + kTwo + "&type=task.state&type=unit.*");
    EXPECT_TRUE(filter.matches(kOne, "t", "task.state"));
    EXPECT_TRUE(filter.matches(kTwo, "t", "unit.retry"));
    EXPECT_FALSE(filter.matches(kTwo, "t", "task.progress"));
    EXPECT_FALSE(filter.matches("another", "t", "task.state"));
}

TEST(LiveFilter, IdsAreTakenInAnyCase) {
    EXPECT_TRUE(filter_of("task_id=0190F7D2-0000-7000-8000-000000000001").matches("m", kOne, "x"));
}

TEST(LiveFilter, RefusalsNameTheField) {
    EXPECT_NE(refusal_of("media_id=3").find("media_id"), std::string::npos);
    EXPECT_NE(refusal_of(std::string{"task_id="} + kOne + ",").find("task_id"), std::string::npos);
    EXPECT_NE(refusal_of("type=task.states").find("task.state"), std::string::npos);
    EXPECT_NE(refusal_of("type=nothing.*").find("type"), std::string::npos);
    EXPECT_NE(refusal_of("type=*").find("type"), std::string::npos);
    std::string many = "task_id=" + std::string{kOne};
    for (std::size_t i = 0; i < kLiveFilterMax; ++i) {
        many += "," + std::string{kOne};
    }
    EXPECT_NE(refusal_of(many).find("at most"), std::string::npos);
}

TEST(LiveFilter, SequenceNumbers) {
    EXPECT_EQ(sequence_number("after", "0").value_or(-1), 0);
    EXPECT_EQ(sequence_number("after", "9223372036854775807").value_or(-1), 9223372036854775807);
    for (const char* text : {"", "-1", "1.5", "1 ", "+1", "9223372036854775808", "x"}) {
        EXPECT_FALSE(sequence_number("after", text)) << text;
    }
}

}  // namespace
}  // namespace durascribe::api
