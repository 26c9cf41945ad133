// Plays moves against a store and its model side by side. After every move the answers, the events
// and the tasks that it touched must agree; every few moves everything that can be read does. The
// first disagreement fails the RapidCheck case with the moves as they were resolved.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "store_contract.h"
#include "store_model.h"
#include "store_model_moves.h"

namespace durascribe::contract {

// Over all runs of a property: that it went where it should.
struct Tally {
    int steps = 0;
    std::array<int, kMoveKinds> played{};
    std::map<std::string, int> refused;  // by code
    std::set<domain::TaskState> task_states;
    std::set<domain::UnitState> unit_states;
    bool disagreed = false;
    int claims = 0, quarantined = 0, aged = 0, taken_over = 0, replayed = 0, rescued = 0,
        pruned = 0, edited = 0, reprioritised = 0;
};

class StoreModelRun {
  public:
    StoreModelRun(StorePlace& place, Tally& tally);

    void play(const Move& move);
    void compare_everything();

  private:
    class Listener final : public ports::CommitListener {
      public:
        void on_commit(std::span<const ports::Event> events,
                       std::span<const bool, domain::kLanes> lanes) noexcept override;
        std::vector<ports::Event> take();

      private:
        std::mutex mutex_;
        std::vector<ports::Event> events_;
    };

    // -- moves --
    void dispatch(const Move& m);
    void submit(const Move& m);
    void submit_same_ids(const Move& m);
    void submit_task(const Move& m);
    void rename(const Move& m);
    void delete_media(const Move& m);
    void claim(const Move& m);
    void renew(const Move& m);
    void progress(const Move& m);
    void end_attempt(const Move& m, const ports::Lease& lease, domain::Step step);
    void fail(const Move& m, const ports::Lease& lease, ErrorClass cls);
    void fail_one(const Move& m);
    void end_wait(const Move& m);
    void acknowledge(const Move& m);
    void use_stale_lease(const Move& m);
    void cancel(const Move& m);
    void retry(const Move& m);
    void expire(const Move& m);
    void set_priority(const Move& m);
    void open_again();
    void recover(const NodeId& self);
    void rescue(const Move& m);
    void prune(const Move& m);
    std::size_t forget_old_events(WallTime before);
    void edit(const Move& m);

    // -- choices --
    std::vector<ports::Lease> live() const;
    ports::Lease live_lease(int n) const;  // of unit 0 where none is live
    domain::Step step_of(const ports::Lease& lease);
    MediaId pick_media(int n) const;
    TaskId pick_task(int n, bool active, bool retryable) const;
    ports::NewMedia new_media(const Move& m);
    std::optional<ports::IdempotencyKey> pick_key(int n, const std::string& request) const;

    // -- comparisons --
    void must(bool agrees, const std::string& what) const;
    template <typename T>
    const T& value_of(const Result<T>& result, const std::string& what) const;
    template <typename T, typename U>
    bool same_answer(const Result<T>& store, const Answer<U>& model);
    void same_end(const Result<ports::UnitEnd>& store, const Answer<ports::UnitEnd>& model);
    void same_submission(const Result<ports::Submission>& store, const Answer<Made>& model);
    void check_claim(const ports::ClaimedUnit& unit, const ports::ClaimRequest& request);
    void check_order(const ports::ClaimedUnit& unit, domain::Lane lane);
    void check_told();
    void compare_task(const TaskId& id);
    void compare_units(ModelTask& t);
    void compare_attempts(const ModelTask& t);
    void compare_results(const ModelTask& t);
    void compare_transcript(const ModelTask& t);
    void compare_search(const std::string& word);
    void compare_lists();
    void compare_queue();
    void compare_events();

    StorePlace& place_;
    Tally& tally_;
    ports::FakeClock clock_;
    Listener listener_;
    std::unique_ptr<ports::Store> store_;
    StoreModel model_{clock_};
    std::array<NodeId, 2> nodes_{new_id<NodeId>(), new_id<NodeId>()};
    int made_ = 0;                     // ids
    std::vector<ports::Lease> given_;  // every lease there ever was
    std::set<std::int64_t> units_seen_;
    std::array<int, domain::kLanes> claims_since_aged_{};
    std::map<std::int64_t, ports::Event> outbox_;
    std::int64_t last_seq_ = 0;
    std::map<TaskId, std::string> told_state_;
    std::vector<std::string> trace_;
};

}  // namespace durascribe::contract
