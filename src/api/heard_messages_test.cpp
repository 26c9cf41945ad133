#include "durascribe/api/heard_messages.h"

#include <gtest/gtest.h>

namespace durascribe::api {
namespace {

TEST(HeardMessages, AreFullAfterSoMany) {
    HeardMessages heard;
    for (std::size_t i = 1; i < HeardMessages::kMost; ++i) {
        EXPECT_TRUE(heard.add("{}")) << i;
    }
    EXPECT_FALSE(heard.add("{}"));
    EXPECT_EQ(heard.take().size(), HeardMessages::kMost);
    EXPECT_TRUE(heard.take().empty());
    EXPECT_TRUE(heard.add("{}"));
}

TEST(HeardMessages, AreFullAfterSoManyBytes) {
    HeardMessages heard;
    const std::string half(HeardMessages::kBytesFull / 2, 'x');
    EXPECT_TRUE(heard.add(half));
    EXPECT_FALSE(heard.add(half)) << "two of them are as many as are kept";
    EXPECT_EQ(heard.take().size(), 2U);
    EXPECT_TRUE(heard.add(half)) << "what was taken does not count";
    EXPECT_EQ(heard.take(), std::vector{half});
    EXPECT_FALSE(heard.add(std::string(HeardMessages::kBytesFull, 'x')))
        << "the largest that may come is as much as is kept";
}

}  // namespace
}  // namespace durascribe::api
