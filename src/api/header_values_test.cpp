#include "durascribe/api/header_values.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "durascribe/api/names.h"

namespace durascribe::api {
namespace {

TEST(Range, AsRfc9110Shows) {
    const std::int64_t size = 10'000;
    EXPECT_EQ(parse_range("bytes=0-499", size),
              (std::variant<WholeBody, ByteRange, Unsatisfiable>{ByteRange{0, 500}}));
    EXPECT_EQ(std::get<ByteRange>(parse_range("bytes=9500-", size)), (ByteRange{9500, 500}));
    EXPECT_EQ(std::get<ByteRange>(parse_range("bytes=-500", size)), (ByteRange{9500, 500}));
    EXPECT_EQ(std::get<ByteRange>(parse_range("bytes=-20000", size)), (ByteRange{0, 10'000}));
    EXPECT_EQ(std::get<ByteRange>(parse_range("bytes=0-0", size)), (ByteRange{0, 1}));
    EXPECT_EQ(std::get<ByteRange>(parse_range("bytes=9999-99999", size)), (ByteRange{9999, 1}));
    EXPECT_EQ(std::get<ByteRange>(parse_range("Bytes = 1-2", size)), (ByteRange{1, 2}));
}

TEST(Range, OutsideIsUnsatisfiableAndNonsenseIsIgnored) {
    EXPECT_TRUE(std::holds_alternative<Unsatisfiable>(parse_range("bytes=10-", 10)));
    EXPECT_TRUE(std::holds_alternative<Unsatisfiable>(parse_range("bytes=-0", 10)));
    EXPECT_TRUE(std::holds_alternative<Unsatisfiable>(parse_range("bytes=0-", 0)));
    for (const std::string_view ignored :
         {"bytes=5-4", "bytes=a-b", "bytes=-", "bytes=", "bytes", "lines=0-1", "bytes=0-1,3-4",
          "bytes=--1", "bytes=1--2", "bytes=99999999999999999999-", "bytes=+1-2"}) {
        EXPECT_TRUE(std::holds_alternative<WholeBody>(parse_range(ignored, 10))) << ignored;
    }
}

TEST(ContentDisposition, SurvivesAnyName) {
    EXPECT_EQ(content_disposition(Disposition::attachment, "talk.srt"),
              "attachment; filename=\"talk.srt\"; filename*=UTF-8''talk.srt");
    EXPECT_EQ(content_disposition(Disposition::inline_, "會 \"x\"\r\n%.srt"),
              "inline; filename=\"_ _x_ _.srt\"; filename*=UTF-8''%E6%9C%83%20%22x%22%20%25.srt");
    EXPECT_EQ(
        content_disposition(Disposition::attachment, "a\u202Egpj.exe\x01/../b\\c\xFF"),
        "attachment; filename=\"agpj.exe_.._b_c_\"; filename*=UTF-8''agpj.exe_.._b_c%EF%BF%BD");
    for (int byte = 0; byte < 256; ++byte) {
        const std::string name{'x', static_cast<char>(byte), 'y'};
        const std::string field = content_disposition(Disposition::attachment, name);
        EXPECT_TRUE(std::ranges::all_of(field, [](char c) { return c >= 0x20 && c < 0x7F; }))
            << byte;
        EXPECT_TRUE(parse_parameterized(field)) << byte;
    }
}

TEST(ContentDisposition, WhatIsWrittenIsRead) {
    for (const std::string_view name :
         {"a.srt", "會議 🎙.vtt", "quo\"te.txt", "שלום.txt", "100%.json", "a'b;c.srt"}) {
        const auto parsed = parse_parameterized(content_disposition(Disposition::attachment, name));
        ASSERT_TRUE(parsed) << name;
        EXPECT_EQ(filename_of(*parsed), name);
    }
}

TEST(Parameterized, RefusesWhatIsMalformed) {
    for (const std::string_view bad : {"", ";", "a; b", "a; =c", "a; b=\"c", "a; b=\"c\"d"}) {
        EXPECT_FALSE(parse_parameterized(bad)) << bad;
    }
    EXPECT_EQ(parse_parameterized("Text/Plain ; X = y;")->value, "text/plain");
}

TEST(Names, FilesLoseTheirFolders) {
    EXPECT_EQ(clean_filename("../../etc/passwd"), "passwd");
    EXPECT_EQ(clean_filename("C:\\a\\b.wav"), "b.wav");
    EXPECT_EQ(clean_filename("a\r\nb\x7f.wav"), "a__b_.wav");
    for (const std::string_view nothing : {"", "  ", ".", "..", "a/", "../"}) {
        EXPECT_EQ(clean_filename(nothing), "recording") << nothing;
    }
    EXPECT_EQ(clean_filename("caf\xe9.mp3"), "café.mp3");
}

TEST(Names, LongOnesAreCutBetweenCharactersAndKeepTheirExtension) {
    std::string name;
    for (int i = 0; i < 85; ++i) {
        name += "錄";
    }
    EXPECT_EQ(clean_filename(name), name);  // 255 bytes
    const std::string cut = clean_filename(name + ".mp3");
    EXPECT_LE(cut.size(), kFilenameBytesMax);
    EXPECT_TRUE(cut.ends_with("錄.mp3"));
    EXPECT_TRUE(is_valid_utf8(cut));
}

TEST(Names, TitlesAndDownloads) {
    EXPECT_EQ(title_from_filename("talk.final.mp3"), "talk.final");
    EXPECT_EQ(title_from_filename(".hidden"), ".hidden");
    EXPECT_EQ(download_name("a/b: \"c\"", "srt"), "a_b_ _c_.srt");
    EXPECT_EQ(download_name("..", "srt"), "transcript.srt");
    EXPECT_LE(download_name(std::string(500, 'x'), "json").size(), kFilenameBytesMax);
    EXPECT_EQ(media_mime_type("A.MP3"), "audio/mpeg");
    EXPECT_EQ(media_mime_type("page.html"), "application/octet-stream");
}

TEST(Utf8, WellFormedAndNot) {
    EXPECT_TRUE(is_valid_utf8("aé會🎙"));
    for (const std::string_view bad : {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80",
                                       "\xf4\x90\x80\x80", "\xe6\x9c", "\xff"}) {
        EXPECT_FALSE(is_valid_utf8(bad));
    }
}

}  // namespace
}  // namespace durascribe::api
