#include "durascribe/cli/source_file.h"
#include "scratch_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

namespace durascribe::cli {
namespace {

namespace fs = std::filesystem;

class SourceFileTest : public ::testing::Test {
  protected:
    fs::path make(const std::string& name, const std::string& content) {
        std::ofstream(dir_ / name) << content;
        return dir_ / name;
    }
    std::string code(const fs::path& path) {
        const auto file = SourceFile::open(path);
        return file ? "opened" : file.error().code;
    }
    durascribe::testing::ScratchDirectory scratch_;
    const std::filesystem::path dir_ = scratch_.path();
};

TEST_F(SourceFileTest, IsKnownByItsContent) {
    auto file = SourceFile::open(make("a", "abc"));
    ASSERT_TRUE(file);
    // FIPS 180-2, appendix B.1.
    EXPECT_EQ(file->sha256({}), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(file->sha256({}), file->sha256({}));
}

TEST_F(SourceFileTest, WhatIsNotAReadableFileIsNamedWithItsReason) {
    EXPECT_EQ(code(dir_ / "missing.ogg"), "file_missing");
    EXPECT_EQ(code(dir_), "not_a_file");
    EXPECT_EQ(code(make("empty", "")), "empty_file");
    ASSERT_EQ(mkfifo((dir_ / "pipe").c_str(), 0600), 0);
    EXPECT_EQ(code(dir_ / "pipe"), "not_a_file");
    EXPECT_EQ(code(dir_ / std::string(256, 'x')), "file_missing");
    EXPECT_THAT(SourceFile::open(dir_ / "missing.ogg").error().message,
                ::testing::HasSubstr("missing.ogg"));
    if (geteuid() != 0) {
        const auto locked = make("locked", "abc");
        fs::permissions(locked, fs::perms::none);
        EXPECT_EQ(code(locked), "file_unreadable");
    }
}

TEST_F(SourceFileTest, FileThatChangesUnderItsReaderIsAnError) {
    const auto path = make("a", std::string(100, 'a'));
    {
        auto file = SourceFile::open(path);
        ASSERT_TRUE(file);
        fs::resize_file(path, 50);
        EXPECT_EQ(file->sha256({}).error().code, "file_changed");
    }
    {
        auto file = SourceFile::open(path);
        ASSERT_TRUE(file);
        fs::resize_file(path, 200);
        EXPECT_EQ(file->sha256({}).error().code, "file_changed");
    }
    {
        auto file = SourceFile::open(path);
        ASSERT_TRUE(file);
        fs::remove(path);
        EXPECT_EQ(file->sha256({}).error().code, "file_changed");
    }
}

TEST_F(SourceFileTest, StopsWhenAsked) {
    auto file = SourceFile::open(make("a", "abc"));
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(file->sha256(stop.get_token()).error().code, "stopped");
}

TEST_F(SourceFileTest, NameIsValidUtf8) {
    EXPECT_EQ(SourceFile::open(make("会议 🎤 'q\".ogg", "x"))->name(), "会议 🎤 'q\".ogg");
    EXPECT_EQ(SourceFile::open(make("bad\xff.ogg", "x"))->name(), "bad\xEF\xBF\xBD.ogg");
}

}  // namespace
}  // namespace durascribe::cli
