#include "durascribe/base/log_fields.h"

#include <gtest/gtest.h>

#include "durascribe/base/log.h"

namespace durascribe::log {
namespace {

class JsonLines : public ::testing::Test {
  protected:
    void SetUp() override { set_format(Format::json); }
    void TearDown() override { set_format(Format::text); }
};

TEST_F(JsonLines, HaveTheFieldsOfTheScopesAroundThem) {
    const Scope task{{"task_id", "t"}};
    {
        const Scope unit{{"unit_id", "7"}, {"lease", "1"}, {"empty", ""}};
        EXPECT_EQ(
            json_line("T", "info", "done"),
            R"({"time":"T","level":"info","message":"done","task_id":"t","unit_id":"7","lease":"1"})");
    }
    EXPECT_EQ(json_line("T", "info", "done"),
              R"({"time":"T","level":"info","message":"done","task_id":"t"})");
}

TEST_F(JsonLines, EscapeWhatWouldBreakTheLine) {
    const Scope name{{"title", "a\"b\\c\nd\x7f \xe4\xbc\x9a \xff\xc0\x80 \xed\xa0\x80"}};
    EXPECT_EQ(json_line("T", "info", ""),
              "{\"time\":\"T\",\"level\":\"info\",\"message\":\"\",\"title\":\"a\\\"b\\\\c\\u000ad"
              "\\u007f \xe4\xbc\x9a \\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\\ufffd\"}");
}

TEST_F(JsonLines, AreWrittenToStandardError) {
    set_up(Level::info);
    ::testing::internal::CaptureStderr();
    {
        const Scope request{{"request_id", "abc"}};
        warning("slow: {} ms", 7);
    }
    const std::string line = ::testing::internal::GetCapturedStderr();
    EXPECT_TRUE(line.starts_with("{\"time\":\"20")) << line;
    EXPECT_NE(
        line.find("\"level\":\"warning\",\"message\":\"slow: 7 ms\",\"request_id\":\"abc\"}\n"),
        std::string::npos)
        << line;
}

TEST(TextLines, LeaveTheFieldsOut) {
    set_up(Level::info);
    ::testing::internal::CaptureStderr();
    {
        const Scope request{{"request_id", "abc"}};
        info("hello");
    }
    const std::string line = ::testing::internal::GetCapturedStderr();
    EXPECT_TRUE(line.ends_with(" info hello\n")) << line;
    EXPECT_EQ(line.find("abc"), std::string::npos);
}

}  // namespace
}  // namespace durascribe::log
