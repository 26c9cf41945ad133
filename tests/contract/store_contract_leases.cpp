// Leases: fencing, renewal, rescue, recovery, clocks that jump.
#include "store_contract.h"

#include <random>

#include "test_seed.h"

namespace durascribe::contract {
namespace {

using domain::Lane;
using domain::Step;
using domain::TaskState;
using domain::UnitState;

constexpr Millis kLease{30'000};

// A worker that was stopped past its lease and goes on, a thousand times over: another has been
// given its unit, has perhaps finished it, and nothing that the first one says changes anything.
TEST_P(StoreContract, AThousandLateWritersAreRefused) {
    std::mt19937 random(durascribe::testing::test_seed());
    const auto chance = [&](int of) {
        return std::uniform_int_distribution(0, of - 1)(random) == 0;
    };
    auto row = submit_extracted(1);
    int refused = 0;
    for (int round = 0; round < 1'000; ++round) {
        const auto late = claim(Lane::speech);
        clock_.advance(kLease + Millis{1});
        ASSERT_EQ(store_->rescue_expired(), 1);
        const bool taken = !chance(3);
        std::optional<ports::ClaimedUnit> live;
        if (taken) {
            live = claim(Lane::speech);
            ASSERT_EQ(live->lease.unit, late.lease.unit);
        }
        const bool finished = taken && chance(2);
        if (finished) {
            transcribe(live->lease, "by the second");
        }
        const auto events = recorder_.events().size();
        const auto before = store_->segments(row.id)->size();
        switch (std::uniform_int_distribution(0, 3)(random)) {
            case 0:
                EXPECT_ERROR(store_->finish_chunk(late.lease, {}), ErrorClass::lost, "stale_lease");
                break;
            case 1:
                EXPECT_ERROR(store_->fail_unit(late.lease,
                                               {.error = {ErrorClass::crash, "x", "y", {}}}, {}, 0),
                             ErrorClass::lost, "stale_lease");
                break;
            case 2:
                EXPECT_ERROR(store_->return_unit(late.lease, "late"), ErrorClass::lost,
                             "stale_lease");
                break;
            default:
                EXPECT_TRUE(
                    store_->renew_leases(node_, std::vector{late.lease}, kLease)->at(0).lost);
        }
        ++refused;
        EXPECT_EQ(recorder_.events().size(), events);
        EXPECT_EQ(store_->segments(row.id)->size(), before);
        if (taken && !finished) {
            EXPECT_EQ(units_of(row.id, Step::transcribe)[0].state, UnitState::processing);
            transcribe(live->lease, "by the second");
        } else if (!taken) {
            transcribe(claim(Lane::speech).lease, "by the second");
        }
        finalize(claim(Lane::local).lease);
        ASSERT_EQ(task(row.id).state, TaskState::completed);
        row = submit_extracted(1);
    }
    EXPECT_EQ(refused, 1'000);
    pruned_ = true;  // more events than the replay at the end reads
}

TEST_P(StoreContract, AStaleLeaseChangesNothingWhateverItCarries) {
    const auto row = submit();
    const auto stale = claim(Lane::media).lease;
    ASSERT_TRUE(store_->return_unit(stale, "drained").has_value());
    const auto live = claim(Lane::media);
    EXPECT_GT(live.lease.number, stale.number);
    EXPECT_EQ(live.attempt, 1) << "a unit handed back spends no attempt";
    const auto events = recorder_.events().size();

    EXPECT_ERROR(store_->finish_extract(stale, {}), ErrorClass::lost, "stale_lease");
    EXPECT_ERROR(store_->finish_chunk(stale, {}), ErrorClass::lost, "stale_lease");
    EXPECT_ERROR(store_->finish_final(stale, {}), ErrorClass::lost, "stale_lease");
    EXPECT_ERROR(store_->fail_unit(stale, {.error = {ErrorClass::input, "x", "y", {}}}, {}, 0),
                 ErrorClass::lost, "stale_lease");
    EXPECT_ERROR(store_->return_unit(stale, "again"), ErrorClass::lost, "stale_lease");
    EXPECT_ERROR(store_->acknowledge_cancelled(stale), ErrorClass::lost, "stale_lease");
    const std::vector<ports::Lease> both{stale, live.lease, {UnitId{987'654}, 1}};
    const auto renewed = store_->renew_leases(node_, both, kLease);
    EXPECT_TRUE(renewed->at(0).lost);
    EXPECT_FALSE(renewed->at(1).lost);
    EXPECT_TRUE(renewed->at(2).lost);
    const ports::UnitProgress progress{stale, Millis{500}};
    ASSERT_TRUE(store_->report_progress({&progress, 1}, {}).has_value());

    EXPECT_EQ(recorder_.events().size(), events);
    const auto unit = units_of(row.id, Step::extract).at(0);
    EXPECT_EQ(unit.state, UnitState::processing);
    EXPECT_EQ(unit.audio_done, Millis{0});
    EXPECT_FALSE(store_->media(row.media_id)->info.has_value());
    extract(live.lease, 1);
    EXPECT_ERROR(store_->finish_extract(live.lease, {}), ErrorClass::lost,
                 "stale_lease");  // a second end
}

TEST_P(StoreContract, AResultOfAnotherStepIsRefused) {
    submit();
    EXPECT_ERROR(store_->finish_final(claim(Lane::media).lease, {}), ErrorClass::internal,
                 "wrong_step");
}

TEST_P(StoreContract, AnExpiredLeaseIsRescuedAndARenewedOneIsNot) {
    const auto row = submit_extracted(2);
    const auto silent = claim(Lane::speech);
    const auto alive = claim(Lane::speech);
    clock_.advance(kLease - Millis{1});
    EXPECT_EQ(store_->rescue_expired(), 0);
    ASSERT_TRUE(store_->renew_leases(node_, {&alive.lease, 1}, kLease).has_value());
    clock_.advance(Millis{1});
    recorder_.take_lane(Lane::speech);
    EXPECT_EQ(store_->rescue_expired(), 1);
    EXPECT_TRUE(recorder_.take_lane(Lane::speech));
    EXPECT_ERROR(store_->finish_chunk(silent.lease, {}), ErrorClass::lost, "stale_lease");
    EXPECT_EQ(task(row.id).state, TaskState::processing);
    const auto again = claim(Lane::speech);
    EXPECT_EQ(again.lease.unit, silent.lease.unit);
    EXPECT_EQ(again.attempt, 1);
    std::vector<std::string> outcomes;
    for (const auto& a : *store_->attempts(row.id)) {
        if (a.unit_id == silent.lease.unit) {
            outcomes.push_back(a.outcome + (a.error ? " " + a.error->code : ""));
        }
    }
    EXPECT_THAT(outcomes, ::testing::UnorderedElementsAre("lost lease_expired", "running"));
}

TEST_P(StoreContract, WhatTheCallerStillWorksOnIsNotRescued) {
    submit_extracted(2);
    const auto silent = claim(Lane::speech);
    const auto running = claim(Lane::speech);
    clock_.advance(kLease * 2);
    EXPECT_EQ(store_->rescue_expired({&running.lease, 1}), 1);
    EXPECT_ERROR(store_->finish_chunk(silent.lease, {}), ErrorClass::lost, "stale_lease");
    transcribe(running.lease);
    // An older lease of a unit protects nothing.
    const auto again = claim(Lane::speech);
    ASSERT_EQ(again.lease.unit, silent.lease.unit);
    clock_.advance(kLease * 2);
    EXPECT_EQ(store_->rescue_expired({&silent.lease, 1}), 1);
}

TEST_P(StoreContract, AnotherNodeCannotRenew) {
    submit();
    const auto unit = claim(Lane::media);
    EXPECT_TRUE(store_->renew_leases(new_id<NodeId>(), {&unit.lease, 1}, kLease)->at(0).lost);
}

TEST_P(StoreContract, RecoverHandsBackTheUnitsOfOtherRunsAlone) {
    const auto row = submit_extracted(2);
    const auto dead = claim(Lane::speech);
    reopen();
    node_ = new_id<NodeId>();
    const auto mine = claim(Lane::speech);
    EXPECT_EQ(store_->recover(node_), 1);
    EXPECT_EQ(store_->recover(node_), 0);
    EXPECT_EQ(units_of(row.id, Step::transcribe).at(1).state, UnitState::processing);
    EXPECT_EQ(claim(Lane::speech).lease.unit, dead.lease.unit);
    std::vector<std::string> outcomes;
    for (const auto& a : *store_->attempts(row.id)) {
        if (a.unit_id == dead.lease.unit) {
            outcomes.push_back(a.outcome + (a.error ? " " + a.error->code : ""));
        }
    }
    EXPECT_THAT(outcomes, ::testing::UnorderedElementsAre("lost server_restarted", "running"));
    transcribe(mine.lease);
}

TEST_P(StoreContract, RecoverEndsWhatWasAskedToCancel) {
    const auto row = submit();
    claim(Lane::media);
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    EXPECT_EQ(store_->recover(new_id<NodeId>()), 1);
    EXPECT_EQ(task(row.id).state, TaskState::cancelled);
}

TEST_P(StoreContract, AWallClockThatJumpsMovesNeitherLeasesNorWaits) {
    const auto row = submit();
    const auto unit = claim(Lane::media);
    const auto years = std::chrono::hours(24 * 365 * 10);
    const WallTime now = clock_.wall();
    clock_.set_wall(now + years);
    EXPECT_EQ(store_->rescue_expired(), 0);
    clock_.set_wall(now - years);
    EXPECT_EQ(store_->rescue_expired(), 0);

    clock_.set_wall(now);
    fail(unit.lease, ErrorClass::network);
    clock_.set_wall(now + years);
    expect_nothing_to_claim(Lane::media);
    clock_.set_wall(now - years);
    clock_.advance(Millis{30'000});
    EXPECT_EQ(claim(Lane::media).task_id, row.id);
}

TEST_P(StoreContract, AfterARestartAWaitIsNeverLongerThanTheLongest) {
    const auto row = submit();
    fail(claim(Lane::media).lease, ErrorClass::network);
    clock_.set_wall(clock_.wall() - std::chrono::hours(24 * 365 * 10));
    reopen();
    ASSERT_TRUE(store_->recover(new_id<NodeId>()).has_value());
    const auto wake = store_->next_wake_up();
    ASSERT_TRUE(wake->has_value());
    EXPECT_LE(**wake - clock_.wall(), Millis{300'000});
    clock_.advance(Millis{300'000});
    EXPECT_EQ(claim(Lane::media).task_id, row.id);
}

TEST_P(StoreContract, AfterARestartWhatWaitsForRoomLooksForItAtOnce) {
    const auto row = submit();
    const auto unit = claim(Lane::media);
    fail_for_want_of_room(unit.lease);
    expect_nothing_to_claim(Lane::media);
    reopen();
    ASSERT_TRUE(store_->recover(new_id<NodeId>()).has_value());
    EXPECT_EQ(task(row.id).next_attempt_at, clock_.wall());
    EXPECT_EQ(claim(Lane::media).task_id, row.id);
}

TEST_P(StoreContract, ProgressOnlyRisesAndIsToldOncePerTask) {
    const auto row = submit();
    const auto unit = claim(Lane::media);
    const auto report = [&](double percent, Millis audio) {
        const ports::UnitProgress u{unit.lease, audio};
        const ports::TaskPercent t{.task = row.id, .percent = percent};
        ASSERT_TRUE(store_->report_progress({&u, 1}, {&t, 1}).has_value());
    };
    report(40, Millis{2'000});
    report(30, Millis{1'000});
    EXPECT_EQ(task(row.id).progress, 40);
    EXPECT_EQ(units_of(row.id, Step::extract).at(0).audio_done, Millis{2'000});
    report(400, Millis{3'000});
    EXPECT_EQ(task(row.id).progress, 100);
    int told = 0;
    for (const auto& e : recorder_.events()) {
        told += e.type == "task.progress" ? 1 : 0;
    }
    EXPECT_EQ(told, 3);
}

}  // namespace
}  // namespace durascribe::contract
