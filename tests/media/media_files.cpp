#include "media_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>

#include "durascribe/base/unique_fd.h"

namespace durascribe::media {

MediaTest::MediaTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "durascribe-media-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
        ADD_FAILURE() << "no temporary folder: " << pattern;
    }
    dir_ = pattern;
}

MediaTest::~MediaTest() {
    std::error_code ignored;  // what stays behind in the temporary folder harms nobody
    std::filesystem::remove_all(dir_, ignored);
}

void MediaTest::run(const std::string& command) const {
    const std::string line =
        fmt::format("cd '{}' && ({}) </dev/null >log.txt 2>&1", dir_.string(), command);
    ASSERT_EQ(std::system(line.c_str()), 0) << command << "\n" << read("log.txt");
}

void MediaTest::ffmpeg(const std::string& arguments) const {
    run("ffmpeg -hide_banner -loglevel error -nostdin -y " + arguments);
}

void MediaTest::write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
}

std::string MediaTest::read(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void MediaTest::make_burst(int rate_hz, int channels, const std::string& sox_format) {
    run(fmt::format("sox -R -n -r {} -c {} {} burst.wav synth 0.5 sine 1000 gain -6 pad 1.0 1.5",
                    rate_hz, channels, sox_format));
}

Extracted MediaTest::extract_file(const std::string& name, ExtractSettings settings) const {
    const UniqueFd in(::open(path(name).c_str(), O_RDONLY | O_CLOEXEC));
    const UniqueFd out(
        ::open(path("out.raw").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    settings.source_fd = in.get();
    settings.pcm_fd = settings.pcm_fd < 0 ? out.get() : settings.pcm_fd;
    Extracted extracted{extract(settings, {}), {}};
    if (extracted.result) {
        const std::string bytes = read("out.raw");
        extracted.pcm.resize(bytes.size() / sizeof(std::int16_t));
        bytes.copy(reinterpret_cast<char*>(extracted.pcm.data()), bytes.size());
    }
    return extracted;
}

namespace {

std::span<const std::int16_t> stretch(const std::vector<std::int16_t>& pcm, int from_ms,
                                      int to_ms) {
    const auto limit = [&](int ms) {
        return std::min(pcm.size(), static_cast<std::size_t>(ms) * kPcmRateHz / 1000);
    };
    return std::span(pcm).subspan(limit(from_ms), limit(to_ms) - limit(from_ms));
}

}  // namespace

double level_dbfs(const std::vector<std::int16_t>& pcm, int from_ms, int to_ms) {
    const auto samples = stretch(pcm, from_ms, to_ms);
    double squares = 0;
    for (const std::int16_t s : samples) {
        squares += static_cast<double>(s) * s;
    }
    return squares == 0 ? -120
                        : 10 * std::log10(squares / static_cast<double>(samples.size())) -
                              20 * std::log10(32768);
}

int onset_ms(const std::vector<std::int16_t>& pcm, int from_ms) {
    const int end_ms = static_cast<int>(pcm.size() * 1000 / kPcmRateHz);
    for (int at = from_ms; at + 5 <= end_ms; at += 5) {
        if (level_dbfs(pcm, at, at + 5) > -26) {
            return at;
        }
    }
    return -1;
}

int frequency_hz(const std::vector<std::int16_t>& pcm, int from_ms) {
    const auto samples = stretch(pcm, from_ms, from_ms + 200);
    int rising = 0;
    for (std::size_t i = 1; i < samples.size(); ++i) {
        rising += samples[i - 1] < 0 && samples[i] >= 0 ? 1 : 0;
    }
    return rising * 5;
}

}  // namespace durascribe::media
