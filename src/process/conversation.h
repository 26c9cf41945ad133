// The talk with one worker process, watched: every wait ends at an answer, at a limit, at the stop
// token or with the worker's death. Not here: which jobs there are (process_worker.cpp).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/process/child_process.h"
#include "durascribe/protocol/channel.h"

namespace durascribe::process {

// The last bytes that a process wrote to standard error, and no more of them than fit.
class LastWords {
  public:
    static constexpr std::size_t kBytesMax = 4096;
    // Reads what is there, at most 64 KiB at a time. False: the process has closed it.
    bool drain(int fd);
    std::string text() const;  // clean UTF-8

  private:
    std::string tail_;
};

// What bounds one wait. Time in which this process could not look (the machine slept, the process
// was stopped) is not counted: the worker had none of it either, or has used it and its answer
// waits.
struct Watch {
    std::string_view activity;  // "decoding": for messages
    Millis stall_window{0};     // since the audio done last grew; other frames do not count
    Millis deadline{0};
    std::stop_token stop;
    std::function<void(Millis audio_done)> on_progress;
    Millis audio_total{0};              // progress is never reported past it; 0: not known
    std::optional<Millis> audio_start;  // where in the recording it begins; nullopt: no audio yet
    std::string_view deadline_setting = "TRANSCRIPTION_TIMEOUT";  // what gives it more time
    // Until the worker says that its model is loaded, in place of stall_window; 0: it is.
    Millis load_window{0};
    std::function<void()> on_loaded;
};

// Owned by one thread. After any error but one that the worker itself reported (a `failed` frame),
// the process has been killed and reaped when the call returns.
class Conversation {
  public:
    // Past `memory_limit_bytes` of anonymous memory (0: no limit) the process is killed, while it
    // is waited for, within a second.
    Conversation(ChildProcess child, protocol::Channel channel, std::int64_t memory_limit_bytes);

    // Sends a frame and waits for the worker to take it.
    Result<void> send(protocol::FrameType type, std::string_view payload,
                      std::span<const int> descriptors, const Watch& watch);
    // Waits for the frame `awaited` and returns its payload. On the way it takes progress. An
    // answer that is there is taken, even if a limit has been passed meanwhile.
    Result<std::string> await(protocol::FrameType awaited, const Watch& watch);
    // How long the last await() took, as its limits count it.
    Millis time_taken() const { return time_taken_; }

    // Kills and reaps, and returns the error: for answers that turn out to be wrong.
    std::unexpected<Error> kill_for(Error error);
    void kill();  // no effect where it is dead

    // Connected and silent: it can be given a job. One that isn't is killed.
    bool idle();
    const ChildProcess& child() const { return child_; }

  private:
    struct Course;  // of one wait
    Result<std::string> await(protocol::FrameType awaited, Course& course, int stop_event);
    Result<std::optional<std::string>> take(protocol::Channel::Received received,
                                            protocol::FrameType awaited, Course& course);
    std::optional<Error> limit_reached(const Course& course);
    bool memory_exceeded();
    Result<void> wait_for_something(Course& course, int stop_event, bool& ended);
    std::unexpected<Error> explain_end(const Error& gone, const Course& course, int stop_event);
    void drain_errors();

    ChildProcess child_;
    protocol::Channel channel_;
    LastWords last_words_;
    bool errors_open_ = true;
    const std::int64_t memory_limit_bytes_;
    MonoTime memory_judged_{};
    Millis time_taken_{0};
};

}  // namespace durascribe::process
