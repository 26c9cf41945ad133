// media_extract_bench FILE OUT: one extraction in this process, for bench/extract_bench.sh to time.
// Prints what was measured; the peak of the resident memory includes everything.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>

#include "durascribe/base/unique_fd.h"
#include "durascribe/media/extract.h"

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: media_extract_bench FILE OUT\n");
        return 2;
    }
    const durascribe::UniqueFd in(::open(argv[1], O_RDONLY | O_CLOEXEC));
    const durascribe::UniqueFd out(::open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!in.valid() || !out.valid()) {
        std::perror("open");
        return 1;
    }
    const auto result =
        durascribe::media::extract({.source_fd = in.get(), .pcm_fd = out.get()}, {});
    if (!result) {
        fmt::print(stderr, "{}: {}\n{}\n", result.error().code, result.error().message,
                   result.error().detail);
        return 1;
    }
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto& info = result->info;
    fmt::print(
        "{} ms of {}, {:.1f} LUFS, peak {:.1f} dBFS, {} silences, {} waveform buckets of {} "
        "ms, peak memory {} kB\n",
        info.duration.count(), info.container, info.loudness_lufs, info.peak_dbfs,
        result->silences.size(), result->peaks.min_max.size() / 2, result->peaks.bucket.count(),
        used.ru_maxrss);
    for (const auto& warning : info.warnings) {
        fmt::print("warning: {}\n", warning);
    }
    return 0;
}
