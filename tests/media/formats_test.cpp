// Every format that people bring: decoded, as long as it is, and each sound where it was.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "media_files.h"

namespace durascribe::media {
namespace {

void expect_burst(const Extracted& extracted, int at_ms = 1000, int tolerance_ms = 30) {
    ASSERT_TRUE(extracted.result) << extracted.result.error().code << ": "
                                  << extracted.result.error().detail;
    EXPECT_NEAR(onset_ms(extracted.pcm), at_ms, tolerance_ms);
    EXPECT_NEAR(frequency_hz(extracted.pcm, at_ms + 100), 1000, 15);
    EXPECT_LT(level_dbfs(extracted.pcm, at_ms + 600, at_ms + 1000), -45);
    EXPECT_EQ(extracted.result->info.duration.count(),
              static_cast<std::int64_t>(extracted.pcm.size()) * 1000 / kPcmRateHz);
}

struct Wave {
    const char* format;
    int rate_hz;
    int channels;
};

class WaveFormats : public MediaTest, public testing::WithParamInterface<Wave> {};

TEST_P(WaveFormats, Burst) {
    make_burst(GetParam().rate_hz, GetParam().channels, GetParam().format);
    const Extracted extracted = extract_file("burst.wav");
    expect_burst(extracted, 1000, 6);
    EXPECT_NEAR(static_cast<double>(extracted.pcm.size()), 48'000, 20);
    const auto& info = extracted.result->info;
    ASSERT_EQ(info.audio_tracks.size(), 1U);
    EXPECT_EQ(info.audio_tracks[0].channels, GetParam().channels);
    EXPECT_EQ(info.audio_tracks[0].sample_rate_hz, GetParam().rate_hz);
    EXPECT_TRUE(info.warnings.empty());
    EXPECT_GT(info.peak_dbfs, -20);
    EXPECT_LT(info.peak_dbfs, 0);
}

INSTANTIATE_TEST_SUITE_P(All, WaveFormats,
                         testing::Values(Wave{"-b 8 -e unsigned-integer", 8000, 1},
                                         Wave{"-b 16", 8000, 2}, Wave{"-b 16", 11025, 1},
                                         Wave{"-b 16", 16000, 1}, Wave{"-b 16", 22050, 3},
                                         Wave{"-b 24", 44100, 2}, Wave{"-b 32", 48000, 6},
                                         Wave{"-b 32 -e floating-point", 96000, 2},
                                         Wave{"-b 24", 192'000, 8},
                                         Wave{"-b 64 -e floating-point", 48000, 1},
                                         Wave{"-e mu-law", 8000, 1}, Wave{"-b 16", 48000, 10}),
                         [](const auto& info) {
                             return fmt::format("Rate{}Channels{}Case{}", info.param.rate_hz,
                                                info.param.channels, info.index);
                         });

struct Encoding {
    const char* file;
    const char* arguments;
};

class EncodedFormats : public MediaTest, public testing::WithParamInterface<Encoding> {};

TEST_P(EncodedFormats, Burst) {
    make_burst();
    ffmpeg(fmt::format("-i burst.wav -f lavfi -i testsrc=size=160x120:rate=10:duration=3 {} {}",
                       GetParam().arguments, GetParam().file));
    testing::internal::CaptureStderr();
    const Extracted extracted = extract_file(GetParam().file);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    // Windows Media has no field for the encoder's delay: one frame of 43 ms stays, in players too.
    const bool has_delay = std::string(GetParam().arguments).find("wmav2") != std::string::npos;
    expect_burst(extracted, 1000, has_delay ? 50 : 30);
    EXPECT_NEAR(static_cast<double>(extracted.result->info.duration.count()), 3000, 110);
    EXPECT_TRUE(extracted.result->info.warnings.empty()) << extracted.result->info.warnings[0];
    EXPECT_EQ(extracted.result->info.has_video,
              std::string(GetParam().arguments).find("-map 1:v") != std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, EncodedFormats,
    testing::Values(
        Encoding{"a.mp3", "-map 0:a -c:a libmp3lame"},
        Encoding{"low.mp3", "-map 0:a -c:a libmp3lame -ar 16000 -ac 1 -b:a 24k"},
        Encoding{"bare.mp3", "-map 0:a -c:a libmp3lame -write_xing 0 -id3v2_version 0"},
        Encoding{"a.m4a", "-map 0:a -c:a aac"}, Encoding{"alac.m4a", "-map 0:a -c:a alac"},
        Encoding{"a.aac", "-map 0:a -c:a aac"}, Encoding{"a.ogg", "-map 0:a -c:a libvorbis"},
        Encoding{"a.opus", "-map 0:a -c:a libopus"},
        Encoding{"speex.ogg", "-map 0:a -c:a libspeex -ar 16000 -ac 1"},
        Encoding{"a.flac", "-map 0:a -c:a flac"}, Encoding{"a.wma", "-map 0:a -c:a wmav2"},
        Encoding{"a.ac3", "-map 0:a -c:a ac3"}, Encoding{"a.eac3", "-map 0:a -c:a eac3"},
        Encoding{"a.dts", "-map 0:a -c:a dca -strict -2"}, Encoding{"a.aiff", "-map 0:a"},
        Encoding{"a.au", "-map 0:a"}, Encoding{"a.caf", "-map 0:a -c:a pcm_s16be"},
        Encoding{"a.w64", "-map 0:a"}, Encoding{"a.wv", "-map 0:a -c:a wavpack"},
        Encoding{"a.tta", "-map 0:a -c:a tta"}, Encoding{"adpcm.wav", "-map 0:a -c:a adpcm_ms"},
        Encoding{"a.mp2", "-map 0:a -c:a mp2"},
        Encoding{"a.mp4", "-map 1:v -map 0:a -c:v libx264 -c:a aac"},
        Encoding{
            "frag.mp4",
            "-map 1:v -map 0:a -c:v libx264 -bf 0 -c:a aac -movflags frag_keyframe+empty_moov"},
        Encoding{"a.3gp", "-map 1:v -map 0:a -c:v mpeg4 -c:a aac"},
        Encoding{"a.mov", "-map 1:v -map 0:a -c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s16le"},
        Encoding{"a.mkv", "-map 1:v -map 0:a -c:v libx264 -c:a libmp3lame"},
        Encoding{"flac.mkv", "-map 0:a -c:a flac"},
        Encoding{"a.webm", "-map 1:v -map 0:a -c:v libvpx -c:a libopus"},
        Encoding{"a.avi", "-map 1:v -map 0:a -c:v mpeg4 -c:a libmp3lame"},
        Encoding{"a.wmv", "-map 1:v -map 0:a -c:v wmv2 -c:a wmav2"},
        Encoding{"a.flv", "-map 1:v -map 0:a -c:v flv -c:a aac"},
        Encoding{"a.ts", "-map 1:v -map 0:a -c:v mpeg2video -c:a aac"},
        Encoding{"a.mpg", "-map 1:v -map 0:a -c:v mpeg2video -r 25 -c:a mp2"}),
    [](const auto& info) {
        std::string name = info.param.file;
        std::ranges::replace(name, '.', '_');
        return name;
    });

// Audio that starts 0.7 s after the video is heard 0.7 s later, in the player and here.
class LateAudio : public MediaTest, public testing::WithParamInterface<const char*> {};

TEST_P(LateAudio, KeepsItsPlace) {
    make_burst();
    ffmpeg(fmt::format(
        "-f lavfi -i testsrc=size=160x120:rate=10:duration=5 -itsoffset 0.7 -i burst.wav "
        "-map 0:v -map 1:a -c:v mpeg4 -c:a aac late.{}",
        GetParam()));
    expect_burst(extract_file(fmt::format("late.{}", GetParam())), 1700);
}

INSTANTIATE_TEST_SUITE_P(All, LateAudio, testing::Values("mkv", "mp4", "ts"),
                         [](const auto& info) { return std::string(info.param); });

using Formats = MediaTest;

TEST_F(Formats, AHoleInTheTimestampsIsSilence) {
    make_burst();
    // Lossless packets of 0.1 s, without those from 0.3 s to 0.8 s.
    ffmpeg(
        "-i burst.wav -af \"asetnsamples=4800,aselect='not(between(t,0.25,0.75))'\" -c:a flac "
        "hole.mkv");
    expect_burst(extract_file("hole.mkv"));
}

TEST_F(Formats, AClockThatIsSetAnewIsNotAHole) {
    make_burst();
    ffmpeg("-i burst.wav -c:a mp2 -f mpegts one.ts");
    ffmpeg("-i burst.wav -c:a mp2 -output_ts_offset 4000 -f mpegts two.ts");
    run("cat one.ts two.ts > both.ts");
    const Extracted extracted = extract_file("both.ts");
    expect_burst(extracted);
    EXPECT_NEAR(static_cast<double>(extracted.result->info.duration.count()), 6000, 200);
    EXPECT_EQ(extracted.result->info.warnings.size(), 1U);
}

TEST_F(Formats, RateAndChannelsChangeInTheMiddle) {
    make_burst();
    ffmpeg("-i burst.wav -ar 48000 -ac 2 -c:a libvorbis one.ogg");
    ffmpeg("-i burst.wav -ar 22050 -ac 1 -c:a libvorbis two.ogg");
    run("cat one.ogg two.ogg > chained.ogg");
    const Extracted extracted = extract_file("chained.ogg");
    expect_burst(extracted);
    EXPECT_NEAR(onset_ms(extracted.pcm, 2000), 4000, 60);
    EXPECT_NEAR(frequency_hz(extracted.pcm, 4100), 1000, 15);
}

TEST_F(Formats, TheDefaultTrackOrTheOneAskedFor) {
    ffmpeg(
        "-f lavfi -i sine=frequency=440:duration=2 -f lavfi -i sine=frequency=1760:duration=2 -map "
        "0 -map 1 "
        "-c:a aac -metadata:s:a:0 language=deu -metadata:s:a:1 title=Director -disposition:a:0 0 "
        "-disposition:a:1 default two.mkv");
    const Extracted by_default = extract_file("two.mkv");
    ASSERT_TRUE(by_default.result);
    EXPECT_NEAR(frequency_hz(by_default.pcm, 500), 1760, 20);
    const auto& info = by_default.result->info;
    EXPECT_EQ(info.chosen_track, 1);
    ASSERT_EQ(info.audio_tracks.size(), 2U);
    EXPECT_EQ(info.audio_tracks[0].language, "deu");
    EXPECT_EQ(info.audio_tracks[1].title, "Director");
    EXPECT_EQ(info.audio_tracks[1].codec, "aac");
    EXPECT_FALSE(info.audio_tracks[0].is_default);
    EXPECT_TRUE(info.audio_tracks[1].is_default);

    const Extracted first = extract_file("two.mkv", {.audio_track = 0});
    ASSERT_TRUE(first.result);
    EXPECT_NEAR(frequency_hz(first.pcm, 500), 440, 15);

    const Extracted third = extract_file("two.mkv", {.audio_track = 2});
    ASSERT_FALSE(third.result);
    EXPECT_EQ(third.result.error().code, "no_such_audio_track");
    EXPECT_NE(third.result.error().message.find("2 audio tracks"), std::string::npos);
}

// No encoder for it is everywhere: the header and a hundred frames of 12.2 kbit/s by hand.
TEST_F(Formats, Amr) {
    std::string bytes = "#!AMR\n";
    for (int i = 0; i < 100; ++i) {
        bytes += '\x3c';
        for (int k = 0; k < 31; ++k) {
            bytes += static_cast<char>(i * 37 + k * 11);
        }
    }
    write("a.amr", bytes);
    const Extracted extracted = extract_file("a.amr");
    ASSERT_TRUE(extracted.result) << extracted.result.error().detail;
    EXPECT_EQ(extracted.result->info.audio_tracks[0].codec, "amr_nb");
    EXPECT_NEAR(static_cast<double>(extracted.result->info.duration.count()), 2000, 5);
}

TEST_F(Formats, HalfASecond) {
    ffmpeg("-f lavfi -i sine=frequency=1000:duration=0.5 -c:a libmp3lame half.mp3");
    const Extracted extracted = extract_file("half.mp3");
    ASSERT_TRUE(extracted.result);
    EXPECT_NEAR(static_cast<double>(extracted.result->info.duration.count()), 500, 40);
    EXPECT_NEAR(frequency_hz(extracted.pcm, 200), 1000, 15);
}

TEST_F(Formats, TwoHours) {
    ffmpeg(
        "-f lavfi -i sine=frequency=1000:duration=7200:sample_rate=8000 -c:a pcm_mulaw long.wav");
    const Extracted extracted = extract_file("long.wav");
    ASSERT_TRUE(extracted.result);
    EXPECT_EQ(extracted.result->info.duration, Millis(7'200'000));
    EXPECT_EQ(extracted.pcm.size(), 7200U * kPcmRateHz);
    EXPECT_NEAR(frequency_hz(extracted.pcm, 7'100'000), 1000, 15);
    EXPECT_TRUE(extracted.result->silences.empty());
    EXPECT_EQ(extracted.result->peaks.min_max.size(), 2 * 72'000U);
}

TEST_F(Formats, ProgressOnlyGrowsAndEndsAtTheEnd) {
    ffmpeg("-f lavfi -i anoisesrc=duration=600:sample_rate=8000 -c:a flac noise.flac");
    const int in = ::open(path("noise.flac").c_str(), O_RDONLY | O_CLOEXEC);
    const int out = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    std::vector<Millis> seen;
    const auto result =
        extract({.source_fd = in, .pcm_fd = out}, [&](Millis done) { seen.push_back(done); });
    ASSERT_TRUE(result);
    ASSERT_FALSE(seen.empty());
    EXPECT_TRUE(std::ranges::is_sorted(seen));
    EXPECT_EQ(seen.back(), Millis(600'000));
}

// ---- pictures ----

class Posters : public MediaTest {
  protected:
    std::optional<domain::Poster> poster_of(const std::string& name) {
        Extracted extracted = extract_file(name, {.poster = true});
        EXPECT_TRUE(extracted.result) << extracted.result.error().code;
        return extracted.result ? std::move(extracted.result->poster) : std::nullopt;
    }
    // "640x360", as ffprobe has it.
    std::string size_of(const domain::Poster& poster) {
        write("poster", poster.bytes);
        run("ffprobe -v error -select_streams v -show_entries stream=width,height -of csv=s=x:p=0 "
            "poster > size");
        std::string size = read("size");
        return size.substr(0, size.find('\n'));
    }
};

TEST_F(Posters, AFrameOfTheVideoNoLargerThanIsNeeded) {
    ffmpeg(
        "-f lavfi -i testsrc=size=1280x720:rate=10 -f lavfi -i sine -t 3 -c:v mpeg4 -c:a aac "
        "a.mp4");
    const auto poster = poster_of("a.mp4");
    ASSERT_TRUE(poster.has_value());
    EXPECT_EQ(poster->mime_type, "image/jpeg");
    EXPECT_TRUE(domain::is_picture(*poster));
    EXPECT_EQ(size_of(*poster), "640x360");
    ffmpeg(
        "-f lavfi -i testsrc=size=64x128:rate=10 -f lavfi -i sine -t 2 -c:v libvpx -c:a libopus "
        "b.webm");
    const auto small = poster_of("b.webm");
    ASSERT_TRUE(small.has_value());
    EXPECT_EQ(size_of(*small), "64x128");
}

// Red above blue, as it is to be seen; the file lies on its side and says so.
TEST_F(Posters, StandAsTheVideoIsShown) {
    ffmpeg(
        "-f lavfi -i color=red:size=128x32:rate=10 -f lavfi -i color=blue:size=128x32:rate=10 -f "
        "lavfi "
        "-i sine -filter_complex '[0][1]vstack' -t 2 -c:v mpeg4 -q:v 2 -c:a aac upright.mp4");
    // The mean of red and of blue in the upper half.
    const auto upper = [this](const domain::Poster& poster) {
        write("poster.jpg", poster.bytes);
        ffmpeg("-i poster.jpg -vf crop=iw:ih/2:0:0,scale=1:1 -pix_fmt rgb24 -f rawvideo pixel");
        const std::string pixel = read("pixel");
        return std::pair(static_cast<unsigned char>(pixel.at(0)),
                         static_cast<unsigned char>(pixel.at(2)));
    };
    const auto upright = poster_of("upright.mp4");
    ASSERT_TRUE(upright.has_value());
    EXPECT_EQ(size_of(*upright), "128x64");
    EXPECT_GT(upper(*upright).first, upper(*upright).second + 100) << "red";
    // What a telephone that is held otherwise writes: turned pictures, and how to turn them back.
    for (const auto& [filter, rotate] : {std::pair{"transpose=cclock", "270"},
                                         {"hflip,vflip", "180"},
                                         {"transpose=clock", "90"}}) {
        ffmpeg(std::string("-i upright.mp4 -vf ") + filter +
               " -c:v mpeg4 -q:v 2 -c:a copy lying.mp4");
        ffmpeg(std::string("-i lying.mp4 -c copy -metadata:s:v:0 rotate=") + rotate +
               " turned.mp4");
        const auto poster = poster_of("turned.mp4");
        ASSERT_TRUE(poster.has_value()) << rotate;
        EXPECT_EQ(size_of(*poster), "128x64") << rotate;
        EXPECT_GT(upper(*poster).first, upper(*poster).second + 100) << rotate;
    }
}

TEST_F(Posters, ALargeAttachedPictureIsMadeSmaller) {
    for (const char* cover : {"cover.png", "cover.jpg"}) {
        // Noise does not compress.
        ffmpeg(
            std::string("-f lavfi -i 'nullsrc=size=1200x900,geq=random(1)*255:128:128' -frames:v 1 "
                        "-q:v 1 ") +
            cover);
        ASSERT_GT(read(cover).size(), 512U << 10);
        ffmpeg(std::string("-f lavfi -i sine=duration=1 -i ") + cover +
               " -map 0 -map 1 -c:v copy -disposition:v attached_pic a.mp3");
        const auto poster = poster_of("a.mp3");
        ASSERT_TRUE(poster.has_value()) << cover;
        EXPECT_EQ(poster->mime_type, "image/jpeg");
        EXPECT_LE(poster->bytes.size(), 512U << 10);
        EXPECT_EQ(size_of(*poster), "640x480");
    }
}

TEST_F(Posters, TheAttachedPictureAsItIs) {
    ffmpeg("-f lavfi -i testsrc=size=32x32 -frames:v 1 cover.png");
    ffmpeg(
        "-f lavfi -i sine=duration=1 -i cover.png -map 0 -map 1 -c:v copy -disposition:v "
        "attached_pic "
        "a.mp3");
    const auto poster = poster_of("a.mp3");
    ASSERT_TRUE(poster.has_value());
    EXPECT_EQ(poster->mime_type, "image/png");
    EXPECT_EQ(poster->bytes, read("cover.png"));
}

TEST_F(Posters, WhereThereIsNoPictureNothingIsLost) {
    make_burst();
    EXPECT_FALSE(poster_of("burst.wav").has_value());
    ffmpeg(
        "-f lavfi -i testsrc=size=64x64:rate=10 -f lavfi -i sine -t 2 -c:v mpeg4 -c:a aac a.mp4");
    std::string broken = read("a.mp4");
    const std::size_t media = broken.find("mdat");
    ASSERT_NE(media, std::string::npos);
    for (std::size_t i = media + 4; i < media + 2'000 && i < broken.size(); ++i) {
        broken[i] = static_cast<char>(i * 31);
    }
    write("broken.mp4", broken);
    const Extracted extracted = extract_file("broken.mp4", {.poster = true});
    EXPECT_TRUE(extracted.result || extracted.result.error().cls == ErrorClass::input);
    EXPECT_FALSE(extract_file("a.mp4").result->poster.has_value()) << "it was not asked for";
}

}  // namespace
}  // namespace durascribe::media
