// What every ports::Store must do. An implementation joins by instantiating StoreContract with a
// factory (sqlite_store_contract_test.cpp). After each test the fixture replays the events and
// holds them against the rows: order, completeness, and that the listener was told the same.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <vector>

#include "durascribe/ports/clock.h"
#include "durascribe/ports/store.h"

namespace durascribe::contract {

// One empty place for a store. Destroyed after the store.
class StorePlace {
  public:
    virtual ~StorePlace() = default;
    virtual std::unique_ptr<ports::Store> open(
        const ports::Clock& clock) = 0;  // again: as it was left
};

struct StoreFactory {
    std::string name;
    std::function<std::unique_ptr<StorePlace>()> make_place;
    friend void PrintTo(const StoreFactory& factory, std::ostream* out) { *out << factory.name; }
};

class Recorder final : public ports::CommitListener {
  public:
    void on_commit(std::span<const ports::Event> events,
                   std::span<const bool, domain::kLanes> lanes) noexcept override;
    std::vector<ports::Event> events() const;
    bool take_lane(domain::Lane lane);  // whether it was flagged since the last call

  private:
    mutable std::mutex mutex_;
    std::vector<ports::Event> events_;
    std::array<bool, domain::kLanes> lanes_{};
};

class StoreContract : public ::testing::TestWithParam<StoreFactory> {
  protected:
    StoreContract();
    ~StoreContract() override;
    void TearDown() override;  // replays the events

    void reopen();

    // Each expects success.
    ports::TaskRow submit(int priority = 0, std::int64_t source_bytes = 7);
    ports::ClaimedUnit claim(domain::Lane lane);
    void expect_nothing_to_claim(domain::Lane lane);
    ports::UnitEnd extract(const ports::Lease& lease, int chunks);
    ports::UnitEnd transcribe(const ports::Lease& lease, const std::string& text = "hello");
    ports::UnitEnd finalize(const ports::Lease& lease);
    ports::UnitEnd fail(const ports::Lease& lease, ErrorClass cls,
                        const std::string& message = "it broke");
    void fail_for_want_of_room(const ports::Lease& lease);  // tried again in five minutes
    ports::UnitEnd fail_for_good(const ports::Lease& lease) {
        return fail(lease, ErrorClass::input);
    }
    ports::TaskRow task(const TaskId& id);
    std::vector<ports::UnitRow> units_of(const TaskId& id, domain::Step step);

    // A task with its extraction done and `chunks` transcribe units waiting.
    ports::TaskRow submit_extracted(int chunks);
    std::vector<TaskId> decode_ahead(int priority, std::int64_t source_bytes, int chunks);
    // From there to its end, with the chunk `failing` failed for good (-1: none).
    void run_to_end(int chunks, int failing = -1);

    void let_days_pass(int days);

    ports::FakeClock clock_;
    NodeId node_ = new_id<NodeId>();
    std::unique_ptr<StorePlace> place_;
    Recorder recorder_;
    std::unique_ptr<ports::Store> store_;
    std::vector<TaskId> tasks_;  // made by submit()
    bool pruned_ = false;        // events are gone: nothing to replay
};

#define EXPECT_ERROR(result, error_class, error_code)              \
    do {                                                           \
        const auto& r_ = (result);                                 \
        ASSERT_FALSE(r_.has_value());                              \
        EXPECT_EQ(r_.error().cls, error_class) << r_.error().code; \
        EXPECT_EQ(r_.error().code, error_code);                    \
    } while (false)

}  // namespace durascribe::contract
