// What the store says, held against the model.
#include <algorithm>
#include <iostream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "store_model_run.h"

namespace durascribe::contract {

namespace json = boost::json;
using domain::Lane;
using domain::Step;
using domain::TaskState;
using domain::UnitState;

void StoreModelRun::must(bool agrees, const std::string& what) const {
    if (agrees) {
        return;
    }
    std::string text = what + "\n\nThe moves, as they were resolved:\n";
    for (std::size_t i = 0; i < trace_.size(); ++i) {
        text += fmt::format("{:4} {}\n", i + 1, trace_[i]);
    }
    if (!std::exchange(tally_.disagreed, true)) {
        std::cerr << text << "\nThis sequence fails. A shorter one is looked for...\n";
    }
    RC_FAIL(text);
}

template <typename T>
const T& StoreModelRun::value_of(const Result<T>& result, const std::string& what) const {
    must(result.has_value(),
         result ? "" : fmt::format("{}: {} {}", what, result.error().code, result.error().detail));
    return *result;
}
template const int& StoreModelRun::value_of(const Result<int>&, const std::string&) const;
template const ports::Pruned& StoreModelRun::value_of(const Result<ports::Pruned>&,
                                                      const std::string&) const;
template const std::optional<ports::ClaimedUnit>& StoreModelRun::value_of(
    const Result<std::optional<ports::ClaimedUnit>>&, const std::string&) const;
template const std::vector<ports::RenewedLease>& StoreModelRun::value_of(
    const Result<std::vector<ports::RenewedLease>>&, const std::string&) const;

// ---- answers ----------------------------------------------------------------------------------

template <typename T, typename U>
bool StoreModelRun::same_answer(const Result<T>& store, const Answer<U>& model) {
    const std::string got =
        store ? "done"
              : fmt::format("{} {} ({} {})", to_string(store.error().cls), store.error().code,
                            store.error().message, store.error().detail);
    const std::string expected =
        model ? "done" : fmt::format("{} {}", to_string(model.error().cls), model.error().code);
    const bool same = store.has_value() == model.has_value() &&
                      (store || (store.error().cls == model.error().cls &&
                                 store.error().code == model.error().code));
    must(same, fmt::format("answered: {}; expected: {}", got, expected));
    if (!model) {
        ++tally_.refused[model.error().code];
        trace_.back() += ": " + model.error().code;
    }
    return same && model.has_value();
}
template bool StoreModelRun::same_answer(const Result<void>&, const Answer<void>&);
template bool StoreModelRun::same_answer(const Result<ports::EditedTranscript>&,
                                         const Answer<int>&);
template bool StoreModelRun::same_answer(const Result<ports::MediaRow>&, const Answer<void>&);
template bool StoreModelRun::same_answer(const Result<ports::TaskRow>&, const Answer<void>&);
template bool StoreModelRun::same_answer(const Result<std::vector<ports::BlobRef>>&,
                                         const Answer<std::set<std::string>>&);
template bool StoreModelRun::same_answer(const Result<ports::CancelOutcome>&,
                                         const Answer<std::vector<ports::Lease>>&);
template bool StoreModelRun::same_answer(const Result<ports::RetryOutcome>&,
                                         const Answer<Retried>&);

void StoreModelRun::same_end(const Result<ports::UnitEnd>& store,
                             const Answer<ports::UnitEnd>& model) {
    if (!same_answer(store, model)) {
        return;
    }
    must(store->unit_state == model->unit_state && store->task_state == model->task_state,
         fmt::format("the unit is {}, its task {}; expected: {}, {}", to_string(store->unit_state),
                     to_string(store->task_state), to_string(model->unit_state),
                     to_string(model->task_state)));
    const auto ms = [](const std::optional<WallTime>& t) {
        return t ? t->time_since_epoch().count() : 0;
    };
    must(store->next_attempt_at == model->next_attempt_at,
         fmt::format("the next attempt is at {}, expected {}", ms(store->next_attempt_at),
                     ms(model->next_attempt_at)));
    must(store->quarantined == model->quarantined, "quarantined");
    tally_.quarantined += model->quarantined ? 1 : 0;
}

void StoreModelRun::same_submission(const Result<ports::Submission>& store,
                                    const Answer<Made>& model) {
    if (!same_answer(store, model)) {
        return;
    }
    must(store->media.id == model->media && store->task.id == model->task,
         fmt::format("made {} {}, expected {} {}", store->media.id.value, store->task.id.value,
                     model->media.value, model->task.value));
    must(store->replayed == model->replayed, "whether it came before");
    must(store->media.title == model->title, "the title as it was");
    if (model->replayed) {
        ++tally_.replayed;
        return;
    }
    must(store->source_known == model->source_known, "whether another media had the same bytes");
    must(store->task.state == TaskState::pending && store->task.run_number == 1, "a new task");
    must(store->replaced ? model->replaced.contains(*store->replaced) : model->replaced.empty(),
         "which task was replaced");
    std::vector<ports::Lease> stopping;
    if (store->replaced) {
        for (const ModelUnit& u : model_.task(*store->replaced)->units) {
            if (u.state == UnitState::processing) {
                stopping.push_back({UnitId{u.id}, u.lease});
            }
        }
    }
    must(std::ranges::is_permutation(store->stopping, stopping), "what is to be stopped");
    tally_.taken_over += store->task.options.from_step ? 1 : 0;
}

// The highest priority first, and of what is to be loaded the smaller source, but for every
// kAgedShare-th claim, which may go by age.
void StoreModelRun::check_order(const ports::ClaimedUnit& unit, Lane lane) {
    const ModelTask& t = *model_.task(unit.task_id);
    const auto place = [&](const ModelTask& other) {
        return std::pair(-other.options.priority,
                         lane == Lane::media ? model_.media.at(other.media).source_bytes : 0);
    };
    const bool first = std::ranges::none_of(model_.claimable(lane), [&](const auto& candidate) {
        return place(*model_.task(candidate.first)) < place(t);
    });
    if (first) {
        return;
    }
    int& since = claims_since_aged_[static_cast<std::size_t>(lane)];
    must(since >= ports::kAgedShare, "a claim by age comes once in kAgedShare");
    must(clock_.mono() - t.unserved_since >= ports::kAgingAfter,
         "a task that goes before better ones has aged");
    since = 0;
    ++tally_.aged;
}

void StoreModelRun::check_claim(const ports::ClaimedUnit& c, const ports::ClaimRequest& request) {
    ModelTask& t = *model_.task(c.task_id);
    const auto before = *std::ranges::find(t.units, c.lease.unit.value, &ModelUnit::id);
    must(c.lease.number > before.lease, "the lease number grows");
    model_.claim(t.id, before.id, c.lease.number, request);
    const ModelUnit& u = *model_.held(c.lease).second;
    must(c.media_id == t.media && c.step == u.step && c.ordinal == u.ordinal && c.span == u.span,
         "which unit it is");
    must(c.attempt == u.attempts, fmt::format("attempt {}, expected {}", c.attempt, u.attempts));
    must(c.run_number == t.run && c.options == t.options && c.worked == t.worked, "of its task");
    must(c.engine == t.engine && c.model == (u.model.empty() ? t.model : u.model),
         fmt::format("engine {} {}, expected {} {}", c.engine, c.model, t.engine, t.model));
    must(c.source.sha256 == model_.media.at(t.media).source, "the source");
    must(c.pcm.sha256 == t.pcm && c.media_duration == t.audio, "the decoded audio");
    must(u.step != Step::transcribe || !c.pcm.sha256.empty(), "there is audio to recognise");
}

// ---- events -----------------------------------------------------------------------------------

void StoreModelRun::check_told() {
    std::vector<ToldEvent> told;
    for (const ports::Event& e : listener_.take()) {
        must(e.seq > last_seq_ && e.at == clock_.wall(), "events come in order, and at once");
        last_seq_ = e.seq;
        outbox_[e.seq] = e;
        told.push_back({e.type, e.media_id, e.task_id});
        if (!e.type.starts_with("task.")) {
            continue;
        }
        const json::value payload = json::parse(e.payload);
        std::string& state = told_state_[e.task_id];
        must(e.type != "task.state" || payload.at("previous_state").as_string() == state,
             fmt::format("{}: no change of state is left out", e.task_id.value));
        state = payload.at("state").as_string();
    }
    for (const TaskId& id : model_.touched) {
        must(!model_.task(id) || told_state_[id] == to_string(model_.task(id)->state),
             fmt::format("{} is {}, and was told to be {}", id.value,
                         to_string(model_.task(id)->state), told_state_[id]));
    }
    std::vector<ToldEvent> expected = std::exchange(model_.told, {});
    std::ranges::sort(told);
    std::ranges::sort(expected);
    const auto show = [](const std::vector<ToldEvent>& events) {
        std::string text;
        for (const ToldEvent& e : events) {
            text += fmt::format(" {} {}{}", e.type, e.media.value, e.task.value);
        }
        return text;
    };
    must(told == expected, fmt::format("told:{}\nexpected:{}", show(told), show(expected)));
}

void StoreModelRun::compare_events() {
    const auto stored = store_->events_after(0, 10'000);
    must(value_of(stored, "events_after").size() == outbox_.size(), "the events that are kept");
    for (const ports::Event& e : *stored) {
        const auto there = outbox_.find(e.seq);
        must(there != outbox_.end() && there->second.type == e.type &&
                 there->second.payload == e.payload && there->second.at == e.at,
             "an event stays as it was told");
    }
    const auto range = store_->event_range();
    must(value_of(range, "event_range") ==
             std::pair(outbox_.empty() ? 0 : outbox_.begin()->first, last_seq_),
         "the oldest and the newest event");
}

// ---- tasks ------------------------------------------------------------------------------------

namespace {

std::string show(const std::optional<WallTime>& t) {
    return t ? fmt::format("{}", t->time_since_epoch().count()) : "none";
}

// Names and values of a row, one a line: a difference shows by itself.
using Fields = std::vector<std::pair<std::string, std::string>>;

std::string differences(const Fields& got, const Fields& expected) {
    std::string text;
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (got[i] != expected[i]) {
            text += fmt::format("\n  {}: {}, expected {}", got[i].first, got[i].second,
                                expected[i].second);
        }
    }
    return text;
}

std::string show(const std::optional<ports::StoredError>& e) {
    return e ? fmt::format("{} {}", to_string(e->cls), e->code) : "none";
}

Fields fields_of(const ports::TaskRow& r) {
    return {{"media", r.media_id.value},
            {"run", fmt::format("{}", r.run_number)},
            {"state", std::string(to_string(r.state))},
            {"current_step", r.current_step},
            {"progress", fmt::format("{}", r.progress)},
            {"retry_count", fmt::format("{}", r.retry_count)},
            {"created_at", show(r.created_at)},
            {"started_at", show(r.started_at)},
            {"completed_at", show(r.completed_at)},
            {"cancel_requested_at", show(r.cancel_requested_at)},
            {"next_attempt_at", show(r.next_attempt_at)},
            {"engine", r.engine},
            {"model", r.model},
            {"model_reason", r.model_reason},
            {"worked", fmt::format("{}", r.worked.count())},
            {"options", r.options.from_step ? std::string(to_string(*r.options.from_step)) : ""}};
}

Fields fields_of(const ModelTask& t) {
    return {{"media", t.media.value},
            {"run", fmt::format("{}", t.run)},
            {"state", std::string(to_string(t.state))},
            {"current_step", t.current_step},
            {"progress", fmt::format("{}", t.progress)},
            {"retry_count", fmt::format("{}", t.retry_count)},
            {"created_at", show(t.created_at)},
            {"started_at", show(t.started_at)},
            {"completed_at", show(t.completed_at)},
            {"cancel_requested_at", show(t.cancel_requested_at)},
            {"next_attempt_at", show(t.next_attempt_at)},
            {"engine", t.engine},
            {"model", t.model},
            {"model_reason", t.model_reason},
            {"worked", fmt::format("{}", t.worked.count())},
            {"options", t.options.from_step ? std::string(to_string(*t.options.from_step)) : ""}};
}

// ports::UnitRow and ModelUnit name what they share alike.
template <typename Unit>
Fields fields_of_unit(const Unit& u) {
    return {{"step", std::string(to_string(u.step))},
            {"ordinal", fmt::format("{}", u.ordinal)},
            {"span", fmt::format("{} {}", u.span.start.count(), u.span.end.count())},
            {"state", std::string(to_string(u.state))},
            {"lease", fmt::format("{}", u.lease)},
            {"attempts", fmt::format("{}", u.attempts)},
            {"crashes", fmt::format("{}", u.crashes)},
            {"model", u.model},
            {"audio_done", fmt::format("{}", u.audio_done.count())},
            {"not_before", show(u.not_before)},
            {"started_at", show(u.started_at)},
            {"completed_at", show(u.completed_at)},
            {"error", show(u.error)}};
}

}  // namespace

void StoreModelRun::compare_task(const TaskId& id) {
    ModelTask* t = model_.task(id);
    const auto row = store_->task(id);
    must(row.has_value() == (t != nullptr), fmt::format("{} is there", id.value));
    if (t == nullptr) {
        return;
    }
    const std::string differing = differences(fields_of(*row), fields_of(*t));
    must(differing.empty(), fmt::format("{}:{}", id.value, differing));
    must(row->options == t->options, fmt::format("{}: its options are frozen", id.value));
    const bool known = std::ranges::any_of(t->error, [&](const ports::StoredError& e) {
        return row->error && row->error->cls == e.cls && row->error->code == e.code;
    });
    must(t->error.empty() ? !row->error : known,
         fmt::format("{}: error {}, expected {}", id.value, show(row->error),
                     t->error.empty() ? "none" : show(std::optional(t->error.front()))));
    if (known) {
        t->error = {*row->error};
    }
    must(row->completed_at.has_value() != t->active(), "completed_at is set once it has ended");
    tally_.task_states.insert(t->state);
    compare_units(*t);
}

void StoreModelRun::compare_units(ModelTask& t) {
    const auto rows = store_->units(t.id);
    must(value_of(rows, "units").size() == t.units.size(),
         fmt::format("{} has {} units, expected {}", t.id.value, rows->size(), t.units.size()));
    for (std::size_t i = 0; i < t.units.size(); ++i) {
        ModelUnit& u = t.units[i];
        const ports::UnitRow& row = (*rows)[i];
        if (u.id == 0) {
            must(units_seen_.insert(row.id.value).second, "the id of a unit is never used again");
            u.id = row.id.value;
        }
        const std::string differing = differences(fields_of_unit(row), fields_of_unit(u));
        must(row.id.value == u.id && row.task_id == t.id && differing.empty(),
             fmt::format("{} unit {}:{}", t.id.value, row.id.value, differing));
        tally_.unit_states.insert(u.state);
    }
}

void StoreModelRun::compare_attempts(const ModelTask& t) {
    const auto rows = store_->attempts(t.id);
    must(value_of(rows, "attempts").size() == t.attempts.size(),
         fmt::format("{} has {} attempts, expected {}", t.id.value, rows->size(),
                     t.attempts.size()));
    for (const ports::AttemptRow& row : *rows) {
        const auto a = std::ranges::find_if(t.attempts, [&](const ModelAttempt& m) {
            return m.unit == row.unit_id.value && m.lease == row.lease;
        });
        must(a != t.attempts.end(), fmt::format("{}: an attempt nobody made", t.id.value));
        must(row.step == a->step && row.ordinal == a->ordinal && row.run_number == a->run &&
                 row.number >= 1 && row.node == a->node.value && row.model == a->model &&
                 row.started_at == a->started_at && row.ended_at == a->ended_at,
             fmt::format("{}: whose attempt it is, and when", t.id.value));
        must(row.outcome == a->outcome && row.error.has_value() == a->error.has_value() &&
                 (!a->error || row.error->cls == *a->error) &&
                 (!a->ended_at || row.audio_done == a->audio_done),
             fmt::format("{}: attempt {} of unit {}: {}, expected {}", t.id.value, row.lease,
                         row.unit_id.value, row.outcome, a->outcome));
    }
}

void StoreModelRun::compare_results(const ModelTask& t) {
    std::vector<std::string> texts, got;
    std::vector<domain::AudioSpan> failed;
    for (const ModelUnit& u : t.units) {
        texts.insert(texts.end(), u.texts.begin(), u.texts.end());
        if (u.step == Step::transcribe && u.state == UnitState::failed) {
            failed.push_back(u.span);
        }
    }
    texts = t.joined.value_or(texts);
    const auto segments = store_->segments(t.id);
    for (const domain::Segment& s : value_of(segments, "segments")) {
        got.push_back(s.text);
    }
    must(got == texts, fmt::format("{}: segments {}, expected {}", t.id.value, got, texts));
    const auto gaps = store_->gaps(t.id);
    must(std::ranges::equal(value_of(gaps, "gaps"), failed, {}, &domain::Gap::span),
         fmt::format("{}: its gaps are the chunks that failed", t.id.value));
    const auto document = store_->document(t.id, domain::DocumentFormat::srt);
    must(value_of(document, "document") == t.document, fmt::format("{}: the document", t.id.value));
}

void StoreModelRun::compare_transcript(const ModelTask& t) {
    const auto compare = [&](std::optional<int> revision,
                             const std::map<std::int64_t, std::string>& expected) {
        const auto text = store_->transcript(t.id, revision);
        std::map<std::int64_t, std::string> got;
        for (const auto& s : value_of(text, "transcript").segments) {
            must(got.emplace(s.id, s.segment.text).second, "every segment has an id of its own");
        }
        must(got == expected,
             fmt::format("{}: revision {} of its transcript", t.id.value, revision.value_or(-1)));
        must(text->newest == std::max<int>(0, static_cast<int>(t.revisions.size()) - 1),
             fmt::format("{}: its newest revision", t.id.value));
    };
    compare({}, StoreModel::transcript(t));
    for (std::size_t i = 0; i < t.revisions.size(); ++i) {
        compare(static_cast<int>(i), t.revisions[i]);
    }
}

// Every title and every segment of a shown transcript that has the word, and nothing else.
void StoreModelRun::compare_search(const std::string& word) {
    std::set<std::pair<MediaId, std::int64_t>> expected;
    std::set<MediaId> media;
    for (const auto& [id, m] : model_.media) {
        if (m.title.contains(word)) {
            expected.emplace(id, -1);
        }
        if (const ModelTask* shown = model_.shown_task(id)) {
            for (const auto& [segment, text] : StoreModel::transcript(*shown)) {
                if (text.contains(word)) {
                    expected.emplace(id, segment);
                }
            }
        }
    }
    std::set<std::pair<MediaId, std::int64_t>> got;
    ports::Page page{.limit = 50};
    do {
        const auto found = store_->search({.text = word, .media = {}}, page);
        for (const ports::SearchHit& hit : value_of(found, "search").hits) {
            must(got.emplace(hit.media, hit.in_title ? -1 : hit.segment).second,
                 "a hit comes once");
            const ModelTask* shown = model_.shown_task(hit.media);
            must(hit.in_title || (shown != nullptr && hit.task == shown->id),
                 "a hit is in the transcript that is shown");
            media.insert(hit.media);
        }
        page.cursor = found->next_cursor;
    } while (!page.cursor.empty());
    must(got == expected,
         fmt::format("{} hits of \"{}\", expected {}", got.size(), word, expected.size()));
    const auto listed = store_->list_media({.search = word}, {.limit = 200});
    std::set<MediaId> ids;
    for (const ports::MediaRow& row : value_of(listed, "list_media").rows) {
        ids.insert(row.id);
    }
    must(ids == media, fmt::format("the media that have \"{}\"", word));
}

// ---- everything -------------------------------------------------------------------------------

void StoreModelRun::compare_everything() {
    for (auto& [id, t] : model_.tasks) {
        compare_task(id);
        compare_attempts(t);
        compare_results(t);
        compare_transcript(t);
    }
    for (const char* word : {"text", "edited", "title", "renamed"}) {
        compare_search(word);
    }
    compare_lists();
    compare_queue();
    compare_events();
    const auto named = model_.blobs();
    for (const char name : std::string_view("abcpqrs")) {
        const std::string sha256(64, name);
        must(store_->blob_referenced(sha256) == named.contains(sha256),
             fmt::format("whether blob {} is named", name));
    }
}

void StoreModelRun::compare_lists() {
    ports::TaskCounts n;
    std::map<MediaId, int> going_on;
    for (const auto& [id, t] : model_.tasks) {
        std::array counts{&n.pending,         &n.processing, &n.retrying, &n.completed,
                          &n.partial_failure, &n.failed,     &n.cancelled};
        ++*counts.at(static_cast<std::size_t>(t.state));
    }
    const auto counts = store_->counts();
    const auto& c = value_of(counts, "counts");
    must(std::array{c.pending, c.processing, c.retrying, c.completed, c.partial_failure, c.failed,
                    c.cancelled} == std::array{n.pending, n.processing, n.retrying, n.completed,
                                               n.partial_failure, n.failed, n.cancelled},
         "counts by state");
    std::set<TaskId> listed;
    ports::Page page{.limit = 7};
    do {
        const auto tasks = store_->list_tasks({}, page);
        for (const ports::TaskRow& row : value_of(tasks, "list_tasks").rows) {
            must(listed.insert(row.id).second && model_.task(row.id) != nullptr,
                 fmt::format("{} is listed once", row.id.value));
            const bool goes_on = !row.completed_at && !row.cancel_requested_at;
            must((going_on[row.media_id] += goes_on ? 1 : 0) <= 1, "one active task per media");
        }
        page.cursor = tasks->next_cursor;
    } while (!page.cursor.empty());
    must(listed.size() == model_.tasks.size(), "every task is listed");
    for (const auto& [id, m] : model_.media) {
        const auto row = store_->media(id);
        const auto& media = value_of(row, "media");
        must(media.title == m.title && media.source.sha256 == m.source &&
                 media.created_at == m.created_at,
             fmt::format("{} is as it was named", id.value));
        must(m.duration ? media.info && media.info->duration == *m.duration : !media.info,
             fmt::format("{}: what is known of it", id.value));
        const auto newest = store_->newest_task(id);
        must(value_of(newest, "newest_task") && (*newest)->id == m.newest,
             fmt::format("{}: its newest task", id.value));
        const ModelTask* expected = model_.shown_task(id);
        const auto shown = store_->shown_task(id);
        must(value_of(shown, "shown_task").has_value() == (expected != nullptr) &&
                 (expected == nullptr || (*shown)->id == expected->id),
             fmt::format("{}: the task whose result is shown", id.value));
    }
    const auto paused = store_->paused();
    must(value_of(paused, "paused") == model_.paused, "whether the queue is paused");
}

// Between a claim and the next, a unit whose time has come may count as waiting or not.
void StoreModelRun::compare_queue() {
    std::optional<MonoTime> wake_up;
    for (const auto& [id, t] : model_.tasks) {
        for (const ModelUnit& u : t.units) {
            if (u.due) {
                wake_up = std::min(wake_up.value_or(*u.due), *u.due);
            }
        }
    }
    if (wake_up && *wake_up <= clock_.mono()) {
        return;
    }
    const auto woken = store_->next_wake_up();
    must(value_of(woken, "next_wake_up") ==
             (wake_up ? std::optional(clock_.wall() + (*wake_up - clock_.mono())) : std::nullopt),
         "when the next unit may be claimed");
    const auto units = [](const ModelTask& t) {
        return static_cast<int>(std::ranges::count_if(t.units, &ModelUnit::claimable));
    };
    const auto queue = store_->queue(1'000);
    std::set<std::pair<Lane, int>> places;
    for (const ports::QueuedTask& q : value_of(queue, "queue")) {
        const auto place = store_->queue_place(q.task.id);
        must(place && *place && (*place)->position == q.place.position &&
                 (*place)->units_ahead == q.place.units_ahead && (*place)->lane == q.place.lane,
             fmt::format("{}: its place ({}, {} units ahead) is its place in the queue ({}, {})",
                         q.task.id.value, place && *place ? (*place)->position : 0,
                         place && *place ? (*place)->units_ahead : 0, q.place.position,
                         q.place.units_ahead));
        must(places.emplace(q.place.lane, q.place.position).second, "one task in one place");
    }
    std::size_t waiting = 0;
    for (const auto& [id, t] : model_.tasks) {
        int line_above = 0, line_beside = 0, work_beside = 0, units_above = 0, before_end = 0;
        for (const auto& [other_id, other] : model_.tasks) {
            if (other_id == id || other.lane != t.lane || !other.can_be_claimed()) {
                continue;
            }
            const bool above = other.options.priority > t.options.priority;
            const bool beside = other.options.priority == t.options.priority;
            const bool in_line = other.state != TaskState::processing;
            line_above += above && in_line ? 1 : 0;
            units_above += above ? units(other) : 0;
            line_beside += beside && in_line ? 1 : 0;
            work_beside += beside && !in_line ? 1 : 0;
            before_end += above ? units(other) : beside ? std::min(units(other), units(t)) : 0;
        }
        const auto place = store_->queue_place(id);
        const bool waits = t.state == TaskState::pending && t.can_be_claimed();
        must(value_of(place, "queue_place").has_value() == waits,
             fmt::format("{} waits for a slot", id.value));
        if (!waits) {
            continue;
        }
        ++waiting;
        const ports::QueuePlace& p = **place;
        // One unit of each of the same priority that stands before it, in the line or at work.
        const int turns = p.units_ahead - units_above - (p.position - 1 - line_above);
        must(p.lane == t.lane && p.position > line_above &&
                 p.position <= line_above + line_beside + 1 && turns >= 0 && turns <= work_beside,
             fmt::format("{}: position {}, {} units ahead; {} tasks in line have a higher priority "
                         "and {} the same, as {} at work; of a higher one are {} units",
                         id.value, p.position, p.units_ahead, line_above, line_beside, work_beside,
                         units_above));
        if (t.lane == Lane::media) {  // one unit each, and no turns
            before_end = p.units_ahead;
        }
        must(store_->units_before_end(id) == before_end,
             fmt::format("{}: {} units before its end", id.value, before_end));
    }
    must(queue->size() == waiting, "all that wait are in the queue");
}

}  // namespace durascribe::contract
