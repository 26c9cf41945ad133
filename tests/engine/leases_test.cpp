// A node that can't renew its leases kills its workers before the leases end.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <utility>

#include "engine_fixture.h"
#include "forwarding_store.h"
#include "stolen_time.h"

namespace durascribe::engine {
namespace {

// The store of a test, whose renewals of leases fail or hang for as long as the test wants.
class Renewals final : public testing::ForwardingStore {
  public:
    enum class How { pass, refuse, hang };
    using ForwardingStore::ForwardingStore;

    void set(How how) {
        const std::scoped_lock lock(mutex_);
        how_ = how;
        changed_.notify_all();
    }
    Result<std::vector<ports::RenewedLease>> renew_leases(const NodeId& node,
                                                          std::span<const ports::Lease> leases,
                                                          Millis lease_length) override {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return how_ != How::hang; });
            if (how_ == How::refuse) {
                return fail(ErrorClass::storage, "disk_full", "The disk is full.");
            }
        }
        return store_.renew_leases(node, leases, lease_length);
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    How how_ = How::pass;  // guarded by mutex_
};

// The store of a test: the task of the first chunk is cancelled after its claim was committed and
// before the slot has heard of it, and what the slot reads next fails.
class CancelsAtClaim final : public testing::ForwardingStore {
  public:
    using ForwardingStore::ForwardingStore;

    Result<std::optional<ports::ClaimedUnit>> claim(const ports::ClaimRequest& request) override {
        auto claimed = store_.claim(request);
        if (request.lane == domain::Lane::speech && claimed && *claimed && !cancelled_) {
            cancelled_ = store_.request_cancel((*claimed)->task_id).has_value();
            next_read_fails_ = true;
        }
        return claimed;
    }
    Result<ports::TaskRow> task(const TaskId& id) override {
        if (std::exchange(next_read_fails_, false)) {
            read_failed_ = true;
            return fail(ErrorClass::internal, "unreadable", "The disk gave nothing back.");
        }
        return store_.task(id);
    }
    bool both() const { return cancelled_ && read_failed_; }

  private:
    static inline thread_local bool next_read_fails_ = false;  // of the slot's thread
    std::atomic<bool> cancelled_{false};
    std::atomic<bool> read_failed_{false};
};

class Leases : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        settings_.speech_slots = 1;
        settings_.lease_length = Millis{3'000};
        chunks_ = 1;
        workers_.on_transcribe =
            [this](const ports::TranscribeJob& job,
                   const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
            if (told_) {
                return transcribe(job);
            }
            const MonoTime begun = clock_.mono();
            if (gate_.pass(control.stop)) {
                return transcribe(job);
            }
            told_ = true;
            stopped_.set_value(clock_.mono() - begun);
            return fail(ErrorClass::lost, "stopped", "The worker was stopped.");
        };
    }

    // After `idle`, with nothing to do, a chunk comes whose lease is never renewed: its worker has
    // its time, and is stopped before the lease ends; the chunk is done again when the store is
    // well.
    void expect_stopped_in_time(Renewals::How how, Millis idle) {
        Renewals store(*store_);
        engine_ = std::make_unique<Engine>(store, *blobs_, workers_, clock_, settings_);
        ASSERT_TRUE(engine_->start().has_value());
        clock_.sleep(idle);
        store.set(how);
        const testing::StolenTime stolen;
        const auto made = upload();
        auto stopped = stopped_.get_future();
        if (stopped.wait_for(kPatience) == std::future_status::ready) {
            const Millis after = stopped.get();
            EXPECT_LT(after - stolen.so_far(), settings_.lease_length);
            EXPECT_GE(after, settings_.lease_length / 2);
        } else {
            ADD_FAILURE() << "its worker outlived its lease";
        }
        store.set(Renewals::How::pass);
        gate_.open();
        EXPECT_EQ(await(made.task.id, domain::TaskState::completed), domain::TaskState::completed);
        const auto attempts = store_->attempts(made.task.id);
        ASSERT_TRUE(attempts);
        EXPECT_EQ(std::ranges::count(*attempts, "failed", &ports::AttemptRow::outcome), 0);
        EXPECT_EQ(std::ranges::count(*attempts, "returned", &ports::AttemptRow::outcome), 1);
        engine_.reset();
    }

    Gate gate_;
    std::atomic<bool> told_{false};
    std::promise<Millis> stopped_;  // how long the worker had worked
};

TEST_F(Leases, AWorkerIsStoppedBeforeALeaseEndsThatTheStoreRefusesToRenew) {
    expect_stopped_in_time(Renewals::How::refuse, Millis{0});
}

TEST_F(Leases, AWorkerIsStoppedBeforeItsLeaseEndsWhereTheStoreHangs) {
    expect_stopped_in_time(Renewals::How::hang, Millis{0});
}

TEST_F(Leases, ARefusalAfterAnIdleHourCostsNoWorkerAtOnce) {
    expect_stopped_in_time(Renewals::How::refuse, std::chrono::hours{1});
}

TEST_F(Leases, ACancelThatTheSlotCouldNotReadIsAskedForAtOnce) {
    settings_.lease_length = 6 * kPatience;  // its renewal is due after twice this test's patience
    CancelsAtClaim store(*store_);
    engine_ = std::make_unique<Engine>(store, *blobs_, workers_, clock_, settings_);
    ASSERT_TRUE(engine_->start().has_value());
    const auto made = upload();
    EXPECT_EQ(wait_until_ended(made.task.id).state, domain::TaskState::cancelled);
    EXPECT_TRUE(store.both());
    engine_.reset();
}

TEST_F(Leases, RenewedOnesHoldForAsLongAsTheWorkTakes) {
    settings_.lease_length = Millis{1'000};
    start();
    const auto made = upload();
    ASSERT_TRUE(gate_.wait_inside(1));
    const MonoTime until = clock_.mono() + settings_.lease_length * 2;
    for (std::int64_t seen = 0; clock_.mono() < until;) {
        seen = engine_->feed().wait_after(seen, until - clock_.mono());
    }
    gate_.open();
    EXPECT_EQ(await(made.task.id, domain::TaskState::completed), domain::TaskState::completed);
    EXPECT_FALSE(told_) << "it was stopped";
}

}  // namespace
}  // namespace durascribe::engine
