#include "durascribe/engine/lease_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stop_token>
#include <thread>

#include "stolen_time.h"

namespace durascribe::engine {
namespace {

constexpr Millis kLease{2'400};

class SetClock final : public ports::Clock {
  public:
    WallTime wall() const override { return {}; }
    MonoTime mono() const override { return {Millis{now_.load()}}; }
    void advance(Millis by) { now_ += by.count(); }

  private:
    std::atomic<std::int64_t> now_{1'000'000};
};

RunningUnits::Handle add(RunningUnits& running, MonoTime now) {
    ports::ClaimedUnit claimed;
    claimed.lease = {UnitId{1}, 1};
    return running.add(claimed, now, now);
}

TEST(RunningUnit, KnowsItsLeaseByTheLatestAnswer) {
    const RunningUnits::Handle unit = [] {
        RunningUnits running;
        return add(running, MonoTime{Millis{1'000}});
    }();
    EXPECT_EQ(unit->lease_known(), MonoTime{Millis{1'000}});
    unit->lease_renewed({Millis{2'000}});
    unit->lease_renewed({Millis{1'500}});  // told of late
    EXPECT_EQ(unit->lease_known(), MonoTime{Millis{2'000}});
    unit->excuse(Millis{500}, {Millis{9'000}});
    EXPECT_EQ(unit->lease_known(), MonoTime{Millis{2'500}});
    unit->excuse(std::chrono::hours{8}, {Millis{9'000}});
    EXPECT_EQ(unit->lease_known(), MonoTime{Millis{9'000}}) << "never in the future";
}

TEST(LeaseWatch, StopsAUnitWhoseLeaseNobodyRenewsBeforeItEnds) {
    const ports::SystemClock clock;
    RunningUnits running;
    const LeaseWatch watch(running, clock, kLease);
    const testing::StolenTime stolen;
    const MonoTime claimed = clock.mono();
    const auto unit = add(running, claimed);
    std::promise<MonoTime> stopped;
    const std::stop_callback told(unit->stop_token(), [&] { stopped.set_value(clock.mono()); });
    auto when = stopped.get_future();
    ASSERT_EQ(when.wait_for(std::chrono::seconds{20}), std::future_status::ready);
    const Millis after = when.get() - claimed;
    EXPECT_GE(after, kLease / 2);
    EXPECT_LT(after - stolen.so_far(), kLease);
    EXPECT_EQ(unit->stop_reason(), StopReason::lease_lost);
}

TEST(LeaseWatch, LeavesARenewedOneAlone) {
    const ports::SystemClock clock;
    RunningUnits running;
    const LeaseWatch watch(running, clock, kLease);
    const MonoTime claimed = clock.mono();
    const auto unit = add(running, claimed);
    while (clock.mono() - claimed < kLease * 3 / 2) {
        unit->lease_renewed(clock.mono());
        std::this_thread::yield();
    }
    EXPECT_EQ(unit->stop_reason(), StopReason::none);
}

// The machine slept, or this process was stopped: nobody could renew it, and nobody worked.
TEST(LeaseWatch, DoesNotCountTimeInWhichItDidNotLook) {
    SetClock clock;
    RunningUnits running;
    const LeaseWatch watch(running, clock, kLease);
    const MonoTime claimed = clock.mono();
    const auto unit = add(running, claimed);
    clock.advance(std::chrono::hours{8});
    while (unit->lease_known() == claimed && unit->stop_reason() == StopReason::none) {
        std::this_thread::yield();
    }
    EXPECT_EQ(unit->stop_reason(), StopReason::none);
}

}  // namespace
}  // namespace durascribe::engine
