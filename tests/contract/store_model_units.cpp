// The model's units: claimed, kept alive, ended; and what their task becomes of it.
#include <algorithm>
#include <cmath>

#include "store_model.h"

namespace durascribe::contract {

using domain::Lane;
using domain::Step;
using domain::TaskState;
using domain::UnitState;

namespace {

// After a restart no unit waits longer than this, whatever the wall clock has become.
constexpr Millis kLongestWaitAfterRestart{300'000};

ports::UnitEnd outcome(const ModelTask& t, const ModelUnit& u, bool quarantined = false) {
    return {.unit_state = u.state,
            .task_state = t.state,
            .next_attempt_at = u.not_before,
            .quarantined = quarantined};
}

void clear_wait(ModelUnit& u) {
    u.not_before.reset();
    u.due.reset();
}

// The table "Errors and what follows": retries after the first attempt.
int retries_worth(ErrorClass cls, int retries_max) {
    static const std::map<ErrorClass, int> kRetries{
        {ErrorClass::input, 0},  {ErrorClass::request, 0}, {ErrorClass::network, 1'000},
        {ErrorClass::memory, 2}, {ErrorClass::model, 1},   {ErrorClass::crash, 2},
        {ErrorClass::stall, 2},  {ErrorClass::timeout, 2}, {ErrorClass::internal, 1},
    };
    return std::min(kRetries.at(cls), retries_max);
}

// 30 s · 2ⁿ, at most 300 s, ±20 %; at once where a worker died or hung for the first time; what the
// other side asked for, up to an hour.
Millis delay_after(const ModelUnit& u, const ports::FailedAttempt& failed, double random01) {
    const ErrorClass cls = failed.error.cls;
    if ((cls == ErrorClass::network || cls == ErrorClass::storage) && failed.retry_after) {
        return std::clamp(*failed.retry_after, Millis{0}, Millis{3'600'000});
    }
    if (cls == ErrorClass::storage) {
        return Millis{2'000};
    }
    const auto n = static_cast<int>(u.failures.size());
    if (n == 0 && (cls == ErrorClass::crash || cls == ErrorClass::stall)) {
        return Millis{0};
    }
    double seconds = 30;
    for (int i = 0; i < n && seconds < 300; ++i) {
        seconds *= 2;
    }
    return Millis{std::llround(std::min(seconds, 300.0) * 1'000 * (0.8 + 0.4 * random01))};
}

std::vector<ports::StoredError> reason_of_failure(const ModelTask& t) {
    const ModelUnit* first = nullptr;  // that failed, of the last step in which one did
    for (const ModelUnit& u : t.units) {
        if (u.state == UnitState::failed && (first == nullptr || u.step > first->step)) {
            first = &u;
        }
    }
    if (first == nullptr) {
        return {{ErrorClass::internal, "nothing_delivered", {}}};
    }
    ports::StoredError error = *first->error;
    const auto of_step =
        std::ranges::count_if(t.units, [&](const auto& u) { return u.step == first->step; });
    if (first->step == Step::transcribe && of_step > 1) {
        error.code = "parts_failed";
    }
    return {error};
}

// The times of its units were moved.
void tell_next_attempt(ModelTask& t) {
    if (t.state != TaskState::retrying) {
        return;
    }
    t.next_attempt_at.reset();
    for (const ModelUnit& u : t.units) {
        if (u.waits() && (!t.next_attempt_at || *u.not_before < *t.next_attempt_at)) {
            t.next_attempt_at = u.not_before;
        }
    }
}

}  // namespace

Lane model_lane_of(Step step) {
    return step == Step::extract    ? Lane::media
           : step == Step::finalize ? Lane::local
                                    : Lane::speech;
}

bool ModelTask::active() const {
    return state == TaskState::pending || state == TaskState::processing ||
           state == TaskState::retrying;
}

bool ModelTask::can_be_claimed() const {
    return std::ranges::any_of(units, &ModelUnit::claimable);
}

// ---- claims -----------------------------------------------------------------------------------

void StoreModel::look_at_the_clock() {
    for (auto& [id, t] : tasks) {
        for (ModelUnit& u : t.units) {
            if (u.due && *u.due <= clock_.mono()) {
                u.due.reset();
            }
        }
    }
}

void StoreModel::end_wait(std::int64_t unit) {
    for (auto& [id, t] : tasks) {
        const auto u = std::ranges::find(t.units, unit, &ModelUnit::id);
        if (u != t.units.end() && u->due) {
            u->not_before = clock_.wall();
            u->due = clock_.mono();
            tell_next_attempt(t);
            touched.insert(id);
            return look_at_the_clock();
        }
    }
}

std::vector<std::pair<TaskId, std::int64_t>> StoreModel::claimable(Lane lane) const {
    std::vector<std::pair<TaskId, std::int64_t>> list;
    if (paused) {
        return list;
    }
    // Of what is long one is loaded at a time.
    const auto is_long = [&](const ModelTask& t) {
        return lane == Lane::media && media.at(t.media).source_bytes > 32 << 20;
    };
    const bool loads_long_one = std::ranges::any_of(tasks, [&](const auto& entry) {
        return is_long(entry.second) &&
               std::ranges::any_of(entry.second.units, [](const ModelUnit& u) {
                   return u.step == Step::extract && u.state == UnitState::processing;
               });
    });
    for (const auto& [id, t] : tasks) {
        const auto first = std::ranges::find_if(t.units, &ModelUnit::claimable);
        if (first != t.units.end() && t.lane == lane && !(loads_long_one && is_long(t))) {
            list.emplace_back(id, first->id);
        }
    }
    return list;
}

void StoreModel::claim(const TaskId& id, std::int64_t unit, std::int64_t lease,
                       const ports::ClaimRequest& request) {
    ModelTask& t = tasks.at(id);
    ModelUnit& u = *std::ranges::find(t.units, unit, &ModelUnit::id);
    touched.insert(id);
    u.state = UnitState::processing;
    u.lease = lease;
    u.node = request.node;
    u.lease_ends = clock_.mono() + request.lease_length;
    u.attempts += 1;
    u.audio_done = Millis{0};
    clear_wait(u);
    u.started_at = u.started_at.value_or(clock_.wall());
    t.attempts.push_back({.unit = unit,
                          .step = u.step,
                          .ordinal = u.ordinal,
                          .run = t.run,
                          .lease = lease,
                          .node = request.node,
                          .model = !u.model.empty()   ? u.model
                                   : !t.model.empty() ? t.model
                                                      : request.model,
                          .started_at = clock_.wall()});
    t.started_at = t.started_at.value_or(clock_.wall());
    t.current_step = to_string(u.step);
    t.unserved_since = clock_.mono();
    settle(t);
}

std::pair<ModelTask*, ModelUnit*> StoreModel::held(const ports::Lease& lease) {
    for (auto& [id, t] : tasks) {
        for (ModelUnit& u : t.units) {
            if (u.id == lease.unit.value && u.state == UnitState::processing &&
                u.lease == lease.number) {
                return {&t, &u};
            }
        }
    }
    return {nullptr, nullptr};
}

ports::RenewedLease StoreModel::renew(const NodeId& node, const ports::Lease& lease,
                                      Millis length) {
    const auto [t, u] = held(lease);
    if (u == nullptr || u->node != node) {
        return {.lease = lease, .lost = true};
    }
    u->lease_ends = clock_.mono() + length;
    return {.lease = lease, .cancel_requested = t->cancel_requested_at.has_value()};
}

void StoreModel::report(const ports::UnitProgress& p) {
    if (const auto [t, u] = held(p.lease); u != nullptr) {
        touched.insert(t->id);
        u->audio_done = std::max(u->audio_done, p.audio_done);
    }
}

void StoreModel::report(const ports::TaskPercent& p) {
    ModelTask* t = task(p.task);
    if (t != nullptr && t->active() && t->run == p.run_number) {
        touched.insert(t->id);
        t->progress = std::max(t->progress, std::min(p.percent, 100.0));
        t->worked = std::max(t->worked, p.worked);
        tell("task.progress", *t);
    }
}

// ---- the end of an attempt --------------------------------------------------------------------

Answer<std::pair<ModelTask*, ModelUnit*>> StoreModel::hold(const ports::Lease& lease,
                                                           std::optional<Step> step) {
    const auto found = held(lease);
    if (found.second == nullptr) {
        return std::unexpected(Refusal{ErrorClass::lost, "stale_lease"});
    }
    if (step && found.second->step != *step) {
        return std::unexpected(Refusal{ErrorClass::internal, "wrong_step"});
    }
    touched.insert(found.first->id);
    return found;
}

void StoreModel::end_attempt(ModelTask& t, ModelUnit& u, const std::string& how,
                             std::optional<ErrorClass> error) {
    for (ModelAttempt& a : t.attempts) {
        if (a.unit == u.id && a.lease == u.lease) {
            a.outcome = how;
            a.ended_at = clock_.wall();
            a.error = error;
            a.audio_done = u.audio_done;
        }
    }
}

void StoreModel::complete(ModelTask& t, ModelUnit& u) {
    u.state = UnitState::completed;
    u.completed_at = clock_.wall();
    u.error.reset();
    u.audio_done = u.step == Step::transcribe ? u.span.end - u.span.start : t.audio;
    end_attempt(t, u, "completed", {});
    tell("unit.completed", t);
}

Answer<ports::UnitEnd> StoreModel::finish_extract(const ports::Lease& lease,
                                                  const ports::ExtractResult& result) {
    const auto found = hold(lease, Step::extract);
    if (!found) {
        return std::unexpected(found.error());
    }
    auto [t, u] = *found;
    t->pcm = result.pcm.sha256;
    t->audio = result.info.duration;
    t->engine = result.choice.engine;
    t->model = result.choice.model;
    t->model_reason = result.choice.reason;
    media[t->media].duration = result.info.duration;
    told.push_back({"media.updated", t->media, {}});
    complete(*t, *u);
    const ModelUnit ended = *u;  // opening makes units, which moves them
    if (result.chunks.empty()) {
        open(*t, Step::finalize, {domain::AudioSpan{Millis{0}, t->audio}});
    } else {
        open(*t, Step::transcribe, result.chunks);
    }
    settle(*t);
    return outcome(*t, ended);
}

Answer<ports::UnitEnd> StoreModel::finish_chunk(const ports::Lease& lease,
                                                const ports::ChunkResult& result) {
    const auto found = hold(lease, Step::transcribe);
    if (!found) {
        return std::unexpected(found.error());
    }
    auto [t, u] = *found;
    if (u->model.empty() || std::ranges::count(t->units, Step::transcribe, &ModelUnit::step) == 1) {
        t->engine = result.engine;
        t->model = result.model;
    }
    for (const domain::Segment& s : result.segments) {
        u->texts.push_back(s.text);
    }
    complete(*t, *u);
    const ModelUnit ended = *u;
    open_what_follows(*t, Step::transcribe);
    settle(*t);
    return outcome(*t, ended);
}

Answer<ports::UnitEnd> StoreModel::finish_final(const ports::Lease& lease,
                                                const ports::FinalResult& result) {
    const auto found = hold(lease, Step::finalize);
    if (!found) {
        return std::unexpected(found.error());
    }
    auto [t, u] = *found;
    t->joined.emplace();
    for (const domain::Segment& s : result.segments) {
        t->joined->push_back(s.text);
    }
    recognised_again(*t, *t->joined);
    t->document = result.documents.front().second;
    complete(*t, *u);
    settle(*t);
    if (t->state == TaskState::completed) {
        t->pcm.clear();  // nothing can ask for it again
    }
    return outcome(*t, *u);
}

Answer<ports::UnitEnd> StoreModel::fail_unit(const ports::Lease& lease,
                                             const ports::FailedAttempt& failed, int retries_max,
                                             double random01) {
    const auto found = hold(lease);
    if (!found) {
        return std::unexpected(found.error());
    }
    auto [t, u] = *found;
    const ErrorClass cls = failed.error.cls;
    u->audio_done = std::max(u->audio_done, failed.audio_done);
    const bool deadly = cls == ErrorClass::crash || cls == ErrorClass::memory;
    const bool quarantined = deadly && u->crashes >= 2 && !failed.for_good;
    const bool free = (cls == ErrorClass::lost || cls == ErrorClass::storage) && !failed.for_good;
    const bool again =
        free || (!failed.for_good && !quarantined &&
                 std::ranges::count(u->failures, cls) < retries_worth(cls, retries_max));
    if (again && (cls == ErrorClass::lost || t->cancel_requested_at)) {
        return hand_back(*t, u->id, cls == ErrorClass::lost ? "lost" : "failed", cls, !free);
    }
    u->error = ports::StoredError{cls, failed.error.code, failed.error.message};
    u->crashes += deadly ? 1 : 0;
    if (again) {
        const Millis delay = delay_after(*u, failed, random01);
        u->state = UnitState::pending;
        if (delay > Millis{0}) {
            u->not_before = clock_.wall() + delay;
            u->due = clock_.mono() + delay;
        }
        if (cls == ErrorClass::memory && !failed.smaller_model.empty()) {
            u->model = failed.smaller_model;
        }
    } else {
        u->state = UnitState::failed;
        u->completed_at = clock_.wall();
    }
    if (free) {
        u->attempts -= 1;
    } else {
        u->failures.push_back(cls);
    }
    end_attempt(*t, *u, "failed", cls);
    tell(again ? "unit.retry" : "unit.failed", *t);
    const ModelUnit ended = *u;
    if (!again) {
        open_what_follows(*t, ended.step);
        if (ended.step == Step::finalize) {
            join_without_finalize(*t);
        }
    }
    settle(*t);
    return outcome(*t, ended, quarantined);
}

ports::UnitEnd StoreModel::hand_back(ModelTask& t, std::int64_t unit, const std::string& how,
                                     std::optional<ErrorClass> error, bool spent) {
    ModelUnit& u = *std::ranges::find(t.units, unit, &ModelUnit::id);
    touched.insert(t.id);
    u.attempts -= spent ? 0 : 1;
    end_attempt(t, u, how, error);
    if (t.cancel_requested_at) {
        u.state = UnitState::cancelled;
        u.completed_at = clock_.wall();
    } else {
        u.state = UnitState::pending;
        tell("unit.retry", t);
    }
    settle(t);
    return outcome(t, u);
}

Answer<ports::UnitEnd> StoreModel::return_unit(const ports::Lease& lease) {
    const auto found = hold(lease);
    if (!found) {
        return std::unexpected(found.error());
    }
    return hand_back(*found->first, found->second->id, "returned", ErrorClass::lost, false);
}

Answer<ports::UnitEnd> StoreModel::acknowledge_cancelled(const ports::Lease& lease) {
    const auto found = hold(lease);
    if (!found) {
        return std::unexpected(found.error());
    }
    if (!found->first->cancel_requested_at) {
        return std::unexpected(Refusal{ErrorClass::internal, "not_cancelled"});
    }
    return hand_back(*found->first, found->second->id, "cancelled", {}, true);
}

// ---- steps and states -------------------------------------------------------------------------

void StoreModel::open(ModelTask& t, Step step, const std::vector<domain::AudioSpan>& spans) {
    int ordinal = 0;
    for (const domain::AudioSpan& span : spans) {
        ModelUnit u{.step = step, .ordinal = ordinal++, .span = span};
        if (t.cancel_requested_at) {
            u.state = UnitState::cancelled;
            u.completed_at = clock_.wall();
        }
        t.units.push_back(u);
    }
    t.lane = model_lane_of(step);
}

// A step opens when the one before it has ended and left something to go on with.
void StoreModel::open_what_follows(ModelTask& t, Step step) {
    bool something = step == Step::diarize;
    for (const ModelUnit& u : t.units) {
        if (u.state == UnitState::pending || u.state == UnitState::processing) {
            return;
        }
        if (u.step == step) {
            if (u.state == UnitState::cancelled) {
                return;
            }
            something = something || u.state == UnitState::completed;
        }
    }
    if (!something || step == Step::finalize) {
        return;
    }
    const bool speakers = step == Step::transcribe && t.options.diarize &&
                          t.options.from_step.value_or(Step::extract) <= Step::diarize;
    open(t, speakers ? Step::diarize : Step::finalize, {domain::AudioSpan{Millis{0}, t.audio}});
}

void StoreModel::end(ModelTask& t, TaskState state, std::vector<ports::StoredError> error) {
    t.state = state;
    t.completed_at = clock_.wall();
    t.next_attempt_at.reset();
    t.error = std::move(error);
    if (state == TaskState::completed || state == TaskState::partial_failure) {
        t.cancel_requested_at.reset();  // it came too late
    }
    if (state == TaskState::completed) {
        t.progress = 100;
    }
    tell("task.state", t);
}

// The table of docs/state-machine.md, "units | event", read from the units themselves.
void StoreModel::settle(ModelTask& t) {
    const auto any = [&](auto condition) { return std::ranges::any_of(t.units, condition); };
    const auto in = [&](UnitState s) {
        return any([s](const ModelUnit& u) { return u.state == s; });
    };
    const auto become = [&](TaskState s) {
        if (std::exchange(t.state, s) != s) {
            tell("task.state", t);
        }
    };
    if (in(UnitState::processing)) {
        t.next_attempt_at.reset();
        return become(TaskState::processing);
    }
    const bool cut = any(
        [](const ModelUnit& u) { return u.step >= Step::diarize && u.state == UnitState::failed; });
    const bool finalized = any([](const ModelUnit& u) {
        return u.step == Step::finalize && u.state == UnitState::completed;
    });
    const bool delivered =
        finalized || (cut && any([](const ModelUnit& u) {
                          return u.step == Step::transcribe && u.state == UnitState::completed;
                      }));
    const bool cancelled = in(UnitState::cancelled);
    const bool failed = in(UnitState::failed);
    const bool waits = in(UnitState::pending);
    const ports::StoredError by_user{ErrorClass::request, "cancelled", "Cancelled by user."};
    if (t.cancel_requested_at && !(delivered && !waits && !cancelled)) {
        return end(t, TaskState::cancelled, {by_user});
    }
    if (any([](const ModelUnit& u) { return u.state == UnitState::pending && !u.waits(); })) {
        t.next_attempt_at.reset();
        return become(TaskState::pending);
    }
    if (waits) {
        t.next_attempt_at.reset();
        for (const ModelUnit& u : t.units) {
            if (u.waits() && (!t.next_attempt_at || *u.not_before < *t.next_attempt_at)) {
                t.next_attempt_at = u.not_before;
            }
        }
        t.error.clear();
        for (const ModelUnit& u : t.units) {
            if (u.waits() && u.not_before == t.next_attempt_at) {
                t.error.push_back(*u.error);
            }
        }
        t.retry_count += 1;
        return become(TaskState::retrying);
    }
    if (delivered) {
        return failed || cancelled ? end(t, TaskState::partial_failure, reason_of_failure(t))
                                   : end(t, TaskState::completed, {});
    }
    return cancelled && !failed ? end(t, TaskState::cancelled, {by_user})
                                : end(t, TaskState::failed, reason_of_failure(t));
}

// ---- after a crash ----------------------------------------------------------------------------

int StoreModel::recover(const NodeId& self) {
    for (auto& [id, t] : tasks) {
        bool changed = false;
        for (ModelUnit& u : t.units) {
            if (u.due) {
                const bool for_room = u.error->cls == ErrorClass::storage;
                const Millis left = for_room ? Millis{0}
                                             : std::clamp(*u.not_before - clock_.wall(), Millis{0},
                                                          kLongestWaitAfterRestart);
                u.not_before = clock_.wall() + left;
                u.due = clock_.mono() + left;
                changed = true;
            }
        }
        if (changed) {
            touched.insert(id);
        }
        if (changed) {
            tell_next_attempt(t);
        }
    }
    int back = 0;
    for (auto& [id, t] : tasks) {
        std::vector<std::int64_t> theirs;
        for (const ModelUnit& u : t.units) {
            if (u.state == UnitState::processing && u.node != self) {
                theirs.push_back(u.id);
            }
        }
        for (const std::int64_t unit : theirs) {
            hand_back(t, unit, "lost", ErrorClass::lost, false);
            ++back;
        }
    }
    return back;
}

int StoreModel::rescue_expired(const std::vector<ports::Lease>& running) {
    int back = 0;
    for (auto& [id, t] : tasks) {
        std::vector<std::int64_t> silent;
        for (const ModelUnit& u : t.units) {
            const ports::Lease lease{UnitId{u.id}, u.lease};
            if (u.state == UnitState::processing && u.lease_ends <= clock_.mono() &&
                std::ranges::find(running, lease) == running.end()) {
                silent.push_back(u.id);
            }
        }
        for (const std::int64_t unit : silent) {
            hand_back(t, unit, "lost", ErrorClass::lost, false);
            ++back;
        }
    }
    return back;
}

}  // namespace durascribe::contract
