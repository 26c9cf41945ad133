// Probes and decodes: the source and the file for the sound come as descriptors.
#include "durascribe/base/log.h"
#include "durascribe/media/extract.h"
#include "durascribe/protocol/frame.h"
#include "durascribe/worker/role.h"
#include "durascribe/worker/sandbox.h"

namespace durascribe::worker {
namespace {

class MediaRole final : public JobRunner {
  public:
    protocol::FrameType request() const override { return protocol::FrameType::extract; }
    protocol::FrameType answer() const override { return protocol::FrameType::extracted; }
    std::size_t descriptors() const override { return 2; }
    // Everything is loaded: from here on it needs nothing but the descriptors of its job.
    Result<protocol::Ready> get_ready() override {
        const Sandbox sandbox = close_sandbox();
        if (!sandbox.files || !sandbox.network || !sandbox.calls) {
            const auto how = [](bool closed) { return closed ? "closed" : "open"; };
            log::warning("the media sandbox is not whole: files {}, network {}, system calls {}",
                         how(sandbox.files), how(sandbox.network), how(sandbox.calls));
        }
        return protocol::Ready{};
    }

    Result<std::string> run(std::string_view request, const std::vector<UniqueFd>& files,
                            const Reports& reports) override {
        const auto job = protocol::decode<protocol::ExtractRequest>(request);
        if (!job) {
            return std::unexpected(job.error());
        }
        media::ExtractSettings settings{.source_fd = files[0].get(), .pcm_fd = files[1].get()};
        if (job->audio_track >= 0) {
            settings.audio_track = job->audio_track;
        }
        settings.longest_media = job->longest_media;
        settings.poster = job->poster;
        settings.room_bytes = job->room;
        auto extraction = media::extract(settings, reports.progress);
        if (!extraction) {
            return std::unexpected(std::move(extraction.error()));
        }
        protocol::Extracted extracted{std::move(extraction->info), std::move(extraction->silences),
                                      std::move(extraction->peaks), std::move(extraction->poster),
                                      extraction->decoded};
        protocol::fit_to_bounds(extracted);
        return protocol::encode(extracted);
    }
};

}  // namespace

std::unique_ptr<JobRunner> make_media_role() {
    return std::make_unique<MediaRole>();
}

}  // namespace durascribe::worker
