#include "durascribe/access/secret.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <gtest/gtest.h>

namespace durascribe::access {
namespace {

TEST(Secret, ATokenIs256RandomBitsAndNoTwoAreEqual) {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const std::string token = new_token();
        EXPECT_EQ(token.size(), 3U + 43U);
        EXPECT_TRUE(looks_like_token(token));
        EXPECT_TRUE(std::ranges::all_of(token.substr(3), [](unsigned char c) {
            return std::isalnum(c) != 0 || c == '-' || c == '_';
        })) << token;
        EXPECT_TRUE(seen.insert(token).second);
    }
    EXPECT_FALSE(looks_like_token("sk-proj-something"));
    EXPECT_TRUE(looks_like_token("ds_short")) << "a part of one";
}

TEST(Secret, TheDigestIsSha256) {
    // FIPS 180-2, appendix B.1.
    EXPECT_EQ(digest_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Secret, TheCsrfTokenFollowsFromTheSessionAndIsNotIt) {
    const std::string session = new_secret();
    EXPECT_EQ(csrf_token_of(session), csrf_token_of(session));
    EXPECT_NE(csrf_token_of(session), csrf_token_of(new_secret()));
    EXPECT_NE(csrf_token_of(session), session);
    EXPECT_EQ(csrf_token_of(session).size(), 43U);
}

TEST(Secret, OnlyEqualOnesAreTheSame) {
    EXPECT_TRUE(same_secret("", ""));
    EXPECT_TRUE(same_secret("abc", "abc"));
    EXPECT_FALSE(same_secret("abc", "abd"));
    EXPECT_FALSE(same_secret("abc", "ab"));
    EXPECT_FALSE(same_secret("", "a"));
}

}  // namespace
}  // namespace durascribe::access
