#include "durascribe/process/conversation.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "durascribe/ports/clock.h"
#include "durascribe/process/death.h"
#include "durascribe/process/stop_signal.h"
#include "durascribe/protocol/messages.h"
#include "durascribe/protocol/text.h"

namespace durascribe::process {
namespace {

using protocol::FrameType;

constexpr std::size_t kDrainMax = 64U << 10;
// poll(2) does not count the time that the machine sleeps; so it is woken this often to look.
constexpr Millis kLookAgain{1'000};
// How often the memory of a worker with a limit is judged.
constexpr Millis kMemoryLook{200};
// A look that comes later than this was held up with the whole process.
constexpr Millis kHeldUp{500};
// How long a worker that closed its socket has to show what it died of.
constexpr Millis kLastMoment{500};

MonoTime now() {
    return ports::SystemClock().mono();
}

// "0.2 s", "30 s"
std::string in_seconds(Millis t) {
    const double seconds = static_cast<double>(t.count()) / 1000.0;
    return seconds < 10 ? fmt::format("{:.1f} s", seconds) : fmt::format("{:.0f} s", seconds);
}

// "0:12:34"
std::string clock_time(Millis t) {
    const auto seconds = t.count() / 1000;
    return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

}  // namespace

bool LastWords::drain(int fd) {
    std::array<char, 4096> buffer;
    for (std::size_t total = 0; total < kDrainMax;) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        total += static_cast<std::size_t>(got);
        tail_.append(buffer.data(), static_cast<std::size_t>(got));
        if (tail_.size() > kBytesMax) {
            tail_.erase(0, tail_.size() - kBytesMax);
        }
    }
    return true;
}

std::string LastWords::text() const {
    return protocol::clean_text(tail_, kBytesMax);
}

// ---- one wait ----

struct Conversation::Course {
    const Watch& watch;
    MonoTime started = now();
    MonoTime grown = started;  // when audio_done last did
    MonoTime due = started;    // the next look
    Millis audio_done{0};
    bool loads = watch.load_window > Millis{0};  // until it says that it has
    bool told_loaded = false;
    // A higher number when the worker is dead says that memory had run out meanwhile.
    std::optional<std::int64_t> oom_kills_before = out_of_memory_kills();

    // "at 0:12:34 of the recording, while decoding"
    std::string place() const {
        const std::string_view activity = loads ? "loading the model" : watch.activity;
        if (!watch.audio_start) {
            return fmt::format("while {}", activity);
        }
        return fmt::format("at {} of the recording, while {}",
                           clock_time(*watch.audio_start + audio_done), activity);
    }
    // Its work begins now.
    void loaded() {
        if (loads) {
            loads = false;
            grown = now();
            if (watch.on_loaded) {
                watch.on_loaded();
            }
        }
    }
    Millis silence_allowed() const { return loads ? watch.load_window : watch.stall_window; }
    // "after 41 s, at 0:12:34 of the recording, while decoding"
    std::string time_and_place() const {
        return fmt::format("after {}, {}", in_seconds(now() - started), place());
    }
    // What a look is late by moves the limits on.
    void look() {
        const MonoTime t = now();
        const Millis late = t - due;
        if (late > kHeldUp) {
            started = started + late;
            grown = grown + late;
        }
        due = t;
    }
    Millis until_limit() const {
        const MonoTime t = now();
        return std::max(Millis{0},
                        std::min(watch.deadline - (t - started), silence_allowed() - (t - grown)));
    }
};

Conversation::Conversation(ChildProcess child, protocol::Channel channel,
                           std::int64_t memory_limit_bytes)
    : child_(std::move(child)),
      channel_(std::move(channel)),
      memory_limit_bytes_(memory_limit_bytes) {}

Result<void> Conversation::send(FrameType type, std::string_view payload,
                                std::span<const int> descriptors, const Watch& watch) {
    // An answer from before its question is not taken for one.
    auto early = channel_.try_receive();
    if (early && *early) {
        return kill_for(protocol::protocol_error("the worker spoke unasked"));
    }
    const auto sent =
        early ? channel_.send(type, payload, descriptors, std::min(watch.deadline, Millis{10'000}))
              : std::unexpected(early.error());
    if (sent) {
        return {};
    }
    if (sent.error().code == "worker_gone") {
        return explain_end(sent.error(), Course{watch}, -1);
    }
    return kill_for(sent.error());
}

Result<std::string> Conversation::await(FrameType awaited, const Watch& watch) {
    const auto stop_event = StopSignal::make_event();
    if (!stop_event) {
        return kill_for(stop_event.error());
    }
    const StopSignal stop_signal(stop_event->get(), watch.stop);
    Course course{watch};
    auto outcome = await(awaited, course, stop_event->get());
    time_taken_ = now() - course.started;
    return outcome;
}

Result<std::string> Conversation::await(FrameType awaited, Course& course, int stop_event) {
    bool ended = false;
    while (true) {
        course.look();
        if (course.watch.stop.stop_requested()) {
            return kill_for(*limit_reached(course));
        }
        auto received = channel_.try_receive();
        if (!received) {
            if (received.error().code == "worker_gone") {
                return explain_end(received.error(), course, stop_event);
            }
            return kill_for(std::move(received.error()));
        }
        const bool spoke = received->has_value();
        if (spoke) {
            auto payload = take(std::move(**received), awaited, course);
            if (!payload) {
                return std::unexpected(std::move(payload.error()));
            }
            if (*payload) {
                return std::move(**payload);
            }
        }
        course.look();  // it may have been stopped just now
        if (auto error = limit_reached(course)) {
            return kill_for(std::move(*error));
        }
        if (spoke) {
            continue;
        }
        if (ended) {  // and all that it said has been read
            return explain_end(Error{}, course, stop_event);
        }
        if (auto waited = wait_for_something(course, stop_event, ended); !waited) {
            return kill_for(std::move(waited.error()));
        }
    }
}

// nullopt: progress; the payload where it is the frame that was waited for.
Result<std::optional<std::string>> Conversation::take(protocol::Channel::Received received,
                                                      FrameType awaited, Course& course) {
    const FrameType type = received.frame.type;
    if (!received.descriptors.empty()) {
        return kill_for(protocol::protocol_error("the worker sent file descriptors"));
    }
    if (type == awaited) {
        return std::move(received.frame.payload);
    }
    if (type == FrameType::failed) {
        auto error = protocol::decode<Error>(received.frame.payload);
        if (!error) {
            return kill_for(std::move(error.error()));
        }
        drain_errors();
        if (error->detail.empty()) {
            error->detail = last_words_.text();
        }
        return std::unexpected(std::move(*error));
    }
    if (type == FrameType::loaded && received.frame.payload.empty() &&
        awaited == FrameType::transcribed && !course.told_loaded) {
        course.told_loaded = true;
        course.loaded();
        return std::nullopt;
    }
    if (type != FrameType::progress || awaited == FrameType::ready) {
        return kill_for(protocol::protocol_error(
            fmt::format("frame type {} while {}", static_cast<int>(type), course.watch.activity)));
    }
    const auto progress = protocol::decode<protocol::Progress>(received.frame.payload);
    if (!progress) {
        return kill_for(progress.error());
    }
    course.loaded();  // what is recognised with it is there
    Millis done = progress->audio_done;
    if (course.watch.audio_total > Millis{0}) {
        done = std::min(done, course.watch.audio_total);
    }
    if (done > course.audio_done) {
        course.audio_done = done;
        course.grown = now();
        if (course.watch.on_progress) {
            course.watch.on_progress(done);
        }
    }
    return std::nullopt;
}

// Judged now and then: true at most once, for the process is killed for it.
bool Conversation::memory_exceeded() {
    const MonoTime t = now();
    if (memory_limit_bytes_ == 0 || t - memory_judged_ < kMemoryLook) {
        return false;
    }
    memory_judged_ = t;
    return child_.anonymous_bytes() > memory_limit_bytes_;
}

std::optional<Error> Conversation::limit_reached(const Course& course) {
    const Watch& watch = course.watch;
    const MonoTime t = now();
    if (watch.stop.stop_requested()) {
        return Error{
            ErrorClass::lost, "stopped", fmt::format("Stopped on request {}.", course.place()), {}};
    }
    if (t - course.started >= watch.deadline) {
        return Error{
            ErrorClass::timeout,
            "deadline",
            fmt::format("Not finished within {}, {}: the worker was stopped. Raise {} "
                        "if this much time is needed.",
                        in_seconds(watch.deadline), course.place(), watch.deadline_setting),
            {}};
    }
    if (t - course.grown >= course.silence_allowed()) {
        if (course.loads) {
            return Error{
                ErrorClass::stall,
                "model_not_loaded",
                fmt::format("The model was not loaded within {}: the worker was stopped. Choose a "
                            "smaller model if that happens again.",
                            in_seconds(watch.load_window)),
                {}};
        }
        return Error{ErrorClass::stall,
                     "no_progress",
                     fmt::format("No progress for {} {}: the worker was stopped.",
                                 in_seconds(watch.stall_window), course.place()),
                     {}};
    }
    if (memory_exceeded()) {
        kill();
        drain_errors();
        return memory_limit_reached(memory_limit_bytes_, "the watchdog", course.time_and_place(),
                                    last_words_.text());
    }
    return std::nullopt;
}

Result<void> Conversation::wait_for_something(Course& course, int stop_event, bool& ended) {
    std::array<pollfd, 4> waits{pollfd{channel_.fd(), POLLIN, 0}, pollfd{child_.pidfd(), POLLIN, 0},
                                pollfd{stop_event, POLLIN, 0},
                                pollfd{errors_open_ ? child_.errors() : -1, POLLIN, 0}};
    const Millis patience =
        std::min(course.until_limit(), memory_limit_bytes_ > 0 ? kMemoryLook : kLookAgain);
    course.due = now() + patience;
    if (::poll(waits.data(), waits.size(), static_cast<int>(patience.count())) < 0 &&
        errno != EINTR) {
        return std::unexpected(system_error(errno, "wait for a worker process"));
    }
    ended = waits[1].revents != 0;
    if (waits[3].revents != 0) {
        drain_errors();
    }
    return {};
}

// The worker has closed its socket or has ended: by what it died, or that it didn't.
std::unexpected<Error> Conversation::explain_end(const Error& gone, const Course& course,
                                                 int stop_event) {
    std::array<pollfd, 2> waits{pollfd{child_.pidfd(), POLLIN, 0}, pollfd{stop_event, POLLIN, 0}};
    const MonoTime give_up_at = now() + kLastMoment;
    int outcome = 0;
    do {
        const auto left = std::max(Millis{0}, give_up_at - now());
        outcome = ::poll(waits.data(), waits.size(), static_cast<int>(left.count()));
    } while (outcome < 0 && errno == EINTR);
    drain_errors();
    if (waits[0].revents == 0) {
        if (auto error = limit_reached(course)) {
            return kill_for(std::move(*error));
        }
        return kill_for(Error{ErrorClass::crash, "worker_gone",
                              fmt::format("The worker closed its connection {}.", course.place()),
                              gone.detail});
    }
    // A result that was cut short by the death of its writer is told by that death alone.
    const ExitStatus status = child_.kill_and_reap();
    drain_errors();
    return std::unexpected(error_of_death(status, course.time_and_place(), last_words_.text(),
                                          {memory_limit_bytes_, child_.killed_for_memory(),
                                           out_of_memory_kills() != course.oom_kills_before}));
}

std::unexpected<Error> Conversation::kill_for(Error error) {
    kill();
    drain_errors();
    if (error.detail.empty()) {
        error.detail = last_words_.text();
    }
    return std::unexpected(std::move(error));
}

void Conversation::kill() {
    if (child_.running()) {
        child_.kill_and_reap();
    }
}

bool Conversation::idle() {
    if (!child_.running()) {
        return false;
    }
    drain_errors();
    pollfd ended{child_.pidfd(), POLLIN, 0};
    const auto received = channel_.try_receive();
    if (received && !*received && ::poll(&ended, 1, 0) == 0) {
        return true;
    }
    kill();
    return false;
}

void Conversation::drain_errors() {
    errors_open_ = errors_open_ && last_words_.drain(child_.errors());
}

}  // namespace durascribe::process
