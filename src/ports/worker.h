// Workers as the engine sees them: something that runs one unit at a time and can be killed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/domain/media_info.h"
#include "durascribe/domain/pipeline.h"
#include "durascribe/domain/transcript.h"

namespace durascribe::ports {

enum class WorkerRole { media, speech, fetch };

struct ExtractJob {
    int source_fd = -1;  // the media, read-only, seekable
    int pcm_fd = -1;     // receives 16 kHz mono signed 16-bit little-endian samples, no header
    std::optional<int> audio_track;
    Millis longest_media{0};       // more decoded audio than this is an input error; 0: no limit
    bool poster = false;           // look for a picture, too; what goes wrong with that is no error
    std::int64_t room_bytes = -1;  // that are free for the samples; -1: not known
};

struct ExtractOutcome {
    domain::MediaInfo info;
    domain::Silences silences;
    domain::WaveformPeaks peaks;
    std::optional<domain::Poster> poster;
    // False: the audio, which lasts about info.duration, is larger than the room. Nothing was
    // written.
    bool decoded = true;
};

struct TranscribeJob {
    int pcm_fd = -1;         // 16 kHz mono signed 16-bit little-endian, read-only
    domain::AudioSpan span;  // the chunk, within the media
    std::string engine;
    std::string model;
    std::string language;
};

struct TranscribeOutcome {
    std::vector<domain::Segment> segments;  // times from the start of the media
    std::string engine;
    std::string model;
};

struct FetchJob {
    std::string url;
    int output_fd = -1;       // receives a head and the bytes (protocol/messages.h, FetchHead)
    std::int64_t offset = 0;  // that are there already …
    std::string etag;         // … of the file that these name
    std::string last_modified;
    std::int64_t limit_bytes = 0;  // of the whole; 0: none
    Millis stall{30'000};          // without a byte: given up, network "timed_out"
    Millis timeout{21'600'000};    // for all of it: the same, said by the worker itself
};

struct FetchOutcome {
    std::int64_t bytes = 0;      // written behind the head
    std::optional<Error> error;  // why it ended before the whole was there; class input or network
    std::optional<Millis> retry_after;  // the other side asked for it
};

// What surrounds one run. `on_progress` gets the audio done so far within the unit, from the thread
// that called run; it must not block.
struct RunControl {
    Millis stall_window{60'000};  // no progress for so long: killed, class stall
    Millis deadline{1'800'000};   // for the whole run: killed, class timeout
    std::stop_token stop;         // asked to stop: killed, class lost, code "stopped"
    std::function<void(Millis audio_done)> on_progress;
    // Of transcribe, where the worker loads a model before it begins: until it says that it has,
    // this and not the stall window bounds it, class stall, code "model_not_loaded". 0: the model
    // is there.
    Millis load_window{0};
    std::function<void()> on_loaded;  // as on_progress; before the first of those
};

// One worker, used by one thread at a time. It dies with the thread that started it (the kernel's
// parent-death signal is bound to that thread), which must outlive it.
//
// extract and transcribe return when the unit ended or the worker is dead: after any error but
// those that the worker itself reported (see alive()), its process has been killed and reaped, so
// that nothing works on the unit any more. Errors: input, model, memory, network as the worker
// reports them; crash (death by a signal, an exit without a result, garbage on the wire), memory
// (killed at its limit), stall, timeout, lost.
class Worker {
  public:
    virtual ~Worker() = default;  // kills and reaps
    virtual Result<ExtractOutcome> extract(const ExtractJob& job, const RunControl& control) = 0;
    virtual Result<TranscribeOutcome> transcribe(const TranscribeJob& job,
                                                 const RunControl& control) = 0;
    // Progress is in KiB, for the stall window. Nothing writes to output_fd any more when it
    // returns.
    virtual Result<FetchOutcome> fetch(const FetchJob& job, const RunControl& control) = 0;
    // Whether it can take another unit.
    virtual bool alive() = 0;
    // Waits until it is warm: media libraries loaded, the speech model in memory.
    virtual Result<void> wait_ready(Millis deadline, std::stop_token stop) = 0;
    virtual int pid() const = 0;                      // 0: not a process
    virtual std::int64_t resident_bytes() const = 0;  // 0: not known
};

// Thread-safe.
class WorkerFactory {
  public:
    virtual ~WorkerFactory() = default;
    // Returns as soon as the process runs; it warms up by itself. Errors: internal, memory, model.
    virtual Result<std::unique_ptr<Worker>> start(WorkerRole role) = 0;
};

}  // namespace durascribe::ports
