// Decoded audio that is larger than the room on the disk.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <utility>

#include "engine_fixture.h"
#include "forwarding_blobs.h"

namespace durascribe::engine {
namespace {

constexpr std::int64_t kMiB = 1024 * 1024;

// A disk that is as full as the test says.
class SmallDisk final : public testing::ForwardingBlobs {
  public:
    using ForwardingBlobs::ForwardingBlobs;
    Result<std::int64_t> free_bytes() override { return free.load(); }
    Result<std::int64_t> capacity_bytes() override { return 100 * kMiB; }
    Result<std::unique_ptr<ports::PendingBlob>> create(std::int64_t expected_bytes) override {
        if (free == 0) {
            return fail(ErrorClass::storage, "disk_full", "The disk is full.");
        }
        return ForwardingBlobs::create(expected_bytes);
    }
    std::atomic<std::int64_t> free{12 * kMiB};
};

class Room : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        disk_ = std::make_unique<SmallDisk>(*blobs_);
        chunks_ = 30;  // ten minutes
        // As the real one: it says that it does not fit, and has written nothing.
        workers_.on_extract = [this](const ports::ExtractJob& job,
                                     const ports::RunControl&) -> Result<ports::ExtractOutcome> {
            const Millis duration = kChunk * chunks_;
            if (duration.count() * 32 > job.room_bytes) {
                ports::ExtractOutcome none;
                none.info.duration = duration;
                none.decoded = false;
                return none;
            }
            return extract(job);
        };
        engine_ = std::make_unique<Engine>(*store_, *disk_, workers_, clock_, settings_);
        ASSERT_TRUE(engine_->start());
    }
    void TearDown() override { engine_.reset(); }

    // A clip's first worker finds no room, whatever it was told; `just_before` that.
    void refuse_once(std::function<void()> just_before) {
        chunks_ = 1;
        workers_.on_extract = [this, just_before = std::move(just_before)](
                                  const ports::ExtractJob& job,
                                  const ports::RunControl&) -> Result<ports::ExtractOutcome> {
            if (workers_.extracts > 1) {
                return extract(job);
            }
            just_before();
            ports::ExtractOutcome none;
            none.info.duration = kChunk;
            none.decoded = false;
            return none;
        };
    }

    std::unique_ptr<SmallDisk> disk_;
};

TEST_F(Room, WhatDoesNotFitWaitsAndGoesOnByItselfWhenItDoes) {
    const auto made = upload();
    ASSERT_EQ(await(made.task.id, domain::TaskState::retrying), domain::TaskState::retrying);
    const auto waiting = engine_->view(made.task.id);
    ASSERT_TRUE(waiting && waiting->row.error);
    EXPECT_EQ(waiting->row.error->cls, ErrorClass::storage);
    EXPECT_EQ(waiting->row.error->code, "no_room_for_audio");
    EXPECT_EQ(waiting->row.error->message,
              "The decoded audio needs 19 MiB, and 12 MiB are free. Free some space, and it goes "
              "on by itself.");
    EXPECT_EQ(waiting->eta_seconds, std::nullopt);

    chunks_ = 1;  // another one, which fits, does not wait for it
    EXPECT_EQ(wait_until_ended(upload("a clip").task.id).state, domain::TaskState::completed);
    EXPECT_EQ(workers_.extracts, 2) << "and nobody tries it meanwhile";
    EXPECT_EQ(store_->task(made.task.id)->state, domain::TaskState::retrying);

    chunks_ = 30;
    disk_->free = 19 * kMiB;
    const MonoTime room_at = clock_.mono();
    EXPECT_EQ(wait_until_ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_LT(clock_.mono() - room_at, Millis{5'000});
    for (const ports::UnitRow& unit : *store_->units(made.task.id)) {
        EXPECT_EQ(unit.attempts, 1) << "the wait has spent none";
    }
}

TEST_F(Room, OfAWholeDiskIsNotEnoughAndTheRecordSaysSo) {
    chunks_ = 180;  // an hour
    const auto made = upload();
    ASSERT_EQ(await(made.task.id, domain::TaskState::retrying), domain::TaskState::retrying);
    EXPECT_EQ(store_->task(made.task.id)->error->message,
              "The decoded audio needs 110 MiB, and the disk of the data directory holds 100 MiB "
              "in all. Give it a larger one, or cancel this and cut the recording.");
    EXPECT_EQ(engine_->cancel(made.task.id)->state, domain::TaskState::cancelled);
}

TEST_F(Room, WhatFilledTheDiskIsNotBegunAgainWithoutMoreRoomThanItHad) {
    workers_.on_extract = [this](const ports::ExtractJob& job,
                                 const ports::RunControl&) -> Result<ports::ExtractOutcome> {
        if (job.room_bytes < 13 * kMiB) {
            if (::ftruncate(job.pcm_fd, 12 * kMiB) != 0) {
                return std::unexpected(system_error(errno, "write the audio"));
            }
            disk_->free = 0;
            return fail(ErrorClass::storage, "disk_full", "The disk is full.");
        }
        return extract(job);
    };
    const auto made = upload();
    ASSERT_EQ(await(made.task.id, domain::TaskState::retrying), domain::TaskState::retrying);
    EXPECT_GT(*store_->task(made.task.id)->next_attempt_at, clock_.wall() + Millis{60'000});
    disk_->free = 13 * kMiB;
    const MonoTime room_at = clock_.mono();
    EXPECT_EQ(wait_until_ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_LT(clock_.mono() - room_at, Millis{5'000});
    EXPECT_EQ(workers_.extracts, 2) << "not with the 12 MiB that it had";
}

// A clip for which there was room when its worker was told, and none a moment later.
TEST_F(Room, WhatFoundTheDiskFullMeanwhileGoesOnWithTheRoomThatItNeeds) {
    refuse_once([this] { disk_->free = 0; });
    const auto made = upload();
    ASSERT_EQ(await(made.task.id, domain::TaskState::retrying), domain::TaskState::retrying);
    disk_->free = 2 * kMiB;
    const MonoTime room_at = clock_.mono();
    EXPECT_EQ(wait_until_ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_LT(clock_.mono() - room_at, Millis{5'000});
}

// The room has come again meanwhile, or a quota keeps it.
TEST_F(Room, WhatTheDiskRefusesThoughItIsFreeIsTriedAgainSoon) {
    refuse_once([] {});
    const auto made = upload();
    ASSERT_EQ(await(made.task.id, domain::TaskState::retrying), domain::TaskState::retrying);
    EXPECT_NE(store_->task(made.task.id)->error->message.find("look for a quota"),
              std::string::npos);
    const MonoTime waiting = clock_.mono();
    EXPECT_EQ(wait_until_ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_LT(clock_.mono() - waiting, Millis{5'000});
}

TEST_F(Room, OnAFullDiskItWaitsWhereOneCanSeeIt) {
    ASSERT_TRUE(store_->set_paused(true));
    const auto made = upload();
    disk_->free = 0;
    ASSERT_TRUE(store_->set_paused(false));
    ASSERT_EQ(await(made.task.id, domain::TaskState::retrying), domain::TaskState::retrying);
    const auto waiting = engine_->view(made.task.id);
    EXPECT_EQ(waiting->stage, "Waiting for room on the disk");
    EXPECT_EQ(waiting->row.error->code, "disk_full");
    EXPECT_EQ(workers_.extracts, 0);
    disk_->free = 20 * kMiB;
    EXPECT_EQ(wait_until_ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_EQ(workers_.extracts, 1);
}

TEST_F(Room, WaitingIsOverAfterARestartToo) {
    const auto made = upload();
    ASSERT_EQ(await(made.task.id, domain::TaskState::retrying), domain::TaskState::retrying);
    engine_.reset();
    disk_->free = 20 * kMiB;
    engine_ = std::make_unique<Engine>(*store_, *disk_, workers_, clock_, settings_);
    ASSERT_TRUE(engine_->start());
    const MonoTime started = clock_.mono();
    EXPECT_EQ(wait_until_ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_LT(clock_.mono() - started, Millis{5'000});
}

}  // namespace
}  // namespace durascribe::engine
