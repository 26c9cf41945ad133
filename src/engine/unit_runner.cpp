#include "durascribe/engine/unit_runner.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/log.h"
#include "durascribe/engine/choose_model.h"
#include "durascribe/engine/known_speeds.h"

namespace durascribe::engine {
namespace {

constexpr Millis kStorageRetry{1'000};
// What waits for room is told of it (RoomWaiters), and looks itself where that goes wrong.
constexpr Millis kRoomRetry{300'000};
constexpr int kStallDoublings = 3;
constexpr std::int64_t kPcmBytesPerMilli = 32;
// Of shorter audio the speed is what a unit costs at least, and would be too slow for all else.
constexpr Millis kWorthLearning{1'000};
constexpr Millis kWorthLearningFinalize{600'000};  // a commit is most of it

// Waits, or returns false at once when told to stop.
bool pause(std::stop_token stop, Millis how_long) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, how_long, [] { return false; });
    return !stop.stop_requested();
}

// From begin() to its end the unit is one that waits for the disk.
class WaitForDisk {
  public:
    explicit WaitForDisk(RunningUnit& unit) : unit_(unit) {}
    ~WaitForDisk() { unit_.set_waits_for_disk(false); }
    WaitForDisk(const WaitForDisk&) = delete;
    WaitForDisk& operator=(const WaitForDisk&) = delete;
    void begin() const { unit_.set_waits_for_disk(true); }

  private:
    RunningUnit& unit_;
};

// A file that is gone comes back by no waiting: the unit fails at once, and its error says what
// brings it back.
Error for_good_where_missing(Error error, std::string_view code, std::string_view message) {
    if (error.code == "blob_missing") {
        return {ErrorClass::input, std::string{code}, std::string{message}, error.message};
    }
    return error;
}

// The task's time was over, and where in the recording this part of it was then.
Error expired_at(const RunningUnit& unit) {
    Error error = unit.expired();
    const domain::Step step = unit.claimed().step;
    if (step == domain::Step::transcribe || step == domain::Step::extract) {
        const std::chrono::hh_mm_ss at(std::chrono::floor<std::chrono::seconds>(
            unit.claimed().span.start + unit.audio_done()));
        error.message +=
            fmt::format(" {} was at {}:{:02}:{:02} of the recording.",
                        step == domain::Step::extract ? "Decoding" : "This part",
                        at.hours().count(), at.minutes().count(), at.seconds().count());
    }
    return error;
}

bool is_stale(const Error& error) {
    return error.cls == ErrorClass::lost && error.code == "stale_lease";
}

}  // namespace

UnitRunner::UnitRunner(ports::Store& store, ports::BlobStore& blobs, BlobGuard& guard,
                       RoomWaiters& room_waiters, ports::WorkerFactory& workers,
                       const ports::Clock& clock, const EngineSettings& settings,
                       std::function<void(const TaskId&)> before_failure)
    : store_(store),
      blobs_(blobs),
      guard_(guard),
      room_waiters_(room_waiters),
      workers_(workers),
      clock_(clock),
      settings_(settings),
      before_failure_(std::move(before_failure)),
      random_(std::random_device{}()) {}

void UnitRunner::run(RunningUnit& unit, ports::Worker* worker, const WarmUp& warm_up) {
    const domain::Step step = unit.claimed().step;
    retry_after_.reset();
    needs_room_bytes_.reset();
    Result<ports::UnitEnd> end = [&]() -> Result<ports::UnitEnd> {
        switch (step) {
            case domain::Step::acquire:
                return run_acquire(unit);
            case domain::Step::extract:
                return run_extract(unit, *worker);
            case domain::Step::transcribe:
                return run_transcribe(unit, *worker, warm_up);
            case domain::Step::finalize:
                return run_finalize(unit);
            case domain::Step::diarize:
                break;
        }
        // Not made by this server (Engine::check_request); no attempt changes it.
        return fail(ErrorClass::input, "step_unknown",
                    fmt::format("This server cannot do the step {}.", domain::to_string(step)));
    }();
    if (!end) {
        record_failure(unit, end.error());
        if (needs_room_bytes_) {
            room_waiters_.add(unit.claimed().lease.unit, *needs_room_bytes_);
        }
    }
}

void UnitRunner::give_back(RunningUnit& unit, StopReason why) {
    unit.stop(why);
    record_failure(unit, {ErrorClass::lost, "stopped", "The unit goes back to the queue.", {}});
}

// What is whole is sealed in the store, then put in its place, then the unit ends: after a death at
// any point the next attempt goes on from there.
Result<ports::UnitEnd> UnitRunner::run_extract(RunningUnit& unit, ports::Worker& worker) {
    const ports::ClaimedUnit& claimed = unit.claimed();
    if (auto ready = worker.wait_ready(kWarmUpDeadline, unit.stop_token()); !ready) {
        return std::unexpected(ready.error());
    }
    unit.set_prepared(clock_.mono());
    auto source = blobs_.open(claimed.source);
    if (!source) {
        return std::unexpected(for_good_where_missing(
            source.error(), "source_missing",
            "The uploaded file is no longer in the store. Upload it again, or restore a backup and "
            "retry."));
    }
    const auto free = blobs_.free_bytes();
    auto pcm = free ? blobs_.create() : std::unexpected(free.error());
    if (!pcm) {
        wait_where_full(pcm.error());
        return std::unexpected(pcm.error());
    }
    const ports::ExtractJob job{.source_fd = source->get(),
                                .pcm_fd = (*pcm)->fd(),
                                .audio_track = claimed.options.audio_track,
                                .longest_media = settings_.longest_media,
                                // If a picture killed the first attempt, the next goes without.
                                .poster = claimed.attempt == 1,
                                .room_bytes = *free};
    // How long the media is, is known only afterwards: the least limits hold, and the stall limit.
    auto outcome = worker.extract(job, control_for(unit, Millis{0}));
    if (!outcome) {
        // Nobody knew how much it would be; what was written is given back.
        wait_where_full(outcome.error(), (*pcm)->size_bytes() + kMoreRoom);
        return std::unexpected(outcome.error());
    }
    if (!outcome->decoded) {
        // The disk may have become full, or emptier, since the worker was told.
        return std::unexpected(no_room(
            "no_room_for_audio", "The decoded audio", " and cut the recording",
            outcome->info.duration.count() * kPcmBytesPerMilli, blobs_.free_bytes().value_or(0)));
    }

    DURASCRIBE_FAILPOINT("extract.decoded");
    domain::ChunkLimits limits = settings_.chunks;
    limits.parallel = settings_.speech_slots;
    ports::ExtractResult result{.info = std::move(outcome->info),
                                .pcm = {},
                                .peaks = std::move(outcome->peaks),
                                .chunks = {},
                                .choice = {},
                                .poster = std::move(outcome->poster)};
    result.chunks = domain::plan_chunks(result.info.duration, outcome->silences, limits);
    const Millis duration = result.info.duration;
    if (!result.chunks.empty()) {
        auto choice = choose_model(store_, settings_, claimed.options, duration, result.peaks);
        if (!choice) {
            return std::unexpected(choice.error());
        }
        result.choice = std::move(*choice);
    }
    BlobGuard::Hold hold;
    const auto given_up = [&](const Error& error) {
        hold.release();
        guard_.collect(std::array{result.pcm});
        return std::unexpected(error);
    };
    if (!result.chunks.empty()) {
        const auto address = (*pcm)->address();
        if (!address) {
            return std::unexpected(address.error());
        }
        result.pcm = *address;
        hold = guard_.hold(*address);
        if (auto blob = (*pcm)->commit(); !blob) {
            return given_up(blob.error());
        }
        DURASCRIBE_FAILPOINT("extract.audio_stored");
    }
    auto end =
        record_when_possible(unit, [&] { return store_.finish_extract(claimed.lease, result); });
    if (!end) {
        if (end.error().code == "in_doubt") {  // the next start may find the row that names it
            return end;
        }
        return given_up(end.error());
    }
    DURASCRIBE_FAILPOINT("extract.recorded");
    learn(unit, "ffmpeg", "", duration);
    return end;
}

void UnitRunner::wait_for_room(std::int64_t bytes) {
    if (blobs_.free_bytes().value_or(0) >= bytes) {
        return;  // it has come meanwhile, or the disk keeps from us what it calls free (a quota)
    }
    retry_after_ = kRoomRetry;
    needs_room_bytes_ = bytes;
}

void UnitRunner::wait_where_full(const Error& error, std::int64_t bytes) {
    if (error.code == "disk_full") {
        wait_for_room(bytes);
    }
}

Error UnitRunner::no_room(std::string_view code, std::string_view what, std::string_view remedy,
                          std::int64_t bytes, std::int64_t free_bytes) {
    wait_for_room(bytes);
    constexpr std::int64_t kMiB = 1024 * 1024;
    const std::int64_t needed = bytes / kMiB + 1;
    const auto capacity = blobs_.capacity_bytes();
    const bool never = capacity && bytes > *capacity;
    if (!never && bytes <= free_bytes) {
        return {
            ErrorClass::storage,
            std::string{code},
            fmt::format("{} needs {} MiB, which the disk did not give just now, though {} MiB "
                        "are free. It is tried again by itself; if it stays so, look for a quota.",
                        what, needed, free_bytes / kMiB),
            {}};
    }
    return {ErrorClass::storage,
            std::string{code},
            never ? fmt::format("{} needs {} MiB, and the disk of the data directory holds {} MiB "
                                "in all. Give it a larger one, or cancel this{}.",
                                what, needed, *capacity / kMiB, remedy)
                  : fmt::format("{} needs {} MiB, and {} MiB are free. Free some space, and it "
                                "goes on by itself.",
                                what, needed, free_bytes / kMiB),
            {}};
}

Result<ports::UnitEnd> UnitRunner::run_transcribe(RunningUnit& unit, ports::Worker& worker,
                                                  const WarmUp& warm_up) {
    const ports::ClaimedUnit& claimed = unit.claimed();
    const bool loads_model = warm_up.load > Millis{0};
    if (auto ready = worker.wait_ready(warm_up.ready, unit.stop_token()); !ready) {
        return std::unexpected(ready.error());
    }
    if (!loads_model) {
        unit.set_prepared(clock_.mono());
    }
    auto pcm = blobs_.open(claimed.pcm);
    if (!pcm) {
        return std::unexpected(for_good_where_missing(
            pcm.error(), "audio_missing",
            "The decoded audio of this task is no longer in the store. Reprocess the media: it is "
            "decoded again."));
    }
    const ports::TranscribeJob job{
        .pcm_fd = pcm->get(),
        .span = claimed.span,
        .engine = claimed.engine.empty() ? claimed.options.engine : claimed.engine,
        .model = claimed.model.empty() ? claimed.options.model : claimed.model,
        .language = claimed.options.language};
    const Millis audio = claimed.span.length();
    ports::RunControl control = control_for(unit, predicted_length(claimed, audio));
    if (loads_model) {
        control.load_window = warm_up.load;
        control.on_loaded = [this, &unit] { unit.set_prepared(clock_.mono()); };
    }
    auto outcome = worker.transcribe(job, control);
    if (!outcome) {
        return std::unexpected(outcome.error());
    }
    DURASCRIBE_FAILPOINT("chunk.recognised");
    const ports::ChunkResult result{.segments = std::move(outcome->segments),
                                    .engine = std::move(outcome->engine),
                                    .model = std::move(outcome->model)};
    auto end =
        record_when_possible(unit, [&] { return store_.finish_chunk(claimed.lease, result); });
    if (end) {
        DURASCRIBE_FAILPOINT("chunk.recorded");
        if (!unit.preparing()) {
            learn(unit, result.engine, result.model, audio);
        }
    }
    return end;
}

Result<ports::UnitEnd> UnitRunner::run_finalize(RunningUnit& unit) {
    const ports::ClaimedUnit& claimed = unit.claimed();
    unit.set_prepared(clock_.mono());
    auto media = store_.media(claimed.media_id);
    auto task = store_.task(claimed.task_id);
    // Not segments(): of a task that is retried those are what was joined the last time.
    auto segments = store_.chunk_segments(claimed.task_id);
    auto gaps = store_.gaps(claimed.task_id);
    for (const Error* error :
         {media ? nullptr : &media.error(), task ? nullptr : &task.error(),
          segments ? nullptr : &segments.error(), gaps ? nullptr : &gaps.error()}) {
        if (error != nullptr) {
            return std::unexpected(*error);
        }
    }
    domain::Transcript transcript{.title = media->title,
                                  .language = task->options.language,
                                  .engine = task->engine,
                                  .model = task->model,
                                  .duration = claimed.media_duration,
                                  .segments = domain::join_chunks({std::move(*segments)}),
                                  .gaps = std::move(*gaps)};
    ports::FinalResult result;
    for (const domain::DocumentFormat format : domain::kDocumentFormats) {
        result.documents.emplace_back(format, domain::write_document(transcript, format));
    }
    result.segments = std::move(transcript.segments);
    DURASCRIBE_FAILPOINT("final.written");
    auto end =
        record_when_possible(unit, [&] { return store_.finish_final(claimed.lease, result); });
    DURASCRIBE_FAILPOINT("final.recorded");
    if (end) {
        learn(unit, "durascribe", "", claimed.media_duration);
    }
    if (end && end->task_state == domain::TaskState::completed) {
        guard_.collect(
            std::array{claimed.pcm});  // nothing of this task needs the decoded audio again
        DURASCRIBE_FAILPOINT("final.audio_removed");
    }
    return end;
}

ports::RunControl UnitRunner::control_for(RunningUnit& unit, Millis predicted) const {
    const auto times = [&](double factor) {
        return Millis{static_cast<std::int64_t>(factor * static_cast<double>(predicted.count()))};
    };
    return {
        // Of a machine or model that is slower than anyone knew, a further attempt is to show it.
        .stall_window = std::max(settings_.stall_floor, times(settings_.stall_factor)) *
                        (1 << std::clamp(unit.claimed().attempt - 1, 0, kStallDoublings)),
        .deadline = settings_.task_timeout.value_or(
            std::max(kLeastTaskTimeout, times(settings_.deadline_factor))),
        .stop = unit.stop_token(),
        .on_progress = [this, &unit](Millis done) { unit.set_audio_done(done, clock_.mono()); }};
}

std::string UnitRunner::smaller_model(const RunningUnit& unit, const Error& error) const {
    const ports::ClaimedUnit& claimed = unit.claimed();
    if (error.cls != ErrorClass::memory || claimed.step != domain::Step::transcribe ||
        !settings_.models) {
        return {};
    }
    return domain::next_smaller_model(claimed.engine, claimed.model, claimed.options.language,
                                      settings_.models())
        .value_or("");
}

Millis UnitRunner::predicted_length(const ports::ClaimedUnit& unit, Millis audio) const {
    domain::StepSpeed speed = domain::prior_speed(unit.step);
    if (const auto known = known_speeds(store_, settings_)) {
        speed = domain::speed_for(unit.step, unit.engine, unit.model, *known);
    }
    const double ms = speed.fixed_seconds * 1000 +
                      speed.seconds_per_audio_second * static_cast<double>(audio.count());
    return Millis{static_cast<std::int64_t>(ms)};
}

void UnitRunner::learn(const RunningUnit& unit, const std::string& engine, const std::string& model,
                       Millis audio) {
    if (audio <
        (unit.claimed().step == domain::Step::finalize ? kWorthLearningFinalize : kWorthLearning)) {
        return;
    }
    // Without the wait for a worker to become warm, which comes once and not with every unit.
    const Millis worked = unit.worked(clock_.mono());
    if (settings_.observer != nullptr) {
        settings_.observer->unit_done({unit.claimed().step, engine, model, audio, worked});
    }
    const double elapsed = static_cast<double>(worked.count());
    const double speed = elapsed / static_cast<double>(audio.count());
    const auto learned =
        store_.learn(unit.claimed().step, engine, model, settings_.node_name, speed);
    DURASCRIBE_FAILPOINT("speed.recorded");
    if (!learned) {
        log::warning("could not record the speed of {}: {}", domain::to_string(unit.claimed().step),
                     learned.error().message);  // an estimate is worth no failure
    }
}

void UnitRunner::record_failure(RunningUnit& unit, const Error& error) {
    const ports::Lease lease = unit.claimed().lease;
    if (is_stale(error)) {
        log::warning("unit {} lease {}: the result was refused, the lease had been lost",
                     lease.unit.value, lease.number);
        return;
    }
    const auto record = [&]() -> Result<ports::UnitEnd> {
        switch (unit.stop_reason()) {
            case StopReason::cancelled:
                return store_.acknowledge_cancelled(lease);
            case StopReason::drained:
                return store_.return_unit(lease, "drained");
            case StopReason::lease_lost:
                return store_.return_unit(lease, "lease not renewed in time");
            case StopReason::no_memory:
                return store_.return_unit(lease, "no memory for its model beside the others");
            case StopReason::expired:
                return store_.fail_unit(
                    lease,
                    {.error = expired_at(unit), .audio_done = unit.audio_done(), .for_good = true},
                    settings_.retry, 0);
            case StopReason::none:
                break;
        }
        const double random01 = std::uniform_real_distribution<double>(0, 1)(random_);
        return store_.fail_unit(lease,
                                {.error = error,
                                 .audio_done = unit.audio_done(),
                                 .retry_after = retry_after_,
                                 .smaller_model = smaller_model(unit, error)},
                                settings_.retry, random01);
    };
    if (!error.detail.empty()) {
        log::info("unit {} lease {}: {} {}: {}", lease.unit.value, lease.number,
                  to_string(error.cls), error.code, error.detail);
    }
    before_failure_(unit.claimed().task_id);
    DURASCRIBE_FAILPOINT("attempt.failed");
    const auto recorded = record_when_possible(unit, record);
    DURASCRIBE_FAILPOINT("attempt.failure_recorded");
    const StopReason why = unit.stop_reason();
    if (recorded && settings_.observer != nullptr &&
        (why == StopReason::none || why == StopReason::expired)) {
        settings_.observer->attempt_failed(
            unit.claimed().step, why == StopReason::expired ? ErrorClass::timeout : error.cls,
            recorded->unit_state == domain::UnitState::pending);
    }
    if (!recorded && !is_stale(recorded.error())) {
        log::error(
            "unit {} lease {}: its end could not be recorded: {}; the lease will run out and it "
            "will be done again",
            lease.unit.value, lease.number, recorded.error().message);
    }
}

Result<ports::UnitEnd> UnitRunner::record_when_possible(
    RunningUnit& unit, const std::function<Result<ports::UnitEnd>()>& record) {
    const WaitForDisk waits(unit);
    bool told = false;
    while (true) {
        auto end = record();
        if (end || end.error().cls != ErrorClass::storage) {
            return end;
        }
        waits.begin();
        if (!told) {
            log::error("unit {}: waiting to record its result: {}", unit.claimed().lease.unit.value,
                       end.error().message);
            told = true;
        }
        if (!pause(unit.drain_token(), kStorageRetry)) {
            return record();  // one last try; the next server finds what stays
        }
    }
}

}  // namespace durascribe::engine
