#include "durascribe/engine/slot.h"

#include <algorithm>
#include <condition_variable>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/log.h"
#include "durascribe/base/log_fields.h"

namespace durascribe::engine {
namespace {

constexpr Millis kStartAgain{1'000};
constexpr Millis kStoreAgain{1'000};
// For how long a slot without a worker waits for a model to fit; twice as long each time in a row.
constexpr Millis kWantFor{15'000};
constexpr Millis kWantForMax{300'000};

void pause(std::stop_token stop, Millis how_long) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, how_long, [] { return false; });
}

}  // namespace

Slot::Slot(SlotContext context, domain::Lane lane, LaneSignal& signal, UnitRunner runner)
    : context_(std::move(context)), lane_(lane), signal_(signal), runner_(std::move(runner)) {
    status_.lane = lane;
    thread_ = std::jthread([this](std::stop_token stop) { loop(stop); });
}

Slot::~Slot() {
    request_stop();
    join();
}

void Slot::request_stop() {
    thread_.request_stop();
}

void Slot::join() {
    if (thread_.joinable()) {
        thread_.join();
    }
}

Engine::SlotStatus Slot::status() const {
    const std::scoped_lock lock(status_mutex_);
    return status_;
}

void Slot::loop(std::stop_token stop) {
    while (!stop.stop_requested()) {
        const std::uint64_t ticket = signal_.ticket();
        if (!ensure_worker(stop)) {
            continue;
        }
        set_status(nullptr);
        const MonoTime asked_at = context_.clock.mono();
        auto claimed = context_.store.claim(
            {.node = context_.node,
             .lane = lane_,
             .lease_length = context_.settings.lease_length,
             .model = lane_ == domain::Lane::speech ? context_.settings.model : ""});
        if (!claimed) {
            log::error("could not look for work: {}", claimed.error().message);
            pause(stop, kStoreAgain);
            continue;
        }
        if (!*claimed) {
            signal_.wait(ticket, stop);
            continue;
        }
        DURASCRIBE_FAILPOINT("slot.claimed");
        run_one(**claimed, asked_at, stop);
    }
    worker_.reset();
    set_status(nullptr);
}

void Slot::run_one(const ports::ClaimedUnit& claimed, MonoTime asked_at, std::stop_token stop) {
    const RunningUnits::Handle unit =
        context_.running.add(claimed, context_.clock.mono(), asked_at);
    // A cancel that was committed before the unit was listed did not find it here; one committed
    // after finds it. A stop asked for meanwhile hands the unit back.
    if (const auto task = context_.store.task(claimed.task_id); !task) {
        unit->doubt_cancel();
    } else if (task->cancel_requested_at) {
        unit->stop(StopReason::cancelled);
    }
    if (stop.stop_requested()) {
        unit->stop(StopReason::drained);
    }
    context_.unit_started();
    const log::Scope about{{"task_id", claimed.task_id.value},
                           {"media_id", claimed.media_id.value},
                           {"unit_id", std::to_string(claimed.lease.unit.value)},
                           {"lease", std::to_string(claimed.lease.number)}};
    set_status(&claimed);
    if (lane_ == domain::Lane::speech && !make_room(claimed)) {
        drop_worker();
        runner_.give_back(*unit, StopReason::no_memory);
        context_.running.remove(*unit);
        return;
    }
    if (claimed.step == domain::Step::acquire) {
        context_.running.wait_for_those_before(*unit);
    }
    runner_.run(*unit, worker_.get(), warm_up_);
    context_.pace.note(lane_, context_.clock.mono() - unit->started());
    context_.running.remove(*unit);
    DURASCRIBE_FAILPOINT("slot.unit_ended");
    ++units_served_;
    if (lane_ == domain::Lane::speech && worker_->alive()) {
        context_.spare.want();
        measure_worker();
    }
}

// A worker that loads a model in place of another is asked about as one that starts with it. Where
// it does not fit, the unit goes back to the queue: a slot that has it loaded takes it, or one that
// has no other beside it. This one gives up its worker, so that there is one in the end, and waits
// until the model fits; from time to time it looks whether there is other work.
bool Slot::make_room(const ports::ClaimedUnit& claimed) {
    const domain::TaskOptions& options = claimed.options;
    const std::string& engine = claimed.engine.empty() ? options.engine : claimed.engine;
    const std::string& model = claimed.model.empty() ? options.model : claimed.model;
    const SpeechModel asked = context_.memory.named(engine, model, options.language);
    warm_up_.load = Millis{0};
    if (asked == loaded_) {
        return true;
    }
    const std::int64_t need = context_.memory.needed(engine, model, options.language);
    warm_up_.load = load_within(need);
    if (!admitted_.change_need(need)) {
        context_.spare.take().reset();  // nobody needs it as much
        if (!admitted_.change_need(need)) {
            want_for_ = std::clamp(want_for_ * 2, kWantFor, kWantForMax);
            wanted_bytes_ = need;
            wanted_until_ = context_.clock.mono() + want_for_;
            log::info(
                "unit {} goes back to the queue: {} {} needs {} MiB, and they are not free beside "
                "the other speech workers",
                claimed.lease.unit.value, asked.engine, asked.model, need >> 20);
            return false;
        }
    }
    want_for_ = Millis{0};
    loaded_ = asked;
    other_models_ = true;
    warm_resident_bytes_ = 0;
    return true;
}

// Lane `local` needs none, and in lane `fetch` each unit starts its own (a worker that waits for
// something to download would wait for nothing most of the time). The worker may still be warming
// up when this returns true.
bool Slot::ensure_worker(std::stop_token stop) {
    if (lane_ == domain::Lane::local || lane_ == domain::Lane::fetch ||
        (worker_ && worker_->alive())) {
        return true;
    }
    drop_worker();
    return lane_ == domain::Lane::speech ? admit_worker(stop) : start_worker(stop);
}

bool Slot::admit_worker(std::stop_token stop) {
    const EngineSettings& settings = context_.settings;
    const SpeechModel first =
        context_.memory.named(settings.engine, settings.model, settings.language);
    const bool wants = context_.clock.mono() < wanted_until_;
    if (!wants) {
        if (auto warm = context_.spare.take()) {
            worker_ = std::move(warm->worker);
            admitted_ = std::move(warm->ticket);
            loaded_ = first;
            tell_of_worker();
            return true;
        }
    }
    const std::int64_t need =
        context_.memory.needed(settings.engine, settings.model, settings.language);
    auto ticket = context_.admission.admit(wants ? wanted_bytes_ : need);
    if (!ticket) {
        if (wants) {
            context_.spare.take().reset();
        }
        pause(stop, kStartAgain);
        return false;
    }
    admitted_ = std::move(*ticket);
    wanted_until_ = {};
    warm_up_.ready = load_within(need);
    loaded_ = first;
    return start_worker(stop);
}

bool Slot::start_worker(std::stop_token stop) {
    auto started = context_.workers.start(lane_ == domain::Lane::media ? ports::WorkerRole::media
                                                                       : ports::WorkerRole::speech);
    if (!started) {
        log::error("could not start a {} worker: {}", domain::to_string(lane_),
                   started.error().message);
        pause(stop, kStartAgain);
        return false;
    }
    worker_ = std::move(*started);
    tell_of_worker();
    DURASCRIBE_FAILPOINT("slot.worker_started");
    return true;
}

void Slot::tell_of_worker() {
    if (context_.settings.observer != nullptr) {
        context_.settings.observer->worker_started(lane_, had_worker_);
    }
    had_worker_ = true;
}

// Of a speech worker, after a unit: one that is worn is replaced.
void Slot::measure_worker() {
    const std::int64_t resident = worker_->resident_bytes();
    admitted_.note_resident(resident);
    if (!other_models_) {
        context_.memory.measured(*loaded_, resident);
    }
    if (warm_resident_bytes_ == 0) {
        warm_resident_bytes_ = resident;  // after the first unit: the model and its working memory
    }
    const bool grown = resident - warm_resident_bytes_ > context_.settings.worker_growth_bytes;
    if (grown || units_served_ >= context_.settings.chunks_per_worker) {
        log::info("replacing speech worker {} after {} chunks, {} MiB resident", worker_->pid(),
                  units_served_, resident >> 20);
        drop_worker();
    }
}

void Slot::drop_worker() {
    worker_.reset();
    admitted_ = {};
    units_served_ = 0;
    warm_resident_bytes_ = 0;
    loaded_.reset();
    other_models_ = false;
}

void Slot::set_status(const ports::ClaimedUnit* working_on) {
    const std::scoped_lock lock(status_mutex_);
    status_.pid = worker_ ? worker_->pid() : 0;
    status_.resident_bytes = worker_ ? worker_->resident_bytes() : 0;
    status_.warm =
        lane_ == domain::Lane::local || lane_ == domain::Lane::fetch || units_served_ > 0;
    status_.task = working_on ? std::optional(working_on->task_id) : std::nullopt;
    status_.step = working_on ? std::optional(working_on->step) : std::nullopt;
}

}  // namespace durascribe::engine
