#include "durascribe/cli/terminal_text.h"

#include <gtest/gtest.h>

namespace durascribe::cli {
namespace {

TEST(TerminalText, ControlCharactersAndBrokenBytesCannotSteerTheTerminal) {
    EXPECT_EQ(printable("a\x1b[2Jb\n"), "a\xEF\xBF\xBD[2Jb\xEF\xBF\xBD");
    EXPECT_EQ(printable("x\xff\xc0\xafz"), "x\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz");
    EXPECT_EQ(printable("会议 🎤 \"q\""), "会议 🎤 \"q\"");
    EXPECT_EQ(printable("\xE2\x80\xAEgpj.exe"), "\xEF\xBF\xBDgpj.exe");
    EXPECT_EQ(printable("cut \xE4\xBC"), "cut \xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(TerminalText, WideCharactersTakeTwoColumns) {
    EXPECT_EQ(display_width("talk"), 4);
    EXPECT_EQ(display_width("会议"), 4);
    EXPECT_EQ(display_width("🎤"), 2);
    EXPECT_EQ(display_width("e\xCC\x81"), 1);
}

TEST(TerminalText, LongNamesKeepBothEndsAndNeverExceedTheWidth) {
    EXPECT_EQ(fit("short.ogg", 20), "short.ogg");
    EXPECT_EQ(fit("a-very-long-recording-name.ogg", 13), "a-very-l….ogg");
    for (int width = 0; width < 30; ++width) {
        EXPECT_LE(display_width(fit("会议录音 2026-11-22 第三场 🎤.m4a", width)), width) << width;
        EXPECT_EQ(display_width(fit_and_pad("会议录音 2026-11-22 第三场 🎤.m4a", width)), width)
            << width;
    }
}

}  // namespace
}  // namespace durascribe::cli
