// The model's media and tasks: how they come, are cancelled, retried, replaced and go.
#include <algorithm>

#include "store_model.h"

namespace durascribe::contract {

using domain::Step;
using domain::TaskState;
using domain::UnitState;

namespace {

std::unexpected<Refusal> refuse(std::string code, ErrorClass cls = ErrorClass::request) {
    return std::unexpected(Refusal{cls, std::move(code)});
}

bool newer(const ModelTask& a, const ModelTask* b) {
    return b == nullptr || a.id > b->id;  // they grow as they are made, unlike the wall clock
}

bool has_unit(const ModelTask& t, Step step, std::optional<UnitState> state = {}) {
    return std::ranges::any_of(t.units, [&](const ModelUnit& u) {
        return u.step == step && (!state || u.state == *state);
    });
}

}  // namespace

// ---- media ------------------------------------------------------------------------------------

Answer<std::optional<Made>> StoreModel::made_before(
    const std::optional<ports::IdempotencyKey>& key) const {
    if (!key || !answers.contains(key->key)) {
        return std::nullopt;
    }
    const ModelAnswer& a = answers.at(key->key);
    if (a.fingerprint != key->fingerprint) {
        return refuse("idempotency_key_reused");
    }
    return Made{.media = a.media, .task = a.task, .title = a.title, .replayed = true};
}

void StoreModel::keep(const std::optional<ports::IdempotencyKey>& key, const Made& made) {
    if (key) {
        answers[key->key] = {.fingerprint = key->fingerprint,
                             .created_at = clock_.wall(),
                             .media = made.media,
                             .task = made.task,
                             .title = made.title};
    }
}

Answer<Made> StoreModel::submit(const ports::NewMedia& m) {
    if (auto before = made_before(m.idempotency); !before || *before) {
        return before ? Answer<Made>(**before) : std::unexpected(before.error());
    }
    const bool media_there = media.contains(m.id);
    const ModelTask* there = task(m.task_id);
    if (media_there && there != nullptr && there->media == m.id) {
        return Made{
            .media = m.id, .task = m.task_id, .title = media.at(m.id).title, .replayed = true};
    }
    if (media_there || there != nullptr) {
        return refuse("id_conflict");
    }
    Made made{.media = m.id, .task = m.task_id, .title = m.title};
    made.source_known = std::ranges::any_of(
        media, [&](const auto& other) { return other.second.source == m.source.sha256; });
    media[m.id] = {.id = m.id,
                   .title = m.title,
                   .source = m.source.sha256,
                   .source_bytes = m.source.size_bytes,
                   .created_at = clock_.wall(),
                   .duration = {},
                   .newest = m.task_id};
    told.push_back({"media.created", m.id, {}});
    create_task(m.id, m.task_id, m.options, {});
    keep(m.idempotency, made);
    return made;
}

Answer<void> StoreModel::rename(const MediaId& id, const std::string& title) {
    if (!media.contains(id)) {
        return refuse("not_found");
    }
    media[id].title = title;
    told.push_back({"media.updated", id, {}});
    return {};
}

Answer<std::set<std::string>> StoreModel::delete_media(const MediaId& id) {
    if (!media.contains(id)) {
        return refuse("not_found");
    }
    if (auto active = active_task_refusal(id)) {
        return std::unexpected(*active);
    }
    std::set<std::string> gone = blobs();
    forget_media(id);
    for (const std::string& kept : blobs()) {
        gone.erase(kept);
    }
    return gone;
}

void StoreModel::forget_media(const MediaId& id) {
    std::erase_if(tasks, [&](const auto& t) { return t.second.media == id; });
    media.erase(id);
    told.push_back({"media.deleted", id, {}});
}

std::set<MediaId> StoreModel::media_ended_before(WallTime time) const {
    std::set<MediaId> ended;
    for (const auto& [id, m] : media) {
        if (std::ranges::all_of(tasks, [&](const auto& t) {
                return t.second.media != id ||
                       (t.second.completed_at && *t.second.completed_at < time);
            })) {
            ended.insert(id);
        }
    }
    return ended;
}

void StoreModel::mark_day() {
    const auto near = days.upper_bound(clock_.wall() - std::chrono::hours(20));
    if (near == days.end() || *near >= clock_.wall() + std::chrono::hours(20)) {
        days.insert(clock_.wall());
    }
}

// Two days on which it was called count as the time between them, where that is no more than two
// days: over a longer one the machine was off, or the clock jumped.
std::optional<WallTime> StoreModel::time_before(Millis age) const {
    Millis counted{0};
    std::optional<WallTime> later;
    for (auto day = days.rbegin(); day != days.rend(); ++day) {
        if (later && *later - *day <= std::chrono::hours(48)) {
            counted += *later - *day;
        }
        if (counted >= age) {
            return *day;
        }
        later = *day;
    }
    return std::nullopt;
}

int StoreModel::forget_keys_before(WallTime time) {
    return static_cast<int>(
        std::erase_if(answers, [&](const auto& a) { return a.second.created_at < time; }));
}

std::set<std::string> StoreModel::blobs() const {
    std::set<std::string> named;
    for (const auto& [id, m] : media) {
        named.insert(m.source);
    }
    for (const auto& [id, t] : tasks) {
        named.insert(t.pcm);
    }
    named.erase("");
    return named;
}

// ---- tasks ------------------------------------------------------------------------------------

ModelTask* StoreModel::task(const TaskId& id) {
    const auto found = tasks.find(id);
    return found == tasks.end() ? nullptr : &found->second;
}

std::vector<TaskId> StoreModel::tasks_of(const MediaId& id) const {
    std::vector<TaskId> ids;
    for (const auto& [task_id, t] : tasks) {
        if (t.media == id) {
            ids.push_back(task_id);
        }
    }
    return ids;
}

std::optional<Refusal> StoreModel::active_task_refusal(const MediaId& id) const {
    const bool active = std::ranges::any_of(
        tasks, [&](const auto& t) { return t.second.media == id && t.second.active(); });
    return active ? std::optional(Refusal{ErrorClass::request, "task_running"}) : std::nullopt;
}

Answer<Made> StoreModel::submit_task(const ports::NewTask& n,
                                     const std::optional<TaskId>& replaced) {
    if (auto before = made_before(n.idempotency); !before || *before) {
        return before ? Answer<Made>(**before) : std::unexpected(before.error());
    }
    if (const ModelTask* there = task(n.id)) {
        if (there->media != n.media_id) {
            return refuse("id_conflict");
        }
        return Made{.media = n.media_id,
                    .task = n.id,
                    .title = media.at(n.media_id).title,
                    .replayed = true};
    }
    if (!media.contains(n.media_id)) {
        return refuse("not_found");
    }
    Made made{.media = n.media_id, .task = n.id, .title = media.at(n.media_id).title};
    std::set<TaskId> stopping;  // asked to cancel already: only where no other is active
    for (const TaskId& id : tasks_of(n.media_id)) {
        if (const ModelTask& t = tasks.at(id); t.active()) {
            (t.cancel_requested_at ? stopping : made.replaced).insert(id);
        }
    }
    if (made.replaced.empty()) {
        made.replaced = stopping;
    }
    if (!made.replaced.empty()) {
        if (!n.force) {
            return refuse("task_running");
        }
        const bool known = replaced && made.replaced.contains(*replaced);
        (void)request_cancel(known ? *replaced : *made.replaced.begin());
    }
    create_task(n.media_id, n.id, n.options, n.choice);
    media[n.media_id].newest = n.id;
    keep(n.idempotency, made);
    return made;
}

const ModelTask* StoreModel::newest_with_chunks(const MediaId& id, std::optional<int> track) const {
    const ModelTask* newest = nullptr;
    for (const auto& [task_id, t] : tasks) {
        // Of a silent media there are no chunks, and its empty transcript is as good as any.
        const bool silent = t.state == TaskState::completed && !has_unit(t, Step::transcribe);
        const bool chunks = has_unit(t, Step::transcribe, UnitState::completed);
        if (t.media == id && t.options.audio_track == track && !t.active() && (chunks || silent) &&
            newer(t, newest)) {
            newest = &t;
        }
    }
    return newest;
}

const ModelTask* StoreModel::newest_with_audio(const MediaId& id, std::optional<int> track) const {
    const ModelTask* newest = nullptr;
    for (const auto& [task_id, t] : tasks) {
        if (t.media == id && t.options.audio_track == track && !t.pcm.empty() &&
            has_unit(t, Step::transcribe) && newer(t, newest)) {
            newest = &t;
        }
    }
    return newest;
}

// A task that asks to start at a later step takes over what an older one left, or starts earlier.
void StoreModel::create_task(const MediaId& media_id, const TaskId& id, domain::TaskOptions options,
                             const domain::ModelChoice& choice) {
    const ModelTask* old = nullptr;
    Step first = Step::extract;
    if (options.from_step && *options.from_step > Step::transcribe) {
        old = newest_with_chunks(media_id, options.audio_track);
        first = options.diarize ? *options.from_step : Step::finalize;
    }
    if (old == nullptr && options.from_step && *options.from_step >= Step::transcribe) {
        old = newest_with_audio(media_id, options.audio_track);
        first = Step::transcribe;
    }
    options.from_step = old != nullptr ? std::optional(first) : std::nullopt;
    ModelTask t{.id = id, .media = media_id, .options = options};
    t.created_at = clock_.wall();
    t.unserved_since = clock_.mono();
    std::vector<domain::AudioSpan> spans{domain::AudioSpan{}};
    if (old == nullptr) {
        first = Step::extract;
    } else {
        t.pcm = old->pcm;
        t.audio = old->audio;
        t.engine = old->engine;
        t.model = old->model;
        t.model_reason = old->model_reason;
        spans = {domain::AudioSpan{Millis{0}, old->audio}};
        if (first == Step::transcribe) {
            spans.clear();
            t.engine = choice.engine;
            t.model = choice.model;
            t.model_reason = choice.reason;
        }
        for (const ModelUnit& chunk : old->units) {
            if (chunk.step != Step::transcribe) {
                continue;
            }
            if (first == Step::transcribe) {
                spans.push_back(chunk.span);
                continue;
            }
            ModelUnit copy{.step = chunk.step, .ordinal = chunk.ordinal, .span = chunk.span};
            copy.audio_done = chunk.audio_done;
            copy.started_at = chunk.started_at;
            copy.completed_at = chunk.completed_at;
            copy.state = UnitState::completed;
            copy.texts = chunk.texts;
            if (chunk.state != UnitState::completed) {
                copy.state = UnitState::failed;  // a gap stays a gap
                copy.error = chunk.error.value_or(
                    ports::StoredError{ErrorClass::request, "cancelled", "Cancelled by user."});
            }
            t.units.push_back(copy);
        }
    }
    open(t, first, spans);
    tasks[id] = std::move(t);
    touched.insert(id);
    tell("task.created", tasks[id]);
}

Answer<ModelTask*> StoreModel::touch_active(const TaskId& id) {
    ModelTask* t = task(id);
    if (t == nullptr) {
        return refuse("not_found");
    }
    if (!t->active()) {
        return refuse("task_ended");
    }
    touched.insert(id);
    return t;
}

Answer<std::vector<ports::Lease>> StoreModel::request_cancel(const TaskId& id) {
    const auto found = touch_active(id);
    if (!found) {
        return std::unexpected(found.error());
    }
    ModelTask* t = *found;
    std::vector<ports::Lease> running;
    for (ModelUnit& u : t->units) {
        if (u.state == UnitState::processing) {
            running.push_back({UnitId{u.id}, u.lease});
        } else if (u.state == UnitState::pending) {
            u.state = UnitState::cancelled;
            u.completed_at = clock_.wall();
            u.not_before.reset();
            u.due.reset();
        }
    }
    if (running.empty()) {
        end(*t, TaskState::cancelled,
            {ports::StoredError{ErrorClass::request, "cancelled", "Cancelled by user."}});
    } else if (!t->cancel_requested_at) {
        t->cancel_requested_at = clock_.wall();
        tell("task.state", *t);
    }
    return running;
}

Answer<Retried> StoreModel::retry(const TaskId& id,
                                  const std::optional<ports::IdempotencyKey>& key) {
    if (key && answers.contains(key->key)) {
        const ModelAnswer& a = answers.at(key->key);
        if (a.fingerprint != key->fingerprint) {
            return refuse("idempotency_key_reused");
        }
        return Retried{.task = a.task, .replayed = true, .queued = a.queued};
    }
    ModelTask* t = task(id);
    if (t == nullptr) {
        return refuse("not_found");
    }
    if (t->active() || t->state == TaskState::completed) {
        return refuse("not_retryable");
    }
    if (auto active = active_task_refusal(t->media)) {
        return std::unexpected(*active);
    }
    touched.insert(id);
    const auto undone = [](const ModelUnit& u) {
        return u.state == UnitState::failed || u.state == UnitState::cancelled;
    };
    const auto first = std::ranges::find_if(t->units, undone);
    if (first == t->units.end()) {
        return refuse("a task that did not complete has nothing that did not");
    }
    Retried retried{.task = id, .step = first->step};
    std::erase_if(t->units, [&](const ModelUnit& u) { return u.step > retried.step; });
    for (ModelUnit& u : t->units) {
        if (!undone(u)) {
            continue;
        }
        (u.state == UnitState::failed ? retried.failed : retried.cancelled) += 1;
        u.state = UnitState::pending;
        u.attempts = u.crashes = 0;
        u.model.clear();
        u.failures.clear();
        u.audio_done = Millis{0};
        u.completed_at.reset();
        u.error.reset();
    }
    retried.queued = retried.failed + retried.cancelled;
    t->state = TaskState::pending;
    t->current_step = "retry_queued";
    t->run += 1;
    t->retry_count = 0;
    t->worked = Millis{0};
    t->completed_at.reset();
    t->cancel_requested_at.reset();
    t->next_attempt_at.reset();
    t->error.clear();
    t->lane = model_lane_of(retried.step);
    tell("task.state", *t);
    if (key) {
        answers[key->key] = {.fingerprint = key->fingerprint,
                             .created_at = clock_.wall(),
                             .media = t->media,
                             .task = id,
                             .title = {},
                             .queued = retried.queued};
    }
    return retried;
}

Answer<void> StoreModel::set_priority(const TaskId& id, int priority) {
    const auto found = touch_active(id);
    if (!found) {
        return std::unexpected(found.error());
    }
    ModelTask* t = *found;
    if (std::exchange(t->options.priority, priority) != priority) {
        tell("task.updated", *t);
    }
    return {};
}

Answer<void> StoreModel::expire_task(const TaskId& id, int run_number, const Error& error) {
    ModelTask* t = task(id);
    if (t == nullptr) {
        return refuse("not_found");
    }
    if (t->run != run_number) {
        return {};
    }
    std::optional<Step> expired;
    for (ModelUnit& u : t->units) {
        if (u.state != UnitState::pending || u.step == Step::finalize) {
            continue;
        }
        expired = u.step;
        u.state = UnitState::failed;
        u.completed_at = clock_.wall();
        u.error = ports::StoredError{error.cls, error.code, error.message};
        u.not_before.reset();
        u.due.reset();
        tell("unit.failed", *t);
    }
    if (expired) {
        touched.insert(id);
        open_what_follows(*t, *expired);
        settle(*t);
    }
    return {};
}

void StoreModel::set_paused(bool on) {
    if (paused != on) {
        paused = on;
        told.push_back({on ? "queue.paused" : "queue.resumed", {}, {}});
    }
}

}  // namespace durascribe::contract
