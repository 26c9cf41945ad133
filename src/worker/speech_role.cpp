// Recognises chunks with one model kept in memory.
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "durascribe/base/log.h"
#include "durascribe/protocol/frame.h"
#include "durascribe/speech/engines/engines.h"
#include "durascribe/worker/role.h"

namespace durascribe::worker {
namespace {

constexpr std::int64_t kSamplesPerMilli = speech::kSampleRateHz / 1000;
// The end of the audio is rounded to milliseconds on its way: so much of a chunk may be missing.
constexpr Millis kMissingMax{100};
constexpr Millis kChunkMax = std::chrono::minutes{10};

// The samples of `span`, and no others.
Result<std::vector<std::int16_t>> read_samples(int pcm_fd, const domain::AudioSpan& span) {
    std::vector<std::int16_t> samples(
        static_cast<std::size_t>(span.length().count() * kSamplesPerMilli));
    const std::span<std::byte> bytes = std::as_writable_bytes(std::span(samples));
    const std::int64_t offset = span.start.count() * kSamplesPerMilli * 2;
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t got = ::pread(pcm_fd, bytes.data() + done, bytes.size() - done,
                                    offset + static_cast<std::int64_t>(done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return std::unexpected(unreadable(errno, "the decoded audio",
                                              "Then reprocess the media: it is decoded again."));
        }
        if (got == 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    const Millis missing{static_cast<std::int64_t>(bytes.size() - done) / 2 / kSamplesPerMilli};
    if (missing > kMissingMax) {
        return fail(ErrorClass::internal, "audio_missing",
                    "The decoded audio ends before this part of it. Transcribe the file again; if "
                    "that does not help, report it.",
                    fmt::format("{} ms missing of {} to {} ms", missing.count(), span.start.count(),
                                span.end.count()));
    }
    samples.resize(done / 2);
    return samples;
}

class SpeechRole final : public JobRunner {
  public:
    explicit SpeechRole(const WorkerSettings& settings)
        : wanted_{settings.engine, settings.model, settings.language} {}

    protocol::FrameType request() const override { return protocol::FrameType::transcribe; }
    protocol::FrameType answer() const override { return protocol::FrameType::transcribed; }
    std::size_t descriptors() const override { return 1; }

    Result<protocol::Ready> get_ready() override {
        if (wanted_.engine.empty()) {
            return protocol::Ready{};
        }
        if (auto loaded = load(wanted_); !loaded) {
            return std::unexpected(std::move(loaded.error()));
        }
        return protocol::Ready{std::string(recognizer_->engine()),
                               std::string(recognizer_->model())};
    }

    Result<std::string> run(std::string_view request, const std::vector<UniqueFd>& files,
                            const Reports& reports) override {
        const auto job = protocol::decode<protocol::TranscribeRequest>(request);
        if (!job) {
            return std::unexpected(job.error());
        }
        if (job->span.length() > kChunkMax) {
            return fail(
                ErrorClass::internal, "chunk_too_long",
                "A part of the audio is too long to recognise at once. Please report this.");
        }
        if (auto loaded = load({job->engine, job->model, job->language}); !loaded) {
            return std::unexpected(std::move(loaded.error()));
        }
        reports.loaded();
        const auto samples = read_samples(files[0].get(), job->span);
        if (!samples) {
            return std::unexpected(samples.error());
        }
        auto segments = recognizer_->recognize(*samples, job->span.start, reports.progress);
        if (!segments) {
            return std::unexpected(std::move(segments.error()));
        }
        return protocol::encode(protocol::Transcribed{std::move(*segments),
                                                      std::string(recognizer_->engine()),
                                                      std::string(recognizer_->model())});
    }

  private:
    struct Wanted {
        std::string engine;
        std::string model;
        std::string language;
    };

    // By the names it was asked for ("auto", perhaps) or by its own.
    bool is_loaded(const Wanted& wanted) const {
        return (wanted.engine == wanted_.engine || wanted.engine == recognizer_->engine()) &&
               (wanted.model == wanted_.model || wanted.model == recognizer_->model()) &&
               wanted.language == wanted_.language;
    }

    // Nothing to do where that is what is loaded. One model at a time is in memory.
    Result<void> load(const Wanted& wanted) {
        if (recognizer_ && is_loaded(wanted)) {
            return {};
        }
        recognizer_.reset();
        auto loaded = speech::load(wanted.engine, wanted.model, wanted.language);
        if (!loaded) {
            return std::unexpected(std::move(loaded.error()));
        }
        recognizer_ = std::move(*loaded);
        wanted_ = wanted;
        return {};
    }

    Wanted wanted_;
    std::unique_ptr<speech::Recognizer> recognizer_;
};

}  // namespace

std::unique_ptr<JobRunner> make_speech_role(const WorkerSettings& settings) {
    // sphinxbase's allocator answers a failed allocation with exit(-1) (ckd_alloc.c), past every
    // handler of ours; nothing else here ends that way.
    if (::on_exit(
            [](int status, void*) {
                if (status == -1) {
                    ::_exit(protocol::kExitOutOfMemory);
                }
            },
            nullptr) != 0) {
        log::warning("running out of memory will look like a crash");
    }
    return std::make_unique<SpeechRole>(settings);
}

}  // namespace durascribe::worker
