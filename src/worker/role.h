// What one kind of worker does, as the main loop sees it. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/base/unique_fd.h"
#include "durascribe/protocol/frame.h"
#include "durascribe/protocol/messages.h"
#include "durascribe/worker/worker.h"

namespace durascribe::worker {

using OnProgress = std::function<void(Millis audio_done)>;

// What a job tells on its way.
struct Reports {
    OnProgress progress;
    std::function<void()> loaded;  // once, by a job that needs a model, before its work begins
};

class JobRunner {
  public:
    virtual ~JobRunner() = default;
    virtual protocol::FrameType request() const = 0;
    virtual protocol::FrameType answer() const = 0;
    virtual std::size_t descriptors() const = 0;  // that come with a request
    // Loads what every job needs.
    virtual Result<protocol::Ready> get_ready() = 0;
    // The answer's payload. An error of class crash: the request makes no sense.
    virtual Result<std::string> run(std::string_view request, const std::vector<UniqueFd>& files,
                                    const Reports& reports) = 0;
};

std::unique_ptr<JobRunner> make_media_role();
std::unique_ptr<JobRunner> make_fetch_role(const WorkerSettings& settings);
std::unique_ptr<JobRunner> make_speech_role(const WorkerSettings& settings);

}  // namespace durascribe::worker
