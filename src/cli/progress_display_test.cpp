#include "durascribe/cli/progress_display.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "durascribe/cli/terminal_text.h"

namespace durascribe::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

ProgressLine a_line() {
    return {.name = "会议 recording with a long name.mp4",
            .step = "transcribe",
            .stage = "Transcribing 12 of 40",
            .percent = 45.6,
            .eta_seconds = 83};
}

TEST(Render, ShowsNamePercentStageAndTimeLeft) {
    const std::string text = render(a_line(), {.columns = 120, .colour = false, .unicode = false});
    EXPECT_THAT(text, HasSubstr("会议 recording with a long name.mp4"));
    EXPECT_THAT(text, HasSubstr("#########..........."));
    EXPECT_THAT(text, HasSubstr(" 45 %"));
    EXPECT_THAT(text, HasSubstr("Transcribing 12 of 40, 1:23 min left"));
}

TEST(Render, NeverReachesTheLastColumn) {
    for (int columns = 1; columns < 200; ++columns) {
        const std::string text =
            render(a_line(), {.columns = columns, .colour = false, .unicode = true});
        EXPECT_LE(display_width(text), std::max(0, columns - 1)) << columns << ": " << text;
    }
}

TEST(Render, HasColourOnlyWhereWanted) {
    EXPECT_THAT(render(a_line(), {.columns = 100, .colour = false}), Not(HasSubstr("\x1b")));
    EXPECT_THAT(render(a_line(), {.columns = 100, .colour = true}), HasSubstr("\x1b[32m"));
}

TEST(PlainDisplay, SaysEachStepAndEachTenPercentOnce) {
    std::FILE* file = std::tmpfile();
    ASSERT_NE(file, nullptr);
    const auto display = make_progress_display(file, false);
    for (int percent = 0; percent <= 100; ++percent) {
        const std::array line{ProgressLine{.name = "a.ogg",
                                           .step = percent < 50 ? "extract" : "transcribe",
                                           .stage = fmt::format("at {}", percent),
                                           .percent = static_cast<double>(percent)}};
        display->update(line);
        display->update(line);
    }
    std::rewind(file);
    std::string text;
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) {
        text += static_cast<char>(c);
    }
    std::fclose(file);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 11) << text;
    EXPECT_THAT(text, HasSubstr("a.ogg: 0 %, at 0\n"));
    EXPECT_THAT(text, HasSubstr("a.ogg: 50 %, at 50\n"));
    EXPECT_THAT(text, HasSubstr("a.ogg: 100 %, at 100\n"));
}

TEST(DurationText, HasTheUnitThatFits) {
    EXPECT_EQ(duration_text(0.2), "1 s");
    EXPECT_EQ(duration_text(59), "59 s");
    EXPECT_EQ(duration_text(61), "1:01 min");
    EXPECT_EQ(duration_text(3723), "1:02:03 h");
}

}  // namespace
}  // namespace durascribe::cli
