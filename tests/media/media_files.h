// Media made on the fly by ffmpeg and sox, and what extract() finds in them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "durascribe/media/extract.h"

namespace durascribe::media {

struct Extracted {
    Result<Extraction> result;
    std::vector<std::int16_t> pcm;  // empty after an error
};

// A test with a folder of its own, in which commands run and files lie.
class MediaTest : public testing::Test {
  protected:
    MediaTest();
    ~MediaTest() override;

    std::filesystem::path path(const std::string& name) const { return dir_ / name; }
    // Runs a shell command in the folder; the test fails where it does.
    void run(const std::string& command) const;
    // ffmpeg, quietly, with these arguments.
    void ffmpeg(const std::string& arguments) const;
    void write(const std::string& name, const std::string& bytes) const;
    std::string read(const std::string& name) const;

    // Half a second of 1 kHz from 1.0 s to 1.5 s, three seconds in all, as burst.wav.
    void make_burst(int rate_hz = 48'000, int channels = 2,
                    const std::string& sox_format = "-b 16");

    Extracted extract_file(const std::string& name, ExtractSettings settings = {}) const;

  private:
    std::filesystem::path dir_;
};

// Where it first gets loud (-26 dBFS and more in 5 ms), in milliseconds; -1: nowhere.
int onset_ms(const std::vector<std::int16_t>& pcm, int from_ms = 0);
// The frequency that dominates the 200 ms from there, by zero crossings.
int frequency_hz(const std::vector<std::int16_t>& pcm, int from_ms);
// RMS of the stretch in dBFS.
double level_dbfs(const std::vector<std::int16_t>& pcm, int from_ms, int to_ms);

}  // namespace durascribe::media
