#include "durascribe/engine/supervisor.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/log.h"

namespace durascribe::engine {
namespace {

constexpr Millis kTick{1'000};
// A look that comes later was held up with the whole machine: nobody worked meanwhile.
constexpr Millis kLongestTick{5'000};

}  // namespace

Supervisor::Supervisor(Engine& engine, ports::Store& store, ports::BlobStore& blobs,
                       const ports::Clock& clock, const EngineSettings& settings,
                       RunningUnits& running, RoomWaiters& room_waiters, NodeId node,
                       std::function<void()> wake_lanes)
    : engine_(engine),
      store_(store),
      blobs_(blobs),
      clock_(clock),
      settings_(settings),
      running_(running),
      room_waiters_(room_waiters),
      node_(std::move(node)),
      wake_lanes_(std::move(wake_lanes)),
      renewed_at_(clock.mono()) {
    thread_ = std::jthread([this](std::stop_token stop) { loop(stop); });
}

Supervisor::~Supervisor() = default;

void Supervisor::kick() {
    {
        const std::scoped_lock lock(mutex_);
        kicked_ = true;
    }
    changed_.notify_all();
}

// Sleeps without end once nothing runs and nothing waits for its time: a server at rest is at rest.
void Supervisor::loop(std::stop_token stop) {
    MonoTime persisted_at = clock_.mono();
    MonoTime rescued_at = clock_.mono();
    // A unit whose end could not be recorded is found by its lease, which runs out by then.
    MonoTime watch_until = clock_.mono();
    bool retry_waits = false;
    while (!stop.stop_requested()) {
        {
            const bool busy = retry_waits || !running_.all().empty() || clock_.mono() < watch_until;
            std::unique_lock lock(mutex_);
            if (busy) {
                // So often that a lease is renewed before half of it is over (see LeaseWatch).
                changed_.wait_for(lock, stop, std::min(kTick, settings_.lease_length / 6),
                                  [&] { return kicked_; });
            } else {
                changed_.wait(lock, stop, [&] { return kicked_; });
            }
            kicked_ = false;
        }
        if (stop.stop_requested()) {
            return;
        }
        const MonoTime now = clock_.mono();
        if (running_.all().empty()) {  // then the next units bring leases of their own
            renewed_at_ = now;
            persisted_at = now;
        } else {
            watch_until = now + settings_.lease_length * 2;
            if (now - renewed_at_ >= settings_.lease_length / 3 || cancel_in_doubt()) {
                renew_leases();
            }
            if (now - persisted_at >= kTick) {
                count_work(std::min(now - persisted_at, kLongestTick));
                persist_progress();
                DURASCRIBE_FAILPOINT("supervisor.progress_stored");
                persisted_at = now;
            }
        }
        if (now - rescued_at >= settings_.lease_length / 3) {
            if (rescue_expired()) {
                DURASCRIBE_FAILPOINT("supervisor.rescued");
                rescued_at = now;
            } else {
                // Whoever waits for it has no other clock: again at the next look, however long the
                // disk stays full.
                watch_until = now + settings_.lease_length * 2;
            }
        }
        serve_room_waiters();
        const auto next = until_next_retry();
        retry_waits = next.has_value();
        if (next && *next <= Millis{0}) {
            wake_lanes_();
        }
    }
}

void Supervisor::renew_leases() {
    const std::vector<ports::Lease> leases = running_leases();
    const MonoTime asked_at = clock_.mono();
    const auto renewed = store_.renew_leases(node_, leases, settings_.lease_length);
    if (!renewed) {
        // What becomes of the workers, LeaseWatch decides, which does not wait for the store.
        if (!std::exchange(renewal_failed_, true)) {
            log::error("leases could not be renewed, and it goes on trying: {}",
                       renewed.error().message);
        }
        return;
    }
    DURASCRIBE_FAILPOINT("supervisor.leases_renewed");
    renewed_at_ = asked_at;
    renewal_failed_ = false;
    for (const ports::RenewedLease& lease : *renewed) {
        const RunningUnits::Handle unit = running_.find(lease.lease);
        if (unit == nullptr) {
            continue;
        }
        if (lease.lost) {
            unit->stop(StopReason::lease_lost);
            continue;
        }
        unit->lease_renewed(asked_at);
        unit->cancel_known();
        if (lease.cancel_requested) {
            unit->stop(StopReason::cancelled);
        }
    }
}

bool Supervisor::cancel_in_doubt() const {
    return std::ranges::any_of(
        running_.all(), [](const RunningUnits::Handle& unit) { return unit->cancel_in_doubt(); });
}

std::vector<ports::Lease> Supervisor::running_leases() const {
    std::vector<ports::Lease> leases;
    for (const RunningUnits::Handle& unit : running_.all()) {
        leases.push_back(unit->claimed().lease);
    }
    return leases;
}

// Not those of this node that still run: the machine may have slept just now, or their workers are
// being stopped, and a rescue before they are dead would let two work on one unit.
bool Supervisor::rescue_expired() {
    const auto rescued = store_.rescue_expired(running_leases());
    if (!rescued) {
        if (!std::exchange(rescue_failed_, true)) {
            log::error("could not look for expired leases, and goes on trying: {}",
                       rescued.error().message);
        }
        return false;
    }
    rescue_failed_ = false;
    if (*rescued > 0) {
        log::warning("{} units were handed back: their leases had run out", *rescued);
        if (settings_.observer != nullptr) {
            settings_.observer->leases_expired(*rescued);
        }
    }
    return true;
}

void Supervisor::count_work(Millis passed) {
    std::map<TaskId, Worked> now;
    for (const RunningUnits::Handle& unit : running_.all()) {
        const ports::ClaimedUnit& claimed = unit->claimed();
        if (claimed.step == domain::Step::finalize || claimed.step == domain::Step::acquire) {
            // What was finished is delivered, however long all of it took; and the time of another
            // side's line is none of the task's work.
            continue;
        }
        const auto before = worked_.find(claimed.task_id);
        const bool counted =
            before != worked_.end() && before->second.run_number == claimed.run_number;
        // A unit that began since the last look has run for less than what passed; one that waits
        // for the disk does not run.
        const Millis ran =
            unit->waits_for_disk() ? Millis{0} : std::min(passed, clock_.mono() - unit->started());
        const Millis until_now = counted ? before->second.time : claimed.worked;
        Worked& worked =
            now.try_emplace(claimed.task_id, Worked{claimed.run_number, until_now}).first->second;
        if (worked.run_number == claimed.run_number) {
            worked.time = std::max(worked.time, until_now + ran);
        }
    }
    worked_ = std::move(now);
    for (const auto& [task, worked] : worked_) {
        const auto view = engine_.view(task);
        if (!view) {
            continue;  // deleted meanwhile, or the store says why with the next verb
        }
        if (view->row.run_number != worked.run_number) {
            continue;  // retried meanwhile: the time is of the run before
        }
        Millis limit = settings_.task_timeout.value_or(kLeastTaskTimeout);
        // On one slot: beside other tasks it has no more, and its time counts all the same.
        if (const auto predicted = view->predicted_seconds_on_one_slot;
            predicted && !settings_.task_timeout) {
            limit = std::max(
                limit,
                Millis{static_cast<std::int64_t>(1000 * settings_.deadline_factor * *predicted)});
        }
        if (worked.time >= limit && !domain::is_terminal(view->row.state)) {
            expire(*view, limit);
        }
    }
}

void Supervisor::expire(const TaskView& view, Millis limit) {
    const TaskId& task = view.row.id;
    const Error error{
        ErrorClass::timeout,
        "task_timeout",
        fmt::format(
            "The task was stopped after {:.0f} s of work, its limit{}, at {:.0f} %, with {} of {} "
            "parts transcribed. What was finished is kept: retry it, with a larger "
            "TRANSCRIPTION_TIMEOUT if it needs more.",
            std::chrono::duration<double>(limit).count(),
            settings_.task_timeout ? " (TRANSCRIPTION_TIMEOUT)" : "", view.percent,
            view.chunks_completed, view.chunks_total),
        {}};
    const int run = view.row.run_number;
    if (const auto expired = store_.expire_task(task, run, error); !expired) {
        log::error("task {}: its time is over and that could not be recorded: {}", task.value,
                   expired.error().message);
        return;  // the next look tries again
    }
    DURASCRIBE_FAILPOINT("supervisor.task_expired");
    for (const RunningUnits::Handle& unit : running_.of_task(task)) {
        if (unit->claimed().run_number == run && unit->claimed().step != domain::Step::finalize) {
            unit->expire(error);
        }
    }
}

void Supervisor::persist_progress() {
    std::vector<ports::UnitProgress> units;
    std::set<TaskId> tasks;
    for (const RunningUnits::Handle& unit : running_.all()) {
        units.push_back({.lease = unit->claimed().lease, .audio_done = unit->audio_done()});
        tasks.insert(unit->claimed().task_id);
    }
    std::vector<ports::TaskPercent> percents;
    for (const TaskId& task : tasks) {
        if (const auto view = engine_.view(task)) {
            const auto worked = worked_.find(task);
            const bool counted =
                worked != worked_.end() && worked->second.run_number == view->row.run_number;
            percents.push_back({.task = task,
                                .run_number = view->row.run_number,
                                .percent = view->percent,
                                .worked = counted ? worked->second.time : view->row.worked});
        }
    }
    if (units.empty()) {
        return;
    }
    if (const auto reported = store_.report_progress(units, percents); !reported) {
        log::warning("progress could not be stored: {}", reported.error().message);
    }
}

void Supervisor::serve_room_waiters() {
    if (room_waiters_.empty()) {
        return;
    }
    const auto free = blobs_.free_bytes();
    if (!free) {
        return;  // there is no room, whatever else is wrong with the disk
    }
    for (const UnitId unit : room_waiters_.take_fitting(*free)) {
        if (const auto ended = store_.end_wait(unit); !ended) {
            log::warning("unit {}: there is room for it, and that could not be recorded: {}",
                         unit.value, ended.error().message);  // it looks itself, later
        }
    }
}

std::optional<Millis> Supervisor::until_next_retry() {
    const auto next = store_.next_wake_up();
    if (!next) {
        log::warning("could not look for waiting retries: {}", next.error().message);
        return kTick;
    }
    if (!*next) {
        return std::nullopt;
    }
    return std::chrono::duration_cast<Millis>(**next - clock_.wall());
}

}  // namespace durascribe::engine
