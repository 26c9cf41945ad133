// What is not media, or not quite: refused with a sentence that helps, or decoded as far as it
// goes.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "durascribe/base/unique_fd.h"
#include "media_files.h"

namespace durascribe::media {
namespace {

class BadInput : public MediaTest {
  protected:
    void expect_refused(const std::string& name, const std::string& code,
                        ExtractSettings settings = {}) {
        testing::internal::CaptureStderr();
        const Extracted extracted = extract_file(name, settings);
        EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
        ASSERT_FALSE(extracted.result) << name;
        EXPECT_EQ(extracted.result.error().cls, ErrorClass::input) << name;
        EXPECT_EQ(extracted.result.error().code, code)
            << name << ": " << extracted.result.error().message << extracted.result.error().detail;
        EXPECT_FALSE(extracted.result.error().message.empty());
    }

    void expect_ends_early(const std::string& name, int least_ms, int most_ms) {
        const Extracted extracted = extract_file(name);
        ASSERT_TRUE(extracted.result) << extracted.result.error().code;
        EXPECT_GE(extracted.result->info.duration, Millis(least_ms));
        EXPECT_LE(extracted.result->info.duration, Millis(most_ms));
        const auto& warnings = extracted.result->info.warnings;
        EXPECT_TRUE(std::ranges::any_of(warnings, [](const auto& w) {
            return w.starts_with("The file ends early");
        })) << testing::PrintToString(warnings);
    }

    void cut(const std::string& from, const std::string& to, double share) {
        const std::string bytes = read(from);
        write(to,
              bytes.substr(0, static_cast<std::size_t>(static_cast<double>(bytes.size()) * share)));
    }
};

TEST_F(BadInput, EmptyFile) {
    write("empty.mp3", "");
    expect_refused("empty.mp3", "empty_file");
}

// FFmpeg's own programs refuse these: "too short LIST tag".
TEST_F(BadInput, BrokenTagsBehindTheAudioOfAWaveFile) {
    make_burst();
    ffmpeg("-i burst.wav -map_metadata -1 -flags bitexact -fflags bitexact plain.wav");
    const auto whole = extract_file("plain.wav");
    ASSERT_TRUE(whole.result) << whole.result.error().code;
    for (const char size : {char{0}, char{1}, char{3}}) {
        write("broken.wav", read("plain.wav") + "LIST" + std::string{size, 0, 0, 0});
        const auto broken = extract_file("broken.wav");
        ASSERT_TRUE(broken.result) << int{size} << ": " << broken.result.error().detail;
        EXPECT_EQ(broken.result->info.duration, whole.result->info.duration);
    }
}

TEST_F(BadInput, NotAFile) {
    const auto result =
        extract({.source_fd = UniqueFd(::open("/dev/zero", O_RDONLY)).get(), .pcm_fd = -1}, {});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, "not_media");
}

TEST_F(BadInput, NotMedia) {
    std::string text;
    std::string noise;
    for (unsigned i = 0; i < 5000; ++i) {
        text += "This is a letter, not a recording.\n";
        noise += static_cast<char>((i * 2654435761U) >> 13);
    }
    write("text.mp3", text);
    write("noise.mp3", noise);
    write("short.mp3", "x");
    write("page.mp4", "<!DOCTYPE html><html><body>404</body></html>");
    ffmpeg("-f lavfi -i testsrc=duration=1 -frames:v 1 picture.png");
    for (const char* name : {"text.mp3", "noise.mp3", "short.mp3", "page.mp4", "picture.png"}) {
        expect_refused(name, "not_media");
    }
}

// Lists that name other files must not be followed, even where those exist.
TEST_F(BadInput, PlaylistsAreRefused) {
    make_burst();
    const std::string target = path("burst.wav").string();
    write("list.m3u8",
          fmt::format("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile://{}\n#EXT-X-ENDLIST\n",
                      target));
    write("list.ffconcat", fmt::format("ffconcat version 1.0\nfile '{}'\n", target));
    write("list.mpd",
          "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" "
          "type=\"static\"></MPD>");
    for (const char* name : {"list.m3u8", "list.ffconcat", "list.mpd"}) {
        expect_refused(name, "not_media");
    }
}

TEST_F(BadInput, VideoWithoutAudio) {
    ffmpeg("-f lavfi -i testsrc=size=160x120:rate=10:duration=1 -c:v libx264 silent.mp4");
    expect_refused("silent.mp4", "no_audio");
}

TEST_F(BadInput, ARateThatNobodyHears) {
    make_burst();
    std::string bytes = read("burst.wav");
    bytes.replace(24, 4, std::string("\xe8\x03\x00\x00", 4));  // 1 kHz
    write("slow.wav", bytes);
    expect_refused("slow.wav", "unsupported_audio");
}

TEST_F(BadInput, UnsupportedCodec) {
    make_burst();
    std::string bytes = read("burst.wav");
    bytes.replace(20, 2, "\x34\x12");  // wFormatTag: nobody's
    write("unknown.wav", bytes);
    expect_refused("unknown.wav", "unsupported_codec");
    bytes.replace(20, 2, "\x70\x02");  // ATRAC3, known to FFmpeg, not on the list
    write("refused.wav", bytes);
    expect_refused("refused.wav", "unsupported_codec");
    EXPECT_NE(extract_file("refused.wav").result.error().message.find("atrac3"), std::string::npos);
}

TEST_F(BadInput, NoSamples) {
    run("sox -n -r 16000 -c 1 none.wav trim 0 0");
    expect_refused("none.wav", "no_samples");
    ffmpeg("-f lavfi -i sine=duration=2 -c:a flac noise.mkv");
    std::string bytes = read("noise.mkv");
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 20), bytes.end(), '\x55');
    write("head_only.mkv", bytes);
    const Extracted extracted = extract_file("head_only.mkv");
    if (!extracted.result) {
        EXPECT_EQ(extracted.result.error().code, "no_samples");
    }
}

TEST_F(BadInput, Mp4WithoutItsIndex) {
    make_burst();
    ffmpeg("-i burst.wav -c:a aac whole.mp4");
    cut("whole.mp4", "cut.mp4", 0.5);
    expect_refused("cut.mp4", "truncated");
}

TEST_F(BadInput, FilesThatEndEarlyAreDecodedAsFarAsTheyGo) {
    ffmpeg(
        "-f lavfi -i sine=duration=20:sample_rate=48000 -c:a aac -movflags +faststart whole.mp4");
    ffmpeg(
        "-f lavfi -i sine=duration=20:sample_rate=48000 -f lavfi -i "
        "testsrc=size=160x120:rate=5:duration=20 "
        "-c:a libmp3lame -c:v libx264 whole.mkv");
    ffmpeg("-f lavfi -i sine=duration=20:sample_rate=48000 -c:a libmp3lame whole.mp3");
    ffmpeg("-f lavfi -i sine=duration=20:sample_rate=48000 -c:a flac whole.flac");
    for (const char* kind : {"mp4", "mkv", "mp3", "flac"}) {
        SCOPED_TRACE(kind);
        cut(fmt::format("whole.{}", kind), fmt::format("cut.{}", kind), 0.6);
        expect_ends_early(fmt::format("cut.{}", kind), 5000, 17'000);
    }
}

TEST_F(BadInput, WaveHeaderThatPromisesMore) {
    make_burst(16'000, 1);
    cut("burst.wav", "cut.wav", 0.5);
    expect_ends_early("cut.wav", 1490, 1510);
}

TEST_F(BadInput, DamageInTheMiddleIsSkipped) {
    ffmpeg("-f lavfi -i sine=frequency=1000:duration=20:sample_rate=48000 -c:a flac whole.flac");
    std::string bytes = read("whole.flac");
    const std::size_t from = bytes.size() / 2;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.size() / 20, '\x5a');
    write("damaged.flac", bytes);
    const Extracted extracted = extract_file("damaged.flac");
    ASSERT_TRUE(extracted.result) << extracted.result.error().detail;
    EXPECT_GT(extracted.result->info.duration, Millis(18'000));
    EXPECT_FALSE(extracted.result->info.warnings.empty());
    EXPECT_NEAR(frequency_hz(extracted.pcm, 1000), 1000, 15);
}

TEST_F(BadInput, SilenceOnlyIsNoErrorAndAllSilence) {
    ffmpeg("-f lavfi -i anullsrc=r=44100:cl=stereo -t 5 -c:a aac silence.m4a");
    const Extracted extracted = extract_file("silence.m4a");
    ASSERT_TRUE(extracted.result);
    const auto& info = extracted.result->info;
    EXPECT_EQ(extracted.result->silences, (domain::Silences{{Millis(0), info.duration}}));
    EXPECT_EQ(info.loudness_lufs, -70);
}

TEST_F(BadInput, LongerThanTheLimitIsRefusedWithoutBeingWritten) {
    // Two hours in little more than a megabyte.
    ffmpeg("-f lavfi -i anullsrc=r=8000:cl=mono -t 7200 -c:a flac bomb.flac");
    EXPECT_LT(std::filesystem::file_size(path("bomb.flac")), 2'000'000U);
    expect_refused("bomb.flac", "too_long", {.longest_media = std::chrono::minutes(10)});
    EXPECT_LE(std::filesystem::file_size(path("out.raw")), 600U * kPcmRateHz * 2);
}

TEST_F(BadInput, FullDiskIsAnErrorOfStorage) {
    ffmpeg("-f lavfi -i sine=duration=30:sample_rate=16000 -c:a pcm_s16le sine.wav");
    const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    const Extracted extracted = extract_file("sine.wav", {.pcm_fd = full.get()});
    ASSERT_FALSE(extracted.result);
    EXPECT_EQ(extracted.result.error().cls, ErrorClass::storage);
    EXPECT_EQ(extracted.result.error().code, "disk_full");
}

TEST_F(BadInput, AudioThatDoesNotFitTheRoomIsNotBegun) {
    make_burst();
    ffmpeg("-i burst.wav -c:a libmp3lame -write_xing 0 burst.mp3");
    ffmpeg("-f lavfi -i testsrc=duration=3:size=64x48 -i burst.wav -shortest burst.mkv");
    constexpr std::int64_t kThreeSeconds = std::int64_t{3} * kPcmRateHz * 2;
    for (const char* file : {"burst.wav", "burst.mp3", "burst.mkv"}) {
        const Extracted none = extract_file(file, {.room_bytes = kThreeSeconds - 16'000});
        ASSERT_TRUE(none.result) << file << none.result.error().message;
        EXPECT_FALSE(none.result->decoded) << file;
        EXPECT_NEAR(static_cast<double>(none.result->info.duration.count()), 3'000, 150) << file;
        EXPECT_EQ(std::filesystem::file_size(path("out.raw")), 0U) << file;
        const Extracted all = extract_file(file, {.room_bytes = kThreeSeconds + 16'000});
        ASSERT_TRUE(all.result) << file;
        EXPECT_TRUE(all.result->decoded) << file;
        EXPECT_NEAR(static_cast<double>(all.pcm.size()), 48'000, 2'000) << file;
    }
}

// A header may promise more than there is.
TEST_F(BadInput, RoomThatWasTakenAndNotNeededIsGivenBack) {
    ffmpeg("-f lavfi -i sine=duration=60:sample_rate=16000 -c:a flac long.flac");
    const std::string whole = read("long.flac");
    write("cut.flac", whole.substr(0, whole.size() / 4));
    const Extracted cut = extract_file("cut.flac", {.room_bytes = 1 << 30});
    ASSERT_TRUE(cut.result && cut.result->decoded);
    struct stat file{};
    ASSERT_EQ(::stat(path("out.raw").c_str(), &file), 0);
    EXPECT_LT(file.st_size, 30 * kPcmRateHz * 2);
    EXPECT_LT(file.st_blocks * 512, file.st_size + 65'536);
}

}  // namespace
}  // namespace durascribe::media
