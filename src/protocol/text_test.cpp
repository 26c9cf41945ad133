#include "durascribe/protocol/text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace durascribe::protocol {
namespace {

TEST(Text, TakesWellFormedUtf8) {
    EXPECT_TRUE(is_clean_text("", 0));
    EXPECT_TRUE(is_clean_text("plain\tand\nlines", 100));
    EXPECT_TRUE(is_clean_text("h\xc3\xa9llo \xe4\xb8\xad \xf0\x9f\x98\x80", 100));
    EXPECT_FALSE(is_clean_text("four", 3));
}

TEST(Text, RefusesWhatIsNoUtf8OrCouldSteerATerminal) {
    const std::string_view bad[] = {"\x80",
                                    "\xc3",
                                    "\xc0\xaf",
                                    "\xe0\x80\xaf",
                                    "\xed\xa0\x80",
                                    "\xf5\x80\x80\x80",
                                    "\xf4\x90\x80\x80",
                                    "\xff",
                                    "\x1b[2J",
                                    "\x7f",
                                    "\xc2\x9b",
                                    "\r",
                                    "\xf0\x80\x80\x80"};
    for (const auto text : bad) {
        EXPECT_FALSE(is_clean_text(text, 100)) << ::testing::PrintToString(text);
    }
    EXPECT_FALSE(is_clean_text(std::string_view("a\0b", 3), 100));
}

TEST(Text, RepairsAndCutsAtACharacter) {
    EXPECT_EQ(clean_text("a\xff"
                         "b",
                         100),
              "a\xef\xbf\xbd"
              "b");
    EXPECT_EQ(clean_text("ab\xc3\xa9", 3), "ab");
    EXPECT_EQ(clean_text("ab\xc3\xa9", 4), "ab\xc3\xa9");
}

RC_GTEST_PROP(Text, WhatCleanTextGivesIsCleanAndCleanTextIsUnchanged, (const std::string& raw)) {
    const std::size_t most = *rc::gen::inRange<std::size_t>(0, 64);
    const std::string clean = clean_text(raw, most);
    RC_ASSERT(is_clean_text(clean, most));
    if (is_clean_text(raw, most)) {
        RC_ASSERT(clean == raw);
    }
}

}  // namespace
}  // namespace durascribe::protocol
