#include "store_model_run.h"

#include <algorithm>

#include <fmt/format.h>

namespace durascribe::contract {

using domain::Lane;
using domain::Step;
using domain::TaskState;
using domain::UnitState;

namespace {

constexpr std::size_t kMediaMax = 8;  // at a time, so that moves meet
constexpr int kMovesBetweenWholeComparisons = 12;
constexpr Millis kLease{30'000};
constexpr Millis kDay{24LL * 3'600 * 1'000};

std::string blob(char name) {
    return std::string(64, name);
}

// The same bytes have one size; no two of these are about as large.
std::int64_t source_bytes(int which) {
    return std::array<std::int64_t, 3>{7, 5'000'000, 900'000'000}[static_cast<std::size_t>(which)];
}

template <typename T>
const T& nth(const std::vector<T>& list, int n) {
    return list[static_cast<std::size_t>(n) % list.size()];
}

template <typename T>
bool contains(const std::vector<T>& list, const T& one) {
    return std::ranges::find(list, one) != list.end();
}

}  // namespace

void StoreModelRun::Listener::on_commit(std::span<const ports::Event> events,
                                        std::span<const bool, domain::kLanes> /*lanes*/) noexcept {
    const std::lock_guard lock(mutex_);
    events_.insert(events_.end(), events.begin(), events.end());
}

std::vector<ports::Event> StoreModelRun::Listener::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
}

StoreModelRun::StoreModelRun(StorePlace& place, Tally& tally) : place_(place), tally_(tally) {
    open_again();
}

void StoreModelRun::open_again() {
    store_.reset();
    store_ = place_.open(clock_);
    store_->set_listener(&listener_);
}

void StoreModelRun::play(const Move& move) {
    trace_.emplace_back(name_of(move.kind));
    ++tally_.steps;
    ++tally_.played[static_cast<std::size_t>(move.kind)];
    dispatch(move);
    check_told();
    for (const TaskId& id : std::exchange(model_.touched, {})) {
        compare_task(id);
    }
    if (trace_.size() % kMovesBetweenWholeComparisons == 0) {
        compare_everything();
    }
}

void StoreModelRun::dispatch(const Move& m) {
    switch (m.kind) {
        case MoveKind::submit:
            return model_.media.size() < kMediaMax ? submit(m) : submit_task(m);
        case MoveKind::submit_same_ids:
            return submit_same_ids(m);
        case MoveKind::submit_task:
            return submit_task(m);
        case MoveKind::rename:
            return rename(m);
        case MoveKind::delete_media:
            return delete_media(m);
        case MoveKind::claim:
            return claim(m);
        case MoveKind::renew:
            return renew(m);
        case MoveKind::progress:
            return progress(m);
        case MoveKind::finish: {
            if (live().empty()) {
                return claim(m);
            }
            const ports::Lease lease = live_lease(m.a);
            return end_attempt(m, lease, step_of(lease));
        }
        case MoveKind::finish_as_another_step:
            return end_attempt(m, live_lease(m.a), static_cast<Step>(1 + m.b % 4));
        case MoveKind::fail:
            return fail_one(m);
        case MoveKind::end_wait:
            return end_wait(m);
        case MoveKind::give_back: {
            const ports::Lease lease = live_lease(m.a);
            return same_end(store_->return_unit(lease, "drained"), model_.return_unit(lease));
        }
        case MoveKind::acknowledge:
            return acknowledge(m);
        case MoveKind::use_stale_lease:
            return use_stale_lease(m);
        case MoveKind::cancel:
            return cancel(m);
        case MoveKind::retry:
            return retry(m);
        case MoveKind::expire:
            return expire(m);
        case MoveKind::set_priority:
            return set_priority(m);
        case MoveKind::pause:
        case MoveKind::resume:
            model_.set_paused(m.kind == MoveKind::pause);
            (void)same_answer(store_->set_paused(m.kind == MoveKind::pause), Answer<void>());
            return;
        case MoveKind::recover:
            return recover(nodes_[static_cast<std::size_t>(m.a % 2)]);
        case MoveKind::restart: {
            NodeId& node = nodes_[static_cast<std::size_t>(m.a % 2)];
            node = new_id<NodeId>();
            open_again();
            return recover(node);
        }
        case MoveKind::reopen:
            return open_again();
        case MoveKind::rescue:
            return rescue(m);
        case MoveKind::advance: {
            static constexpr std::array kSteps{1, 1'000, 9'000, 31'000, 65'000, 125'000, 310'000};
            const int ms = kSteps[static_cast<std::size_t>(m.a) % kSteps.size()];
            trace_.back() += fmt::format(" {} ms", ms);
            return clock_.advance(Millis{ms});
        }
        case MoveKind::wall_jump:
            return clock_.set_wall(clock_.wall() +
                                   std::chrono::hours(m.a % 2 == 0 ? -m.b * 90 : m.b * 90));
        case MoveKind::prune:
            return prune(m);
        case MoveKind::edit:
            return edit(m);
    }
}

// ---- choices ----------------------------------------------------------------------------------

std::vector<ports::Lease> StoreModelRun::live() const {
    std::vector<ports::Lease> leases;
    for (const auto& [id, t] : model_.tasks) {
        for (const ModelUnit& u : t.units) {
            if (u.state == UnitState::processing) {
                leases.push_back({UnitId{u.id}, u.lease});
            }
        }
    }
    return leases;
}

ports::Lease StoreModelRun::live_lease(int n) const {
    const auto leases = live();
    return leases.empty() ? ports::Lease{} : nth(leases, n);
}

Step StoreModelRun::step_of(const ports::Lease& lease) {
    const ModelUnit* u = model_.held(lease).second;
    return u != nullptr ? u->step : Step::transcribe;
}

MediaId StoreModelRun::pick_media(int n) const {
    if (model_.media.empty() || n % 50 == 49) {
        return MediaId{"nowhere"};
    }
    auto media = model_.media.begin();
    std::advance(media, static_cast<std::size_t>(n) % model_.media.size());
    return media->first;
}

// One of those that the verb is for, mostly.
TaskId StoreModelRun::pick_task(int n, bool active, bool retryable) const {
    if (n % 50 == 49) {
        return TaskId{"nowhere"};
    }
    std::vector<TaskId> all, fitting;
    for (const auto& [id, t] : model_.tasks) {
        all.push_back(id);
        if (t.active() ? active : retryable && t.state != TaskState::completed) {
            fitting.push_back(id);
        }
    }
    if (!fitting.empty() && n % 7 != 6) {
        return nth(fitting, n / 7);
    }
    return all.empty() ? TaskId{"nowhere"} : nth(all, n / 7);
}

// A fingerprint says all that the request asks for.
std::optional<ports::IdempotencyKey> StoreModelRun::pick_key(int n,
                                                             const std::string& request) const {
    if (n % 4 != 0) {
        return std::nullopt;
    }
    return ports::IdempotencyKey{fmt::format("key{}", n / 4 % 5), request};
}

ports::NewMedia StoreModelRun::new_media(const Move& m) {
    const int n = made_++;
    ports::NewMedia media{
        .id = MediaId{fmt::format("m{:05}", n)},
        .task_id = TaskId{fmt::format("t{:05}", n)},
        .title = fmt::format("title {}", n),
        .filename = "talk.mp4",
        .source = {blob(static_cast<char>('a' + m.a % 3)), source_bytes(m.a % 3)}};
    media.options.priority = m.b % 3 - 1;
    media.options.diarize = m.b % 5 == 4;
    media.idempotency = pick_key(m.c, fmt::format("submit {} {}", m.a % 3, m.b % 15));
    return media;
}

// ---- intake -----------------------------------------------------------------------------------

void StoreModelRun::submit(const Move& m) {
    const ports::NewMedia media = new_media(m);
    trace_.back() +=
        fmt::format(" {} {}", media.id.value, media.idempotency ? media.idempotency->key : "");
    same_submission(store_->submit(media), model_.submit(media));
}

void StoreModelRun::submit_same_ids(const Move& m) {
    ports::NewMedia media = new_media(m);
    media.idempotency.reset();
    if (m.b % 3 != 2) {
        media.id = pick_media(m.a);
    }
    const auto theirs = model_.tasks_of(pick_media(m.b % 2 == 0 ? m.a : m.b));
    if (m.b % 3 != 1 && !theirs.empty()) {
        media.task_id = nth(theirs, m.c);
    }
    trace_.back() += fmt::format(" {} {}", media.id.value, media.task_id.value);
    if (!model_.media.contains(media.id) && media.id.value == "nowhere") {
        return;
    }
    same_submission(store_->submit(media), model_.submit(media));
}

void StoreModelRun::submit_task(const Move& m) {
    ports::NewTask task{.media_id = pick_media(m.a),
                        .id = TaskId{fmt::format("t{:05}", made_++)},
                        .force = m.b % 4 == 0};
    const auto theirs = model_.tasks_of(task.media_id);
    if (m.b % 23 == 0 && !theirs.empty()) {
        task.id = nth(theirs, m.c);
    }
    task.options.priority = m.b % 3 - 1;
    task.options.diarize = m.c % 3 == 0;
    if (m.a % 4 == 3) {
        task.options.audio_track = 1;
    }
    task.choice = {.engine = fmt::format("engine {}", m.b % 2),
                   .model = fmt::format("model {}", m.c % 2),
                   .reason = fmt::format("reason {}", m.a % 2)};
    if (m.c % 5 != 0) {
        task.options.from_step = static_cast<Step>(m.c % 5);
    }
    task.idempotency = pick_key(m.b / 2, fmt::format("task {} {} {} {}", task.media_id.value,
                                                     task.force, m.b % 3, m.c % 15));
    trace_.back() += fmt::format(
        " {} {} force={} from={} diarize={} {}", task.media_id.value, task.id.value, task.force,
        task.options.from_step ? to_string(*task.options.from_step) : "start", task.options.diarize,
        task.idempotency ? task.idempotency->key : "");
    const auto made = store_->submit_task(task);
    if (!made && made.error().code == "task_running") {
        const ModelTask* running = model_.task(TaskId{made.error().detail});
        must(running != nullptr && running->active() && running->media == task.media_id,
             "the error names a task of the media that has not ended");
    }
    same_submission(made, model_.submit_task(task, made ? made->replaced : std::nullopt));
}

void StoreModelRun::rename(const Move& m) {
    const std::string title = fmt::format("renamed {}", m.b);
    const MediaId id = pick_media(m.a);
    (void)same_answer(store_->rename_media(id, title), model_.rename(id, title));
}

void StoreModelRun::delete_media(const Move& m) {
    const MediaId id = pick_media(m.a);
    trace_.back() += " " + id.value;
    const auto gone = store_->delete_media(id);
    const auto expected = model_.delete_media(id);
    if (!same_answer(gone, expected)) {
        return;
    }
    std::set<std::string> blobs;
    for (const ports::BlobRef& b : *gone) {
        blobs.insert(b.sha256);
    }
    must(blobs == *expected, "the blobs are those that nothing names any more");
}

// ---- units ------------------------------------------------------------------------------------

void StoreModelRun::claim(const Move& m) {
    static constexpr std::array kLanes{Lane::speech, Lane::media, Lane::local, Lane::speech,
                                       Lane::fetch};
    auto lane = kLanes[static_cast<std::size_t>(m.a) % kLanes.size()];
    model_.look_at_the_clock();
    for (std::size_t i = 0; i < kLanes.size() && m.b % 5 != 0; ++i) {
        if (!model_.claimable(lane).empty()) {
            break;
        }
        lane = kLanes[(static_cast<std::size_t>(m.a) + i) % kLanes.size()];
    }
    const ports::ClaimRequest request{.node = nodes_[static_cast<std::size_t>(m.c % 2)],
                                      .lane = lane,
                                      .lease_length = kLease,
                                      .model = "of the node"};
    const auto candidates = model_.claimable(lane);
    claims_since_aged_[static_cast<std::size_t>(lane)] += model_.paused ? 0 : 1;
    const auto got = store_->claim(request);
    const auto& unit = value_of(got, "claim");
    must(unit.has_value() == !candidates.empty(),
         fmt::format("{} tasks have a unit to claim in lane {}", candidates.size(),
                     to_string(lane)));
    if (!unit) {
        return;
    }
    trace_.back() += fmt::format(" {} of {}: unit {} lease {}", to_string(unit->step),
                                 unit->task_id.value, unit->lease.unit.value, unit->lease.number);
    ++tally_.claims;
    must(contains(candidates, std::pair(unit->task_id, unit->lease.unit.value)),
         "the unit claimed is the first that may be claimed of its task");
    check_order(*unit, lane);
    check_claim(*unit, request);
    given_.push_back(unit->lease);
}

void StoreModelRun::renew(const Move& m) {
    std::vector<ports::Lease> leases = live();
    for (int i = 0; i < m.b % 3 && !given_.empty(); ++i) {
        leases.push_back(nth(given_, m.a + i));
    }
    const NodeId& node = nodes_[static_cast<std::size_t>(m.a % 2)];
    const auto renewed = store_->renew_leases(node, leases, kLease);
    must(value_of(renewed, "renew_leases").size() == leases.size(), "one answer for each lease");
    for (std::size_t i = 0; i < leases.size(); ++i) {
        const ports::RenewedLease expected = model_.renew(node, leases[i], kLease);
        const ports::RenewedLease& got = renewed->at(i);
        must(got.lease == expected.lease && got.lost == expected.lost &&
                 got.cancel_requested == expected.cancel_requested,
             fmt::format("unit {} lease {}: lost {}, cancel requested {}", leases[i].unit.value,
                         leases[i].number, expected.lost, expected.cancel_requested));
    }
}

void StoreModelRun::progress(const Move& m) {
    const ports::Lease lease = given_.empty() || m.c % 3 != 0 ? live_lease(m.a) : nth(given_, m.a);
    const ports::UnitProgress unit{lease, Millis{m.b * 30}};
    ports::TaskPercent percent{
        .task = pick_task(m.a, true, false), .percent = m.b * 0.12, .worked = Millis{m.c}};
    if (const ModelTask* t = model_.task(percent.task)) {
        percent.run_number = t->run - (m.c % 9 == 8 ? 1 : 0);
    }
    (void)same_answer(store_->report_progress({&unit, 1}, {&percent, 1}), Answer<void>());
    model_.report(unit);
    model_.report(percent);
}

// Nothing ends `diarize` well yet: it fails.
void StoreModelRun::end_attempt(const Move& m, const ports::Lease& lease, Step step) {
    trace_.back() +=
        fmt::format(" {} unit {} lease {}", to_string(step), lease.unit.value, lease.number);
    const std::string text = fmt::format("text {}.{}", lease.unit.value, lease.number);
    if (step == Step::extract) {
        const int chunks = m.b % 5;
        ports::ExtractResult result;
        result.info.duration = Millis{30'000 * std::max(chunks, 1) + m.c};
        result.pcm = {chunks > 0 ? blob(static_cast<char>('p' + m.c % 4)) : "", chunks};
        result.peaks.min_max = {-1, 1};
        result.choice = {.engine = fmt::format("engine {}", m.c % 2),
                         .model = fmt::format("model {}", m.b % 2),
                         .reason = fmt::format("reason {}", m.a % 2)};
        for (int i = 0; i < chunks; ++i) {
            result.chunks.push_back({Millis{30'000 * i}, Millis{30'000 * (i + 1)}});
        }
        same_end(store_->finish_extract(lease, result), model_.finish_extract(lease, result));
    } else if (step == Step::transcribe) {
        ports::ChunkResult result{.engine = "engine", .model = fmt::format("model {}", m.b % 3)};
        const ModelUnit* unit = model_.held(lease).second;
        const Millis start = unit != nullptr ? unit->span.start : Millis{0};
        for (int i = 0; i < m.c % 3; ++i) {
            result.segments.push_back({.span = {start + Millis{i * 10}, start + Millis{i * 10 + 9}},
                                       .text = fmt::format("{} {}", text, i)});
        }
        same_end(store_->finish_chunk(lease, result), model_.finish_chunk(lease, result));
    } else if (step == Step::finalize) {
        const ports::FinalResult result{
            .segments = {{.span = {Millis{0}, Millis{9}}, .text = text}},
            .documents = {{domain::DocumentFormat::srt, text}}};
        same_end(store_->finish_final(lease, result), model_.finish_final(lease, result));
    } else {
        fail(m, lease, ErrorClass::model);
    }
}

void StoreModelRun::fail(const Move& m, const ports::Lease& lease, ErrorClass cls) {
    static constexpr std::array kRandom{0.5, 0.0, 0.999};
    static constexpr std::array kRetries{3, 3, 3, 3, 3, 1, 0};
    const int retries_max = kRetries[static_cast<std::size_t>(m.c) % kRetries.size()];
    const double random01 = kRandom[static_cast<std::size_t>(m.b) % kRandom.size()];
    ports::FailedAttempt failed{
        .error = {cls, fmt::format("broke_{}", m.b % 4), fmt::format("message {}", m.b), {}},
        .audio_done = Millis{m.a},
        .smaller_model = m.c % 2 == 0 ? "tiny" : "",
        .for_good = m.c % 10 == 9};
    if (m.c % 3 == 0) {
        failed.retry_after = Millis{m.b * 5'000};
    }
    trace_.back() += fmt::format(" unit {} lease {}: {}{}", lease.unit.value, lease.number,
                                 to_string(cls), failed.for_good ? " for good" : "");
    same_end(store_->fail_unit(lease, failed, {.max_attempts = retries_max}, random01),
             model_.fail_unit(lease, failed, retries_max, random01));
}

void StoreModelRun::fail_one(const Move& m) {
    const auto leases = live();
    if (leases.empty()) {
        return claim(m);
    }
    // The one that died most, and again, often: else no unit would die often enough.
    const auto crashes = [&](const ports::Lease& l) { return model_.held(l).second->crashes; };
    const ports::Lease lease =
        m.a % 2 == 0 ? std::ranges::max(leases, {}, crashes) : nth(leases, m.a / 2);
    static constexpr std::array kDeadly{ErrorClass::crash, ErrorClass::memory};
    const bool dies = m.b % 3 == 0 || (m.a % 2 == 0 && crashes(lease) > 0);
    fail(m, lease,
         dies ? kDeadly[static_cast<std::size_t>(m.b % 2)] : static_cast<ErrorClass>(m.b % 11));
}

// Of one that waits, mostly.
void StoreModelRun::end_wait(const Move& m) {
    std::vector<std::int64_t> units;
    for (const auto& [id, t] : model_.tasks) {
        for (const ModelUnit& u : t.units) {
            if (u.due || m.b % 5 == 0) {
                units.push_back(u.id);
            }
        }
    }
    const std::int64_t unit = units.empty() ? 4'711 : nth(units, m.a);
    trace_.back() += fmt::format(" unit {}", unit);
    model_.end_wait(unit);
    (void)same_answer(store_->end_wait(UnitId{unit}), Answer<void>());
}

void StoreModelRun::acknowledge(const Move& m) {
    std::vector<ports::Lease> stopping = live();
    std::erase_if(stopping, [&](const ports::Lease& l) {
        return !model_.held(l).first->cancel_requested_at;
    });
    const ports::Lease lease =
        stopping.empty() || m.b % 10 == 9 ? live_lease(m.a) : nth(stopping, m.a);
    same_end(store_->acknowledge_cancelled(lease), model_.acknowledge_cancelled(lease));
}

void StoreModelRun::use_stale_lease(const Move& m) {
    std::vector<ports::Lease> stale = given_;
    const auto held = live();
    std::erase_if(stale, [&](const ports::Lease& l) { return contains(held, l); });
    if (stale.empty()) {
        return;
    }
    ports::Lease lease = nth(stale, m.a);
    if (m.c % 5 == 4) {
        lease = {nth(given_, m.a).unit, nth(given_, m.a).number + 1 + m.b};  // not given yet
    }
    switch (m.b % 6) {
        case 0:
            return fail(m, lease, ErrorClass::crash);
        case 1:
            return same_end(store_->return_unit(lease, "late"), model_.return_unit(lease));
        case 2:
            return same_end(store_->acknowledge_cancelled(lease),
                            model_.acknowledge_cancelled(lease));
        case 3:
            return end_attempt(m, lease, Step::extract);
        case 4:
            return end_attempt(m, lease, Step::finalize);
        default:
            return end_attempt(m, lease, Step::transcribe);
    }
}

// ---- tasks ------------------------------------------------------------------------------------

void StoreModelRun::cancel(const Move& m) {
    const TaskId id = pick_task(m.a, true, false);
    trace_.back() += " " + id.value;
    const auto asked = store_->request_cancel(id);
    const auto expected = model_.request_cancel(id);
    if (same_answer(asked, expected)) {
        must(asked->task.id == id && asked->task.state == model_.task(id)->state, "its state");
        must(std::ranges::is_permutation(asked->running, *expected), "what still runs");
    }
}

void StoreModelRun::retry(const Move& m) {
    const TaskId id = pick_task(m.a, false, true);
    const auto key = pick_key(m.b, "retry " + id.value);
    trace_.back() += fmt::format(" {} {}", id.value, key ? key->key : "");
    const auto retried = store_->retry(id, key);
    const auto expected = model_.retry(id, key);
    if (!same_answer(retried, expected)) {
        return;
    }
    must(retried->replayed == expected->replayed && retried->task.id == expected->task,
         "whether it came before, and of which task");
    must(retried->queued.size() == 1 && retried->queued[0].second == expected->queued &&
             retried->task.current_step == "retry_queued",
         fmt::format("{} units are queued again", expected->queued));
    if (retried->replayed) {
        ++tally_.replayed;
        return;
    }
    must(retried->queued[0].first == expected->step && retried->failed == expected->failed &&
             retried->cancelled == expected->cancelled,
         fmt::format("of {}: {} failed, {} cancelled", to_string(expected->step), expected->failed,
                     expected->cancelled));
    must(retried->task.progress >= 0 && retried->task.progress < 100,
         "a run starts with what is finished, and not at its end");
    model_.task(id)->progress = retried->task.progress;
}

void StoreModelRun::expire(const Move& m) {
    const TaskId id = pick_task(m.a, true, false);
    const ModelTask* t = model_.task(id);
    const int run = (t != nullptr ? t->run : 1) - (m.b % 5 == 0 ? 1 : 0);  // or who comes late
    trace_.back() += fmt::format(" {} run {}", id.value, run);
    const Error error{ErrorClass::timeout, "task_timeout", "Its time is over.", {}};
    const auto row = store_->expire_task(id, run, error);
    if (same_answer(row, model_.expire_task(id, run, error))) {
        must(row->id == id && row->state == model_.task(id)->state, "its state");
    }
}

void StoreModelRun::set_priority(const Move& m) {
    const TaskId id = pick_task(m.a, m.b % 4 != 0, false);
    const int priority = m.c % 3 - 1;
    trace_.back() += fmt::format(" {} {}", id.value, priority);
    const ModelTask* t = model_.task(id);
    const bool changes = t != nullptr && t->active() && t->options.priority != priority;
    const auto row = store_->set_priority(id, priority);
    if (same_answer(row, model_.set_priority(id, priority))) {
        must(row->id == id && row->options == model_.task(id)->options, "with its new priority");
        tally_.reprioritised += changes ? 1 : 0;
    }
}

void StoreModelRun::recover(const NodeId& self) {
    const auto back = store_->recover(self);
    const int expected = model_.recover(self);
    must(value_of(back, "recover") == expected, fmt::format("{} were to come back", expected));
    tally_.rescued += expected;
}

void StoreModelRun::rescue(const Move& m) {
    std::vector<ports::Lease> running;
    for (const ports::Lease& lease : live()) {
        if (m.a % 3 == 0 && model_.held(lease).second->node == nodes_[0]) {
            running.push_back(lease);
        }
    }
    const auto rescued = store_->rescue_expired(running);
    const int expected = model_.rescue_expired(running);
    must(value_of(rescued, "rescue_expired") == expected,
         fmt::format("{} were to be rescued", expected));
    tally_.rescued += expected;
}

void StoreModelRun::edit(const Move& m) {
    ports::TranscriptEdit edit{.media = pick_media(m.a), .task = {}, .if_newest = {}, .what = {}};
    const auto theirs = model_.tasks_of(edit.media);
    const ModelTask* shown = model_.shown_task(edit.media);
    if (theirs.empty() || (shown == nullptr && m.c % 3 != 0)) {
        // Mostly one that has something to be edited.
        for (const auto& [id, t] : model_.tasks) {
            if (!t.active() && !StoreModel::transcript(t).empty()) {
                edit.media = t.media;
                edit.task = id;
            }
        }
    } else if (m.c % 7 == 0) {
        edit.task = m.c % 49 == 0 ? TaskId{"nowhere"} : nth(theirs, m.b);
    }
    if (!edit.task && model_.media.contains(edit.media)) {
        shown = model_.shown_task(edit.media);
    }
    const ModelTask* t = edit.task          ? model_.task(*edit.task)
                         : shown != nullptr ? shown
                         : model_.media.contains(edit.media)
                             ? model_.task(model_.media.at(edit.media).newest)
                             : nullptr;
    std::vector<std::int64_t> ids;
    int newest = 0;
    std::optional<std::int64_t> next;
    if (t != nullptr) {
        const auto text = store_->transcript(t->id);
        for (const auto& s : value_of(text, "transcript").segments) {
            ids.push_back(s.id);
        }
        newest = text->newest;
    }
    const std::int64_t id = ids.empty() || m.b % 20 == 19 ? 999 : nth(ids, m.b / 4);
    if (const auto at = std::ranges::find(ids, id); at != ids.end() && at + 1 != ids.end()) {
        next = *(at + 1);
    }
    switch (m.b % 4) {
        case 0:
            edit.what = ports::MergeSegments{id};
            break;
        case 1:
            edit.what = ports::RestoreRevision{newest > 0 ? m.c % (newest + 2) : m.c % 2};
            break;
        default:
            edit.what = ports::ChangeSegment{.id = id, .text = fmt::format("edited {}", m.b)};
    }
    if (t != nullptr && m.c % 4 == 0) {
        edit.if_newest = {{{t->id, std::nullopt, newest + (m.c % 8 == 0 ? 0 : 1)}}};
    }
    trace_.back() +=
        fmt::format(" {} {} segment {}", edit.media.value, edit.task ? edit.task->value : "", id);
    const auto edited = store_->edit_transcript(edit);
    const auto expected = model_.edit(edit, next);
    if (same_answer(edited, expected)) {
        must(edited->revision == *expected && edited->task == t->id,
             fmt::format("revision {} is the newest", *expected));
        tally_.edited += edited->edited ? 1 : 0;
    }
}

// In their order, up to the last that is old before one that is not; what has a time that is still
// to come says nothing. Returns how many.
std::size_t StoreModelRun::forget_old_events(WallTime before) {
    if (clock_.wall() < before) {
        return 0;
    }
    std::int64_t last_old = 0;
    for (const auto& [seq, event] : outbox_) {
        if (event.at < before) {
            last_old = seq;
        } else if (event.at <= clock_.wall()) {
            break;
        }
    }
    return std::erase_if(outbox_, [&](const auto& entry) { return entry.first <= last_old; });
}

// Until there is no more: then everything is gone that is old enough, and nothing else.
void StoreModelRun::prune(const Move& m) {
    const Millis age = m.a % 3 == 0 ? kDay * 2 : kDay;
    if (m.c % 3 != 0) {
        clock_.advance(kDay);
    }
    ports::Retention keep{.events_max = m.b % 2 == 0 ? 60 : 1'000'000};
    keep.media = m.b % 3 == 0 ? std::optional(age) : std::nullopt;
    keep.attempts = m.b % 4 == 0 ? std::optional(age) : std::nullopt;
    keep.events = m.b % 5 == 0 ? std::optional(age) : std::nullopt;
    keep.idempotency_keys = age;
    const int batch = m.c % 2 == 0 ? 3 : 1'000;
    model_.mark_day();
    ports::Pruned all;
    std::set<std::string> gone;
    for (all.more = true; all.more;) {
        const auto pruned = store_->prune(keep, batch);
        const auto& p = value_of(pruned, "prune");
        const int rows = p.media + p.events + p.attempts + p.idempotency_keys;
        must(rows <= batch && p.more == (rows == batch), "a batch is no larger than asked for");
        all = {.media = all.media + p.media,
               .events = all.events + p.events,
               .attempts = all.attempts + p.attempts,
               .idempotency_keys = all.idempotency_keys + p.idempotency_keys,
               .more = p.more};
        for (const ports::BlobRef& b : p.blobs) {
            gone.insert(b.sha256);
        }
    }
    std::set<std::string> blobs = model_.blobs();
    const auto before = model_.time_before(age);
    const auto ended =
        keep.media && before ? model_.media_ended_before(*before) : std::set<MediaId>{};
    std::ranges::for_each(ended, [&](const MediaId& id) { model_.forget_media(id); });
    for (const std::string& named : model_.blobs()) {
        blobs.erase(named);
    }
    std::ptrdiff_t attempts = 0;
    for (auto& [id, t] : model_.tasks) {
        if (keep.attempts && before && t.completed_at && *t.completed_at < *before) {
            attempts += static_cast<std::ptrdiff_t>(std::erase_if(
                t.attempts, [&](const auto& a) { return a.ended_at && *a.ended_at < *before; }));
        }
    }
    const int keys = before ? model_.forget_keys_before(*before) : 0;
    check_told();  // the deletions are events, too, and count
    auto events = std::erase_if(
        outbox_, [&](const auto& entry) { return entry.first <= last_seq_ - keep.events_max; });
    if (keep.events && before) {
        events += forget_old_events(*before);
    }
    must(std::cmp_equal(all.media, ended.size()) && gone == blobs, "which media went");
    must(all.attempts == attempts, fmt::format("{} attempts are old", attempts));
    must(all.idempotency_keys == keys, fmt::format("{} keys are old", keys));
    must(std::cmp_equal(all.events, events), fmt::format("{} events are old", events));
    tally_.pruned += all.media + all.attempts + all.idempotency_keys + all.events;
}

}  // namespace durascribe::contract
