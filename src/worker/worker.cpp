#include "durascribe/worker/worker.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <new>

#include "durascribe/base/log.h"
#include "durascribe/protocol/channel.h"
#include "durascribe/worker/role.h"

namespace durascribe::worker {
namespace {

using protocol::FrameType;

constexpr int kExitDone = 0;
constexpr int kExitNotReady = 1;
constexpr int kExitFault = 70;  // EX_SOFTWARE of sysexits.h

// Tells the server how far the audio is, at most five times a second, and only where it has grown:
// the server takes silence for a stall, and is meant to.
class ProgressReports {
  public:
    explicit ProgressReports(protocol::Channel& channel) : channel_(channel) {}

    void operator()(Millis audio_done) {
        const auto now = std::chrono::steady_clock::now();
        if (audio_done <= last_ || now - sent_at_ < Millis{200}) {
            return;
        }
        last_ = audio_done;
        sent_at_ = now;
        // A server that is gone is found out when the answer is sent; its kernel kills us first.
        if (auto sent = channel_.send(FrameType::progress,
                                      protocol::encode(protocol::Progress{audio_done}));
            !sent) {
            log::warning("progress could not be sent: {}", sent.error().detail);
        }
    }

  private:
    protocol::Channel& channel_;
    Millis last_{0};
    std::chrono::steady_clock::time_point sent_at_{};
};

// Answers one request; false: the server is gone.
bool serve_job(JobRunner& role, protocol::Channel& channel, protocol::Channel::Received request) {
    ProgressReports progress(channel);
    auto answer =
        role.run(request.frame.payload, request.descriptors,
                 {.progress = [&progress](Millis audio_done) { progress(audio_done); },
                  .loaded =
                      [&channel] {
                          if (auto sent = channel.send(FrameType::loaded, {}); !sent) {
                              log::warning("that the model is loaded could not be sent: {}",
                                           sent.error().detail);
                          }
                      }});
    // The job's files are closed before its end is told: the server may rely on it.
    request.descriptors.clear();
    if (answer) {
        const auto sent = channel.send(role.answer(), *answer);
        if (sent || sent.error().code != "frame_too_large") {
            return sent.has_value();
        }
        answer = std::unexpected(sent.error());
    }
    return channel.send(FrameType::failed, protocol::encode(answer.error())).has_value();
}

int serve(JobRunner& role, protocol::Channel& channel) {
    const auto ready = role.get_ready();
    if (!ready) {
        const auto sent = channel.send(FrameType::failed, protocol::encode(ready.error()));
        return sent ? kExitNotReady : kExitDone;
    }
    if (!channel.send(FrameType::ready, protocol::encode(*ready))) {
        return kExitDone;
    }
    while (true) {
        auto received = channel.receive();
        if (!received) {
            log::error("{}: {}", received.error().code, received.error().detail);
            return kExitFault;
        }
        if (!*received || (*received)->frame.type == FrameType::shutdown) {
            return kExitDone;
        }
        if ((*received)->frame.type != role.request() ||
            (*received)->descriptors.size() != role.descriptors()) {
            log::error("a frame of type {} with {} descriptors makes no sense here",
                       static_cast<int>((*received)->frame.type), (*received)->descriptors.size());
            return kExitFault;
        }
        if (!serve_job(role, channel, std::move(**received))) {
            return kExitDone;
        }
    }
}

}  // namespace

int run_worker(const WorkerSettings& settings, int socket_fd) {
    // Before anything is thrown, on whichever thread: what is left of memory is not worth
    // unwinding.
    std::set_new_handler([] { ::_exit(protocol::kExitOutOfMemory); });
    ::setenv("TZ", "UTC0", 1);  // no file is read for it once the sandbox is closed
    ::tzset();
    try {
        protocol::Channel channel{UniqueFd(socket_fd)};
        const auto role = settings.role == Role::media   ? make_media_role()
                          : settings.role == Role::fetch ? make_fetch_role(settings)
                                                         : make_speech_role(settings);
        return serve(*role, channel);
    } catch (const std::exception& e) {
        log::error("unexpected: {}", e.what());
        return kExitFault;
    }
}

}  // namespace durascribe::worker
