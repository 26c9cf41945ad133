#include "durascribe/media/extract.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <system_error>
#include <thread>

#include <fmt/format.h>

#include "durascribe/base/log.h"
#include "durascribe/media/batch_queue.h"
#include "durascribe/media/decoder.h"
#include "durascribe/media/log_capture.h"
#include "durascribe/media/pcm_sink.h"
#include "durascribe/media/poster.h"
#include "durascribe/media/source.h"

namespace durascribe::media {
namespace {

using Queue = BatchQueue<FrameBatch>;
using OnProgress = std::function<void(Millis)>;

constexpr std::size_t kBatchesWaiting = 2;
constexpr std::chrono::milliseconds kProgressEvery{200};

Error out_of_memory() {
    return {ErrorClass::memory,
            "out_of_memory",
            "There was not enough memory to decode this file.",
            {}};
}

Timeline timeline_of(Source& source) {
    const AVFormatContext& format = *source.format();
    Timeline timeline{.time_base = source.stream()->time_base,
                      .zero_us = source.zero_us(),
                      .real_timestamps = source.has_real_timestamps()};
    // Broadcast formats set their clock anew wherever two recordings were joined; FFmpeg's own
    // program draws the line at ten seconds, too.
    const bool clock_may_be_set = (format.iformat->flags & AVFMT_TS_DISCONT) != 0;
    timeline.longest_gap = clock_may_be_set ? Millis(10'000) : Millis(3'600'000);
    if (format.duration != AV_NOPTS_VALUE && format.duration > 0) {
        const std::int64_t start = format.start_time == AV_NOPTS_VALUE ? 0 : format.start_time;
        constexpr std::int64_t kSlackUs = 1'000'000;
        timeline.media_end = Millis((start - timeline.zero_us + format.duration + kSlackUs) / 1000);
    }
    return timeline;
}

// The body of the second thread. Closes the queue when it fails, so that decoding stops.
Result<void> resample_all(Queue& queue, PcmSink& sink) {
    const auto all = [&]() -> Result<void> {
        while (const auto batch = queue.pop()) {
            for (const FramePtr& frame : batch->frames) {
                if (auto accepted = sink.accept(*frame); !accepted) {
                    return accepted;
                }
            }
        }
        return sink.flush();
    };
    Result<void> result;
    try {
        result = all();
    } catch (const std::bad_alloc&) {
        result = std::unexpected(out_of_memory());
    }
    queue.close();
    return result;
}

Result<void> decode_all(Decoder& decoder, Queue& queue, const PcmSink& sink,
                        const OnProgress& on_progress) {
    auto reported = std::chrono::steady_clock::now();
    for (;;) {
        auto batch = decoder.next();
        if (!batch) {
            return std::unexpected(batch.error());
        }
        if (batch->frames.empty()) {
            return {};
        }
        if (!queue.push(std::move(*batch))) {
            return {};  // the other thread has failed and says why
        }
        if (const auto now = std::chrono::steady_clock::now();
            on_progress && now - reported >= kProgressEvery) {
            reported = now;
            on_progress(sink.written());
        }
    }
}

// Decoding on this thread, the rest on a second one that has ended when this returns.
Result<void> pump(Decoder& decoder, PcmSink& sink, const OnProgress& on_progress) {
    Queue queue(kBatchesWaiting);
    Result<void> resampled;
    Result<void> decoded;
    {
        const std::jthread second([&] { resampled = resample_all(queue, sink); });
        struct CloseBeforeJoin {
            Queue& queue;
            ~CloseBeforeJoin() { queue.close(); }
        } const closes{queue};
        decoded = decode_all(decoder, queue, sink, on_progress);
    }
    return resampled ? decoded : resampled;
}

std::string clock_text(Millis t) {
    const auto tenths = t.count() / 100;
    return fmt::format("{}:{:02}:{:02}.{}", tenths / 36'000, tenths / 600 % 60, tenths / 10 % 60,
                       tenths % 10);
}

// The blocks of the decoded audio, taken before it is written: so that what decodes beside it, and
// uploads, see that they are gone.
class Room {
  public:
    explicit Room(int fd) : fd_(fd) {}

    // False: there is not so much. Where the file system takes nothing in advance, that is found
    // out when it is full.
    bool take(std::int64_t bytes) {
        int status = 0;
        do {
            status = ::fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0, bytes);
        } while (status != 0 && errno == EINTR);
        taken_ = status == 0;
        return taken_ || (errno != ENOSPC && errno != EDQUOT);
    }
    // What is behind the end of the file.
    void give_back() const {
        struct stat file{};
        if (taken_ && (::fstat(fd_, &file) != 0 || ::ftruncate(fd_, file.st_size) != 0)) {
            log::warning("room behind the decoded audio stays taken: {}",
                         std::system_category().message(errno));
        }
    }

  private:
    int fd_;
    bool taken_ = false;
};

void add_warnings(domain::MediaInfo& info, const Source& source, const Decoder& decoder,
                  const PcmSink& sink, const LogCapture& log) {
    if (const int n = decoder.damaged_packets(); n > 0) {
        info.warnings.push_back(
            fmt::format("{} of the audio could not be decoded and {} skipped.",
                        n == 1 ? "1 damaged part" : fmt::format("{} damaged parts", n),
                        n == 1 ? "was" : "were"));
    }
    if (sink.lost_the_clock()) {
        info.warnings.push_back(
            "The timestamps in the file jump; times after the jump may not match the media.");
        return;  // and so the length says nothing of an early end
    }
    const auto promised = source.promised();
    const Millis tolerated = promised ? std::max(Millis(250), *promised / 1000) : Millis(0);
    if (promised && info.duration + tolerated < *promised) {
        info.warnings.push_back(
            fmt::format("The file ends early: {} of {} could be read. It may have been cut off.",
                        clock_text(info.duration), clock_text(*promised)));
    } else if (log.saw_early_end()) {
        info.warnings.push_back(fmt::format(
            "The file ends early, after {}. It may have been cut off.", clock_text(info.duration)));
    }
}

Result<Extraction> run(const ExtractSettings& settings, const OnProgress& on_progress) {
    const LogCapture log;
    Source source(settings.source_fd, log);
    if (auto opened = source.open(settings.audio_track); !opened) {
        return std::unexpected(opened.error());
    }
    Decoder decoder(source);
    if (auto opened = decoder.open(); !opened) {
        return std::unexpected(opened.error());
    }
    const Millis longest = settings.longest_media > Millis(0)
                               ? std::min(settings.longest_media, kLongestEver)
                               : kLongestEver;
    Room room(settings.pcm_fd);
    if (const auto expected = source.expected();
        expected && *expected > Millis(0) && settings.room_bytes >= 0) {
        const Millis audio = std::min(*expected, longest);
        const std::int64_t bytes = audio.count() * (kPcmRateHz / 1000) * 2;
        if (bytes > settings.room_bytes || !room.take(bytes)) {
            Extraction none{source.info(), {}, {}, {}, false};
            none.info.duration = audio;
            return none;
        }
    }
    PcmSink sink(settings.pcm_fd, timeline_of(source), longest,
                 source.stream()->codecpar->ch_layout.nb_channels >= 2);
    if (auto done = pump(decoder, sink, on_progress); !done) {
        return std::unexpected(done.error());
    }
    if (!sink.decoded_anything() || sink.written() == Millis(0)) {
        // FFmpeg calls this a success.
        return fail(ErrorClass::input, "no_samples",
                    "The audio track in this file is empty: it holds no sound that can be decoded. "
                    "Check that it plays.",
                    log.text());
    }
    room.give_back();
    AudioAnalysis::Report report = sink.report();
    Extraction extraction{
        source.info(), std::move(report.silences), std::move(report.peaks), {}, true};
    extraction.info.duration = report.duration;
    extraction.info.loudness_lufs = report.loudness_lufs;
    extraction.info.peak_dbfs = report.peak_dbfs;
    add_warnings(extraction.info, source, decoder, sink, log);
    if (settings.poster) {
        extraction.poster = find_poster(settings.source_fd);
    }
    if (on_progress) {
        on_progress(report.duration);
    }
    return extraction;
}

}  // namespace

Result<Extraction> extract(const ExtractSettings& settings, const OnProgress& on_progress) {
    try {
        return run(settings, on_progress);
    } catch (const std::bad_alloc&) {
        return std::unexpected(out_of_memory());
    } catch (const std::system_error& e) {  // std::jthread's, where no thread can be made
        return std::unexpected(system_error(e.code().value(), "start a thread for the audio"));
    }
}

}  // namespace durascribe::media
