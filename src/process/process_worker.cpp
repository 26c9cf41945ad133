#include "durascribe/process/process_worker.h"

#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "durascribe/ports/clock.h"
#include "durascribe/process/conversation.h"
#include "durascribe/protocol/messages.h"

namespace durascribe::process {
namespace {

using protocol::FrameType;

// A recogniser works in frames and may round past the ends of its chunk.
constexpr Millis kSpanTolerance{1'000};
constexpr std::int64_t kPcmBytesPerMilli = std::int64_t{16} * 2;
constexpr Millis kLongestEver =
    std::chrono::hours{100};  // as in media/, where no limit is asked for
constexpr Millis kPcmTolerance{1'000};

// ---- what an answer must be, beyond what each message must ----

bool within(const domain::AudioSpan& inner, const domain::AudioSpan& outer) {
    return inner.start >= outer.start - kSpanTolerance && inner.end <= outer.end + kSpanTolerance;
}

Result<void> check(const protocol::Transcribed& answer, const domain::AudioSpan& chunk) {
    Millis last_start{0};
    for (const auto& segment : answer.segments) {
        if (!within(segment.span, chunk)) {
            return std::unexpected(protocol::protocol_error(
                fmt::format("a segment from {} to {} ms in a chunk from {} to {} ms",
                            segment.span.start.count(), segment.span.end.count(),
                            chunk.start.count(), chunk.end.count())));
        }
        if (segment.span.start < last_start) {
            return std::unexpected(protocol::protocol_error("segments out of order"));
        }
        last_start = segment.span.start;
        for (const auto& word : segment.words) {
            if (!within(word.span, chunk)) {
                return std::unexpected(protocol::protocol_error("a word outside its chunk"));
            }
        }
    }
    return {};
}

Result<void> check(const protocol::Extracted& answer, const ports::ExtractJob& job) {
    const Millis longest = job.longest_media > Millis{0} ? job.longest_media : kLongestEver;
    if (answer.info.duration > longest + kPcmTolerance) {
        return std::unexpected(protocol::protocol_error("more audio than the job allows"));
    }
    struct stat file{};
    if (::fstat(job.pcm_fd, &file) != 0) {
        return std::unexpected(system_error(errno, "read the size of the decoded audio"));
    }
    if (!answer.decoded) {
        if (job.room_bytes < 0 || file.st_size != 0) {
            return std::unexpected(protocol::protocol_error(fmt::format(
                "no room for the audio, of which {} bytes were written, and {} are free",
                file.st_size, job.room_bytes)));
        }
        return {};
    }
    const Millis written{file.st_size / kPcmBytesPerMilli};
    if (written + kPcmTolerance < answer.info.duration) {
        return std::unexpected(
            protocol::protocol_error(fmt::format("{} ms of audio announced, {} ms written",
                                                 answer.info.duration.count(), written.count())));
    }
    return {};
}

// ---- the worker ----

class ProcessWorker final : public ports::Worker {
  public:
    ProcessWorker(ports::WorkerRole role, Conversation conversation)
        : role_(role), conversation_(std::move(conversation)) {}

    Result<ports::ExtractOutcome> extract(const ports::ExtractJob& job,
                                          const ports::RunControl& control) override;
    Result<ports::TranscribeOutcome> transcribe(const ports::TranscribeJob& job,
                                                const ports::RunControl& control) override;
    Result<ports::FetchOutcome> fetch(const ports::FetchJob& job,
                                      const ports::RunControl& control) override;
    bool alive() override;
    Result<void> wait_ready(Millis deadline, std::stop_token stop) override;
    int pid() const override {
        return conversation_.child().running() ? conversation_.child().pid() : 0;
    }
    std::int64_t resident_bytes() const override { return conversation_.child().resident_bytes(); }

  private:
    Result<std::string> run(FrameType request, std::string_view payload,
                            std::span<const int> descriptors, FrameType answer, Watch watch);
    Result<protocol::Extracted> run_extract(const ports::ExtractJob& job,
                                            const ports::RunControl& control);

    const ports::WorkerRole role_;
    Conversation conversation_;
    bool ready_ = false;
};

Watch watch_of(const ports::RunControl& control, std::string_view activity, Millis audio_total,
               Millis audio_start) {
    return {.activity = activity,
            .stall_window = control.stall_window,
            .deadline = control.deadline,
            .stop = control.stop,
            .on_progress = control.on_progress,
            .audio_total = audio_total,
            .audio_start = audio_start};
}

// The time that the worker needs to become ready is part of the run.
Result<std::string> ProcessWorker::run(FrameType request, std::string_view payload,
                                       std::span<const int> descriptors, FrameType answer,
                                       Watch watch) {
    if (!conversation_.child().running()) {
        return fail(ErrorClass::internal, "worker_ended",
                    "A worker was given work after its end. Please report this.");
    }
    if (!ready_) {
        if (auto ready = wait_ready(std::min(watch.stall_window, watch.deadline), watch.stop);
            !ready) {
            return std::unexpected(std::move(ready.error()));
        }
        watch.deadline -= conversation_.time_taken();
    }
    if (auto sent = conversation_.send(request, payload, descriptors, watch); !sent) {
        return std::unexpected(std::move(sent.error()));
    }
    return conversation_.await(answer, watch);
}

Result<protocol::Extracted> ProcessWorker::run_extract(const ports::ExtractJob& job,
                                                       const ports::RunControl& control) {
    const Millis longest = job.longest_media > Millis{0} ? job.longest_media : kLongestEver;
    const std::int64_t bytes_max = (longest + kPcmTolerance).count() * kPcmBytesPerMilli;
    if (pid() != 0) {
        if (auto limited = conversation_.child().limit_file_size(bytes_max); !limited) {
            return std::unexpected(std::move(limited.error()));
        }
    }
    const std::array descriptors{job.source_fd, job.pcm_fd};
    const auto payload = run(
        FrameType::extract,
        protocol::encode(protocol::ExtractRequest{job.audio_track.value_or(-1), longest, job.poster,
                                                  std::max<std::int64_t>(job.room_bytes, -1)}),
        descriptors, FrameType::extracted, watch_of(control, "decoding", Millis{0}, Millis{0}));
    if (!payload) {
        return std::unexpected(payload.error());
    }
    auto answer = protocol::decode<protocol::Extracted>(*payload);
    if (!answer) {
        return answer;
    }
    if (auto checked = check(*answer, job); !checked) {
        return std::unexpected(std::move(checked.error()));
    }
    return answer;
}

Result<ports::ExtractOutcome> ProcessWorker::extract(const ports::ExtractJob& job,
                                                     const ports::RunControl& control) {
    DURASCRIBE_ASSERT(role_ == ports::WorkerRole::media);
    auto answer = run_extract(job, control);
    conversation_.kill();  // whatever came of it: hostile bytes are decoded once by one process
    if (!answer) {
        return std::unexpected(std::move(answer.error()));
    }
    return ports::ExtractOutcome{std::move(answer->info), std::move(answer->silences),
                                 std::move(answer->peaks), std::move(answer->poster),
                                 answer->decoded};
}

Result<ports::TranscribeOutcome> ProcessWorker::transcribe(const ports::TranscribeJob& job,
                                                           const ports::RunControl& control) {
    DURASCRIBE_ASSERT(role_ == ports::WorkerRole::speech);
    const std::array descriptors{job.pcm_fd};
    Watch watch = watch_of(control, "recognising speech", job.span.length(), job.span.start);
    watch.load_window = control.load_window;
    watch.on_loaded = control.on_loaded;
    const auto payload = run(FrameType::transcribe,
                             protocol::encode(protocol::TranscribeRequest{job.span, job.engine,
                                                                          job.model, job.language}),
                             descriptors, FrameType::transcribed, watch);
    if (!payload) {
        return std::unexpected(payload.error());
    }
    auto answer = protocol::decode<protocol::Transcribed>(*payload);
    if (!answer) {
        return conversation_.kill_for(std::move(answer.error()));
    }
    if (auto checked = check(*answer, job.span); !checked) {
        return conversation_.kill_for(std::move(checked.error()));
    }
    return ports::TranscribeOutcome{std::move(answer->segments), std::move(answer->engine),
                                    std::move(answer->model)};
}

Result<ports::FetchOutcome> ProcessWorker::fetch(const ports::FetchJob& job,
                                                 const ports::RunControl& control) {
    DURASCRIBE_ASSERT(role_ == ports::WorkerRole::fetch);
    Watch watch = watch_of(control, "downloading", Millis{0}, Millis{0});
    watch.audio_start.reset();
    watch.deadline_setting = "IMPORT_TIMEOUT";
    const std::array descriptors{job.output_fd};
    const auto payload = run(
        FrameType::fetch,
        protocol::encode(protocol::FetchRequest{job.url, job.offset, job.etag, job.last_modified,
                                                job.limit_bytes, job.timeout, job.stall}),
        descriptors, FrameType::fetched, watch);
    conversation_.kill();  // whatever came of it: strangers' bytes went through it
    if (!payload) {
        return std::unexpected(payload.error());
    }
    auto answer = protocol::decode<protocol::Fetched>(*payload);
    if (!answer) {
        return std::unexpected(std::move(answer.error()));
    }
    return ports::FetchOutcome{.bytes = answer->bytes,
                               .error = std::move(answer->error),
                               .retry_after = answer->retry_after >= Millis{0}
                                                  ? std::optional{answer->retry_after}
                                                  : std::nullopt};
}

bool ProcessWorker::alive() {
    // Before it is ready it may speak: that word is still to be heard.
    return ready_ ? conversation_.idle() : conversation_.child().running();
}

Result<void> ProcessWorker::wait_ready(Millis deadline, std::stop_token stop) {
    if (ready_) {
        return {};
    }
    if (!conversation_.child().running()) {
        return fail(ErrorClass::internal, "worker_ended",
                    "A worker was waited for after its end. Please report this.");
    }
    // There is no progress yet: one limit, and it is the deadline.
    const Watch watch{"getting ready", Millis::max(), deadline, std::move(stop), {}, Millis{0}, {}};
    const auto payload = conversation_.await(FrameType::ready, watch);
    if (!payload) {
        conversation_.kill();  // a worker that reports a failure before it is ready leaves anyway
        Error error = payload.error();
        if (error.cls == ErrorClass::timeout) {
            error.code = "worker_not_ready";
            error.message = fmt::format("The worker was not ready after {:.1f} s and was stopped.",
                                        static_cast<double>(deadline.count()) / 1000.0);
        }
        return std::unexpected(std::move(error));
    }
    if (auto message = protocol::decode<protocol::Ready>(*payload); !message) {
        return conversation_.kill_for(std::move(message.error()));
    }
    ready_ = true;
    return {};
}

// ---- how it is started ----

std::vector<std::string> environment_of(const ProcessWorkerSettings& settings) {
    std::vector<std::string> out;
    for (const char* name : {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "ASAN_OPTIONS",
                             "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
        if (const char* value = std::getenv(name)) {
            out.push_back(fmt::format("{}={}", name, value));
        }
    }
    out.emplace_back("TZ=UTC0");  // no file is read for it once the sandbox is closed
    out.push_back(fmt::format("OMP_NUM_THREADS={}",
                              std::max(1, static_cast<int>(std::ceil(settings.cpu_limit)))));
    out.insert(out.end(), settings.environment.begin(), settings.environment.end());
    return out;
}

// RLIMIT_FSIZE; -1: no limit. A fetch worker's is for what yt-dlp puts aside, in memory.
std::int64_t file_bytes_of(ports::WorkerRole role) {
    switch (role) {
        case ports::WorkerRole::media:
            return -1;
        case ports::WorkerRole::fetch:
            return std::int64_t{256} << 20;
        case ports::WorkerRole::speech:
            return 0;
    }
    DURASCRIBE_ASSERT(false && "unknown WorkerRole");
}

std::vector<std::string> arguments_of(const ProcessWorkerSettings& settings,
                                      ports::WorkerRole role) {
    if (role == ports::WorkerRole::media) {
        return {"media"};
    }
    if (role == ports::WorkerRole::fetch) {
        return {"fetch",
                "--allow-private-addresses",
                settings.allow_private_addresses,
                "--dns-servers",
                settings.dns_servers,
                "--site-program",
                settings.site_program};
    }
    std::vector<std::string> out{"speech"};
    if (!settings.engine.empty()) {
        out.insert(out.end(), {"--engine", settings.engine});
        out.insert(out.end(), {"--model", settings.model});
        out.insert(out.end(), {"--language", settings.language});
    }
    return out;
}

}  // namespace

ProcessWorkerFactory::ProcessWorkerFactory(ProcessWorkerSettings settings)
    : settings_(std::move(settings)),
      limits_(LimitsInForce::find(settings_.memory_limit_by,
                                  {settings_.memory_limit_bytes, settings_.cpu_limit})),
      groups_(limits_.places) {
    // Who started the server may have ignored SIGCHLD, and exec keeps that: the kernel would then
    // reap the workers itself, and how they ended could not be asked for (waitid(2): ECHILD).
    ::signal(SIGCHLD, SIG_DFL);
}

Result<std::unique_ptr<ports::Worker>> ProcessWorkerFactory::start(ports::WorkerRole role) {
    auto ends = protocol::Channel::make_pair();
    if (!ends) {
        return std::unexpected(std::move(ends.error()));
    }
    // What is decoded or fetched ahead of its turn makes way for what is being recognised, and for
    // models that are loaded. Where those have nothing to do, it has all there is.
    const bool makes_way = role != ports::WorkerRole::speech;
    const ChildSettings child_settings{
        settings_.program,
        arguments_of(settings_, role),
        environment_of(settings_),
        ends->second.get(),
        {limits_.data_size ? settings_.memory_limit_bytes : 0, file_bytes_of(role),
         settings_.open_files_max, settings_.processes_max},
        settings_.niceness + (makes_way ? 10 : 0)};
    GroupLimits limits{settings_.memory_limit_bytes, settings_.cpu_limit};
    if (makes_way) {
        limits.cpu_weight /= 8;
    }
    auto group = groups_.lend(limits);
    if (!group) {
        return std::unexpected(std::move(group.error()));
    }
    auto child = ChildProcess::start(child_settings, std::move(*group));
    if (!child) {
        return std::unexpected(std::move(child.error()));
    }
    return std::make_unique<ProcessWorker>(
        role, Conversation(std::move(*child), protocol::Channel(std::move(ends->first)),
                           settings_.memory_limit_bytes));
}

}  // namespace durascribe::process
