// What a ports::Store must answer and hold after any sequence of verbs, kept in memory and written
// anew from docs/state-machine.md and ARCHITECTURE.md: it asks neither domain/states.h for edges
// nor domain/retry_policy.h for delays, so that it can disagree with them. Units are looked at one
// by one; there are no counters that could repeat a mistake of the store's.
//
// What it leaves open, and the store's answer fills in: the ids of units and the numbers of leases
// (which must be new and must grow), the order of claims within what ports::Store::claim promises,
// the percentage at which a retried run starts, and which segment follows another. It knows nothing
// of updated_at, and no times of segments: so splits, speakers and what may not overlap are left to
// the contract's tests (store_contract_transcripts.cpp), and how hits are ranked and cut, too.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "durascribe/ports/clock.h"
#include "durascribe/ports/store.h"

namespace durascribe::contract {

struct Refusal {
    ErrorClass cls;
    std::string code;
};
template <typename T>
using Answer = std::expected<T, Refusal>;

struct ModelAttempt {
    std::int64_t unit = 0;
    domain::Step step{};
    int ordinal = 0;
    int run = 1;
    std::int64_t lease = 0;
    NodeId node;
    std::string model;
    WallTime started_at;
    std::optional<WallTime> ended_at;
    std::string outcome = "running";
    std::optional<ErrorClass> error;
    Millis audio_done{0};  // once ended
};

struct ModelUnit {
    std::int64_t id = 0;  // 0 until the store has told it
    domain::Step step{};
    int ordinal = 0;
    domain::AudioSpan span;
    domain::UnitState state = domain::UnitState::pending;
    std::int64_t lease = 0;
    NodeId node;
    MonoTime lease_ends;
    int attempts = 0;
    int crashes = 0;
    std::vector<ErrorClass> failures;  // attempts of this run that counted
    std::string model;
    Millis audio_done{0};
    std::optional<WallTime> not_before;  // shown until the unit is claimed
    std::optional<MonoTime> due;         // until a claim came after it
    std::optional<WallTime> started_at, completed_at;
    std::optional<ports::StoredError> error;
    std::vector<std::string> texts;  // of its segments

    bool waits() const { return state == domain::UnitState::pending && not_before.has_value(); }
    bool claimable() const { return state == domain::UnitState::pending && !due; }
};

struct ModelTask {
    TaskId id;
    MediaId media;
    domain::TaskOptions options;
    domain::TaskState state = domain::TaskState::pending;
    int run = 1;
    std::string current_step = "queued";
    double progress = 0;
    int retry_count = 0;
    WallTime created_at;
    std::optional<WallTime> started_at, completed_at, cancel_requested_at, next_attempt_at;
    // Any one of these; empty: none. More than one where two units wait until the same instant.
    std::vector<ports::StoredError> error;
    std::string engine, model, model_reason;
    Millis worked{0};
    std::string pcm;
    Millis audio{0};
    std::vector<ModelUnit> units;  // by step and ordinal
    std::vector<ModelAttempt> attempts;
    // What was joined last, and is shown until it is joined again; with the document, where
    // finalize did it.
    std::optional<std::vector<std::string>> joined;
    std::optional<std::string> document;
    domain::Lane lane{};      // of the open step
    MonoTime unserved_since;  // since it was made, or last claimed
    // Of its transcript: what each has, by the segments' ids; the first as it was recognised.
    // Empty: it was never edited.
    std::vector<std::map<std::int64_t, std::string>> revisions;

    bool active() const;
    bool can_be_claimed() const;
};

struct ModelMedia {
    MediaId id;
    std::string title;
    std::string source;
    std::int64_t source_bytes = 0;
    WallTime created_at;
    std::optional<Millis> duration;
    TaskId newest;
};

struct ModelAnswer {  // of an idempotency key
    std::string fingerprint;
    WallTime created_at;
    MediaId media;
    TaskId task;
    std::string title;
    int queued = 0;  // of a retry
};

struct ToldEvent {
    std::string type;
    MediaId media;
    TaskId task;
    auto operator<=>(const ToldEvent&) const = default;
};

struct Made {
    MediaId media;
    TaskId task;
    std::string title;
    bool replayed = false;
    bool source_known = false;
    std::set<TaskId> replaced;  // one of these; empty: none
};

struct Retried {
    TaskId task;
    domain::Step step{};
    int failed = 0;
    int cancelled = 0;
    bool replayed = false;
    int queued = 0;
};

class StoreModel {
  public:
    explicit StoreModel(const ports::Clock& clock) : clock_(clock) {}

    // -- verbs: change the model, and say what the store must have answered --

    Answer<Made> submit(const ports::NewMedia& media);
    // `replaced`: which active task the store says that it replaced, where that is open.
    Answer<Made> submit_task(const ports::NewTask& task, const std::optional<TaskId>& replaced);
    Answer<void> rename(const MediaId& id, const std::string& title);
    // The blobs that nothing names any more.
    Answer<std::set<std::string>> delete_media(const MediaId& id);

    void end_wait(std::int64_t unit);
    void look_at_the_clock();  // a claim does: whose time has come waits no more
    std::vector<std::pair<TaskId, std::int64_t>> claimable(domain::Lane lane) const;
    void claim(const TaskId& task, std::int64_t unit, std::int64_t lease,
               const ports::ClaimRequest& request);
    ports::RenewedLease renew(const NodeId& node, const ports::Lease& lease, Millis length);
    void report(const ports::UnitProgress& progress);
    void report(const ports::TaskPercent& percent);

    Answer<ports::UnitEnd> finish_extract(const ports::Lease& lease,
                                          const ports::ExtractResult& result);
    Answer<ports::UnitEnd> finish_chunk(const ports::Lease& lease,
                                        const ports::ChunkResult& result);
    Answer<ports::UnitEnd> finish_final(const ports::Lease& lease,
                                        const ports::FinalResult& result);
    Answer<ports::UnitEnd> fail_unit(const ports::Lease& lease, const ports::FailedAttempt& failed,
                                     int retries_max, double random01);
    Answer<ports::UnitEnd> return_unit(const ports::Lease& lease);
    Answer<ports::UnitEnd> acknowledge_cancelled(const ports::Lease& lease);

    Answer<std::vector<ports::Lease>> request_cancel(const TaskId& id);  // what still runs
    Answer<Retried> retry(const TaskId& id, const std::optional<ports::IdempotencyKey>& key);
    Answer<void> expire_task(const TaskId& id, int run_number, const Error& error);
    // What it has waited counts on: aging is judged by unserved_since, which stays.
    Answer<void> set_priority(const TaskId& id, int priority);
    // Which revision is the newest then. `next`: the segment after the one that is merged.
    Answer<int> edit(const ports::TranscriptEdit& edit, std::optional<std::int64_t> next);
    void set_paused(bool paused);
    int recover(const NodeId& self);
    int rescue_expired(const std::vector<ports::Lease>& running);  // those at work right now

    // -- for prune, which may leave some of what is old for its next call --

    std::set<MediaId> media_ended_before(WallTime time) const;
    void forget_media(const MediaId& id);
    int forget_keys_before(WallTime time);
    // Prune was called. Then: what was there before this time is of that age, counted over days on
    // which it was called; nullopt: nothing is.
    void mark_day();
    std::optional<WallTime> time_before(Millis age) const;

    // -- what there is --

    ModelTask* task(const TaskId& id);
    Answer<ModelTask*> touch_active(const TaskId& id);  // it is about to change
    std::optional<Refusal> active_task_refusal(const MediaId& media) const;
    std::set<std::string> blobs() const;
    std::vector<TaskId> tasks_of(const MediaId& media) const;
    const ModelTask* shown_task(const MediaId& media) const;                    // nullptr: none
    static std::map<std::int64_t, std::string> transcript(const ModelTask& t);  // the newest
    // The unit that the lease holds now, and its task.
    std::pair<ModelTask*, ModelUnit*> held(const ports::Lease& lease);

    std::map<MediaId, ModelMedia> media;
    std::map<TaskId, ModelTask> tasks;
    std::map<std::string, ModelAnswer> answers;
    bool paused = false;
    std::set<WallTime> days;  // on which prune was called

    // Since they were last emptied.
    std::vector<ToldEvent> told;
    std::set<TaskId> touched;

  private:
    struct Inheritance;

    void tell(const std::string& type, const ModelTask& t) {
        told.push_back({type, t.media, t.id});
    }
    Answer<std::optional<Made>> made_before(const std::optional<ports::IdempotencyKey>& key) const;
    void keep(const std::optional<ports::IdempotencyKey>& key, const Made& made);
    void create_task(const MediaId& media, const TaskId& id, domain::TaskOptions options,
                     const domain::ModelChoice& choice);
    const ModelTask* newest_with_chunks(const MediaId& media, std::optional<int> track) const;
    const ModelTask* newest_with_audio(const MediaId& media, std::optional<int> track) const;

    Answer<std::pair<ModelTask*, ModelUnit*>> hold(const ports::Lease& lease,
                                                   std::optional<domain::Step> step = {});
    void open(ModelTask& t, domain::Step step, const std::vector<domain::AudioSpan>& spans);
    void open_what_follows(ModelTask& t, domain::Step step);
    void settle(ModelTask& t);
    void end(ModelTask& t, domain::TaskState state, std::vector<ports::StoredError> error);
    void end_attempt(ModelTask& t, ModelUnit& u, const std::string& outcome,
                     std::optional<ErrorClass> error);
    void complete(ModelTask& t, ModelUnit& u);
    void join_without_finalize(ModelTask& t);
    void recognised_again(ModelTask& t, const std::vector<std::string>& texts);
    ports::UnitEnd hand_back(ModelTask& t, std::int64_t unit, const std::string& outcome,
                             std::optional<ErrorClass> error, bool spent);

    const ports::Clock& clock_;
};

domain::Lane model_lane_of(domain::Step step);

}  // namespace durascribe::contract
