#include "durascribe/cli/output_files.h"
#include "scratch_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <unistd.h>

namespace durascribe::cli {
namespace {

namespace fs = std::filesystem;
using domain::DocumentFormat;

class OutputFilesTest : public ::testing::Test {
  protected:
    void TearDown() override { fs::permissions(dir_, fs::perms::owner_all); }
    std::string content(const fs::path& file) {
        std::ifstream in(file);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    int files() {
        return static_cast<int>(
            std::distance(fs::directory_iterator(dir_), fs::directory_iterator()));
    }

    durascribe::testing::ScratchDirectory scratch_;
    const std::filesystem::path dir_ = scratch_.path();
};

TEST_F(OutputFilesTest, NamesFollowTheInput) {
    const auto plan = plan_outputs({dir_ / "my talk.v2.mp4", dir_ / "会议.ogg"},
                                   {DocumentFormat::srt, DocumentFormat::json}, std::nullopt);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ((*plan)[0][0].path, dir_ / "my talk.v2.srt");
    EXPECT_EQ((*plan)[0][1].path, dir_ / "my talk.v2.json");
    EXPECT_EQ((*plan)[1][0].path, dir_ / "会议.srt");
}

TEST_F(OutputFilesTest, FolderIsMadeAndUsed) {
    const auto plan = plan_outputs({"a/talk.ogg"}, {DocumentFormat::vtt}, dir_ / "new/deep");
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ((*plan)[0][0].path, dir_ / "new/deep/talk.vtt");
    EXPECT_TRUE(fs::is_directory(dir_ / "new/deep"));
}

TEST_F(OutputFilesTest, LongNameIsCutAtACharacter) {
    std::string stem;
    while (stem.size() < 249) {
        stem += "声";
    }
    stem.resize(249);
    const auto plan =
        plan_outputs({dir_ / (stem + "xx.ogg")}, {DocumentFormat::json}, std::nullopt);
    ASSERT_TRUE(plan) << plan.error().message;
    const std::string name = (*plan)[0][0].path.filename();
    EXPECT_LE(name.size(), 255U);
    EXPECT_TRUE(name.ends_with(".json"));
    EXPECT_TRUE(write_output((*plan)[0][0].path, "{}", false));
}

TEST_F(OutputFilesTest, TwoInputsNeverShareAnOutput) {
    const auto plan =
        plan_outputs({dir_ / "a.mp3", dir_ / "a.mp4"}, {DocumentFormat::srt}, std::nullopt);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, "same_output");
    EXPECT_THAT(plan.error().message, ::testing::HasSubstr("a.mp3"));
}

TEST_F(OutputFilesTest, InputIsNeverReplaced) {
    std::ofstream(dir_ / "sound.txt") << "not text";
    const auto plan = plan_outputs({dir_ / "sound.txt"}, {DocumentFormat::txt}, std::nullopt);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, "output_is_input");
}

TEST_F(OutputFilesTest, WritesWholeFilesAndLeavesNothingElse) {
    ASSERT_TRUE(write_output(dir_ / "a.srt", "one\n", false));
    EXPECT_EQ(content(dir_ / "a.srt"), "one\n");
    EXPECT_EQ(files(), 1);
}

TEST_F(OutputFilesTest, KeepsWhatIsThereUnlessToldToReplace) {
    std::ofstream(dir_ / "a.srt") << "corrected by hand";
    const auto kept = write_output(dir_ / "a.srt", "recognised", false);
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, "output_exists");
    EXPECT_THAT(kept.error().message, ::testing::HasSubstr("--overwrite"));
    EXPECT_EQ(content(dir_ / "a.srt"), "corrected by hand");
    EXPECT_TRUE(write_output(dir_ / "a.srt", "corrected by hand", false));
    EXPECT_TRUE(write_output(dir_ / "a.srt", "recognised", true));
    EXPECT_EQ(content(dir_ / "a.srt"), "recognised");
    EXPECT_EQ(files(), 1);
}

TEST_F(OutputFilesTest, FolderThatCannotBeWrittenIsNamedBeforeTheWork) {
    if (geteuid() == 0) {
        GTEST_SKIP() << "root may write everywhere";
    }
    fs::permissions(dir_, fs::perms::owner_read | fs::perms::owner_exec);
    const auto plan = plan_outputs({dir_ / "a.ogg"}, {DocumentFormat::srt}, std::nullopt);
    ASSERT_FALSE(plan);
    EXPECT_THAT(plan.error().message, ::testing::HasSubstr("--output"));
}

}  // namespace
}  // namespace durascribe::cli
