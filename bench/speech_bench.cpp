// speech_bench FILE.wav [ENGINE [MODEL]]: recognises 16 kHz mono WAV as a speech worker does, in
// chunks of about 30 s cut at pauses, in one process. The text goes to standard output; load time,
// CPU time, real-time factor and memory to standard error. With DURASCRIBE_BENCH_WORDS set, each
// word with its times and confidence instead of the text.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>

#include "durascribe/speech/engines/engines.h"
#include "durascribe/speech/utterances.h"

namespace {

using namespace durascribe;
using Clock = std::chrono::steady_clock;

// The samples of a plain RIFF file of 16 kHz mono 16-bit PCM.
std::optional<std::vector<std::int16_t>> read_wav(const char* path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    const auto number = [&](std::size_t at, std::size_t size) {
        std::uint32_t value = 0;
        std::memcpy(&value, bytes.data() + at, size);
        return value;
    };
    bool right_format = false;
    for (std::size_t at = 12; at + 8 <= bytes.size();) {
        const std::string_view id(bytes.data() + at, 4);
        const std::size_t size = number(at + 4, 4);
        at += 8;
        if (id == "fmt " && at + 16 <= bytes.size()) {
            right_format = number(at, 2) == 1 && number(at + 2, 2) == 1 &&
                           number(at + 4, 4) == speech::kSampleRateHz && number(at + 14, 2) == 16;
        } else if (id == "data" && right_format) {
            std::vector<std::int16_t> pcm(std::min(size, bytes.size() - at) / 2);
            std::memcpy(pcm.data(), bytes.data() + at, pcm.size() * 2);
            return pcm;
        }
        at += size + size % 2;
    }
    return std::nullopt;
}

// Utterances joined to chunks of 30 s.
std::vector<speech::SampleRange> cut(std::span<const std::int16_t> pcm) {
    std::vector<speech::SampleRange> chunks;
    for (const auto& utterance : speech::split_utterances(pcm)) {
        if (!chunks.empty() && utterance.end - chunks.back().begin <= 30U * speech::kSampleRateHz) {
            chunks.back().end = utterance.end;
        } else {
            chunks.push_back(utterance);
        }
    }
    return chunks;
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double resident_megabytes() {
    long pages = 0;
    long resident = 0;
    std::ifstream("/proc/self/statm") >> pages >> resident;
    return static_cast<double>(resident) * 4096 / 1e6;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 2 || count > 4) {
        fmt::print(stderr, "usage: speech_bench FILE.wav [ENGINE [MODEL]]\n");
        return 2;
    }
    const auto pcm = read_wav(arguments[1]);
    if (!pcm) {
        fmt::print(stderr, "speech_bench: {} is not 16 kHz mono 16-bit WAV\n", arguments[1]);
        return 1;
    }
    const auto begun = Clock::now();
    auto recognizer =
        speech::load(count > 2 ? arguments[2] : "auto", count > 3 ? arguments[3] : "auto", "en");
    if (!recognizer) {
        fmt::print(stderr, "speech_bench: {} ({})\n", recognizer.error().message,
                   recognizer.error().detail);
        return 1;
    }
    const double load = std::chrono::duration<double>(Clock::now() - begun).count();
    const double load_cpu = cpu_seconds();
    const double loaded_mb = resident_megabytes();
    const bool words = std::getenv("DURASCRIBE_BENCH_WORDS") != nullptr;
    const auto chunks = cut(*pcm);
    for (const auto& chunk : chunks) {
        const auto segments = (*recognizer)
                                  ->recognize(std::span(*pcm).subspan(chunk.begin, chunk.size()),
                                              Millis(static_cast<std::int64_t>(chunk.begin) * 1000 /
                                                     speech::kSampleRateHz),
                                              nullptr);
        if (!segments) {
            fmt::print(stderr, "speech_bench: {}\n", segments.error().message);
            return 1;
        }
        for (const auto& segment : *segments) {
            if (!words) {
                fmt::print("{}\n", segment.text);
                continue;
            }
            for (const auto& word : segment.words) {
                fmt::print("{:8.2f} {:8.2f} {:.3f} {}\n",
                           static_cast<double>(word.span.start.count()) / 1000,
                           static_cast<double>(word.span.end.count()) / 1000, word.confidence,
                           word.text);
            }
        }
    }
    const double audio = static_cast<double>(pcm->size()) / speech::kSampleRateHz;
    const double cpu = cpu_seconds() - load_cpu;
    fmt::print(stderr,
               "{} {}: audio {:.1f} s in {} chunks, load {:.2f} s, CPU {:.2f} s (RTF {:.3f}), wall "
               "{:.2f} s, "
               "resident {:.0f} MB loaded, {:.0f} MB after\n",
               (*recognizer)->engine(), (*recognizer)->model(), audio, chunks.size(), load, cpu,
               cpu / audio, std::chrono::duration<double>(Clock::now() - begun).count(), loaded_mb,
               resident_megabytes());
}
