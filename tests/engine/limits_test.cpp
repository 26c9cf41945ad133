// Limits of time and memory that follow what is predicted of a task and its model.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "engine_fixture.h"
#include "forwarding_store.h"

namespace durascribe::engine {
namespace {

class Limits : public EngineTest {
  protected:
    // The server's own and a larger one, which is chosen where there is room.
    void know_two_models() {
        settings_.engine = "scripted";
        settings_.model = "small";
        settings_.models = [] {
            return std::vector<domain::ModelCandidate>{
                {.engine = "scripted", .model = "small", .memory_bytes = 100, .accuracy = 1},
                {.engine = "scripted", .model = "large", .memory_bytes = 400, .accuracy = 2}};
        };
    }
};

// Beside seven others a task has one of eight slots, and is at work all the while.
TEST_F(Limits, OfTimeALongFileThatSharesTheSlotsWithOthersIsNotStopped) {
    settings_.speech_slots = 8;
    chunks_ = 1'800;  // ten hours: 4,320 s on one slot, as predicted; 540 s on eight
    constexpr Millis kWorked{3'000'000};
    Gate gate;
    std::atomic<bool> extracting = true;
    workers_.on_extract = [&](const ports::ExtractJob& job, const ports::RunControl&) {
        if (extracting.exchange(false)) {
            EXPECT_TRUE(store_->set_paused(true));
        }
        return extract(job);
    };
    workers_.on_transcribe =
        [&](const ports::TranscribeJob&,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        gate.pass(control.stop);
        return fail(ErrorClass::lost, "stopped", "The worker was stopped.");
    };
    start();
    const auto made = upload();
    std::int64_t seen = 0;
    while (store_->units(made.task.id)->size() < 2) {
        const std::int64_t news = engine_->feed().wait_after(seen, kPatience);
        ASSERT_NE(news, seen) << "it is not extracted";
        seen = news;
    }
    const std::array worked{
        ports::TaskPercent{.task = made.task.id, .run_number = 1, .percent = 0, .worked = kWorked}};
    ASSERT_TRUE(store_->report_progress({}, worked));
    ASSERT_TRUE(store_->set_paused(false));
    ASSERT_TRUE(gate.wait_inside(8));
    // The supervisor holds the time against the limit, then stores it.
    while (store_->task(made.task.id)->worked <= kWorked) {
        const std::int64_t news = engine_->feed().wait_after(seen, kPatience);
        ASSERT_NE(news, seen) << "nobody looks at it";
        seen = news;
    }
    const auto task = store_->task(made.task.id);
    EXPECT_EQ(task->state, domain::TaskState::processing);
    EXPECT_FALSE(task->error) << task->error->message;
    const auto view = engine_->view(made.task.id);
    EXPECT_LT(*view->predicted_seconds, 1'000) << "as before, alone";
    EXPECT_GT(*view->predicted_seconds_on_one_slot, 4'000);
    engine_.reset();
}

TEST_F(Limits, OfTimeTheRecordSaysHowFarDecodingWas) {
    settings_.task_timeout = Millis{1'000};
    Gate gate;
    workers_.on_extract = [&](const ports::ExtractJob&,
                              const ports::RunControl& control) -> Result<ports::ExtractOutcome> {
        control.on_progress(Millis{3'725'000});
        gate.pass(control.stop);
        return fail(ErrorClass::lost, "stopped", "The worker was stopped.");
    };
    start();
    const auto made = upload();
    const auto ended = wait_until_ended(made.task.id);
    EXPECT_EQ(ended.state, domain::TaskState::failed);
    const auto attempts = store_->attempts(made.task.id);
    ASSERT_TRUE(attempts);
    ASSERT_EQ(attempts->size(), 1U);
    ASSERT_TRUE(attempts->front().error);
    EXPECT_NE(attempts->front().error->message.find("Decoding was at 1:02:05 of the recording."),
              std::string::npos)
        << attempts->front().error->message;
}

// The store of a test, whose disk takes no chunk until it has room.
class NoRoomForChunks final : public testing::ForwardingStore {
  public:
    using ForwardingStore::ForwardingStore;
    Result<ports::UnitEnd> finish_chunk(const ports::Lease& lease,
                                        const ports::ChunkResult& result) override {
        if (full) {
            ++refused;
            refused.notify_all();
            return fail(ErrorClass::storage, "disk_full", "The disk is full.");
        }
        return store_.finish_chunk(lease, result);
    }
    std::atomic<bool> full{true};
    std::atomic<int> refused{0};
};

TEST_F(Limits, OfTimeAWaitForTheDiskIsNoWork) {
    settings_.task_timeout = Millis{4'000};
    settings_.speech_slots = 1;
    chunks_ = 6;
    NoRoomForChunks store(*store_);
    engine_ = std::make_unique<Engine>(store, *blobs_, workers_, clock_, settings_);
    ASSERT_TRUE(engine_->start());
    const auto made = upload();
    store.refused.wait(0);  // one is done, and can't be recorded
    // Of each look at most five seconds are counted, and the second one comes after the first
    // ended.
    for (int look = 0; look < 2; ++look) {
        clock_.sleep(Millis{10'000});
        const auto before = store_->event_range()->second;
        std::int64_t seen = before;
        for (bool told = false; !told;) {
            const std::int64_t news = engine_->feed().wait_after(seen, kPatience);
            ASSERT_NE(news, seen) << "nobody looks at it";
            const auto events = store_->events_after(seen, 100);
            told = std::ranges::count(*events, "task.progress", &ports::Event::type) > 0;
            seen = news;
        }
    }
    EXPECT_LT(store_->task(made.task.id)->worked, Millis{4'000});
    store.full = false;
    EXPECT_EQ(wait_until_ended(made.task.id).state, domain::TaskState::completed);
    engine_.reset();
}

TEST_F(Limits, OfMemoryAModelThatDoesNotFitBesideTheOthersIsNotLoaded) {
    know_two_models();
    // Two small ones, or one large one: the workers here hold nothing, and are promised what they
    // need.
    settings_.free_memory_bytes = [] { return std::int64_t{450}; };
    Gate gate;
    std::atomic<int> at_work{0};
    std::atomic<int> most{0};
    workers_.on_transcribe =
        [&](const ports::TranscribeJob& job,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        EXPECT_EQ(job.model, "large");
        most = std::max(most.load(), ++at_work);
        const bool passed = gate.pass(control.stop);
        --at_work;
        if (!passed) {
            return fail(ErrorClass::lost, "stopped", "The worker was stopped.");
        }
        ports::TranscribeOutcome outcome = *transcribe(job);
        outcome.model = job.model;
        return outcome;
    };
    start();
    const auto made = upload();
    ASSERT_TRUE(gate.wait_inside(1));
    // Two slots and two chunks: the other one has been given back, or (wrongly) runs.
    const auto given_back = [&] {
        const auto attempts = store_->attempts(made.task.id);
        return std::ranges::count(*attempts, "returned", &ports::AttemptRow::outcome);
    };
    const MonoTime until = clock_.mono() + kPatience;
    for (std::int64_t seen = 0; given_back() == 0 && most < 2 && clock_.mono() < until;) {
        seen = engine_->feed().wait_after(seen, Millis{100});
    }
    EXPECT_EQ(most, 1);
    gate.open();
    EXPECT_EQ(wait_until_ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_EQ(most, 1);
    const auto attempts = store_->attempts(made.task.id);
    EXPECT_EQ(std::ranges::count(*attempts, "failed", &ports::AttemptRow::outcome), 0);
    for (const ports::UnitRow& unit : *store_->units(made.task.id)) {
        EXPECT_EQ(unit.attempts, 1) << "what was given back has spent none";
    }
}

TEST_F(Limits, OfStallsAFurtherAttemptHasTwiceTheTime) {
    chunks_ = 1;
    std::vector<Millis> windows;
    workers_.on_transcribe =
        [&](const ports::TranscribeJob& job,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        windows.push_back(control.stall_window);
        if (windows.size() < 3) {
            return fail(ErrorClass::stall, "no_progress", "No progress.");
        }
        return transcribe(job);
    };
    start();
    EXPECT_EQ(wait_until_ended(upload().task.id).state, domain::TaskState::completed);
    ASSERT_EQ(windows.size(), 3U);
    EXPECT_EQ(windows[0], settings_.stall_floor);
    EXPECT_EQ(windows[1], 2 * windows[0]);
    EXPECT_EQ(windows[2], 4 * windows[0]);
}

TEST_F(Limits, OfStallsTheLoadingOfAnotherModelHasItsOwnAndIsNoSpeed) {
    know_two_models();
    settings_.speech_slots = 1;
    std::vector<ports::RunControl> controls;  // of the one worker, whose chunks follow each other
    std::vector<std::string> stages;
    std::vector<domain::StepSpeed> learned;  // of the first chunk
    TaskId task;
    workers_.on_transcribe =
        [&](const ports::TranscribeJob& job,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        if (controls.empty()) {
            stages.push_back(engine_->view(task)->stage);
            clock_.sleep(Millis{10'000});  // it takes that long to load
            control.on_loaded();
            stages.push_back(engine_->view(task)->stage);
        } else if (controls.size() == 1) {
            learned = *store_->speeds();
        }
        controls.push_back(control);
        ports::TranscribeOutcome outcome = *transcribe(job);
        outcome.model = job.model;
        return outcome;
    };
    chunks_ = 6;
    start();
    ASSERT_TRUE(store_->set_paused(true));
    task = upload().task.id;
    ASSERT_TRUE(store_->set_paused(false));
    EXPECT_EQ(wait_until_ended(task).state, domain::TaskState::completed);
    ASSERT_GE(controls.size(), 2U);
    EXPECT_GT(controls[0].load_window, Millis{0}) << "it started with the small one";
    EXPECT_EQ(controls[0].stall_window, controls[1].stall_window);
    EXPECT_EQ(controls[1].load_window, Millis{0});
    EXPECT_EQ(stages[0], "Preparing model");
    EXPECT_TRUE(stages[1].starts_with("Transcribing ")) << stages[1];
    const auto speed =
        std::ranges::find(learned, domain::Step::transcribe, &domain::StepSpeed::step);
    ASSERT_NE(speed, learned.end()) << "what it took after that is learned";
    EXPECT_LT(speed->seconds_per_audio_second, 0.1);
}

// Such as whisper.cpp, which says nothing within its windows of 30 s.
TEST_F(Limits, OfStallsAModelThatWasNeverUsedHereGetsTheTimeThatItsEngineGuesses) {
    settings_.engine = "scripted";
    settings_.model = "slow";
    settings_.speech_slots = 1;
    settings_.models = [] {
        return std::vector<domain::ModelCandidate>{{.engine = "scripted",
                                                    .model = "slow",
                                                    .memory_bytes = 1,
                                                    .accuracy = 1,
                                                    .seconds_per_audio_second = 8}};
    };
    settings_.models_known = settings_.models;
    std::vector<Millis> windows;
    std::vector<Millis> lengths;
    double predicted_seconds = 0;
    workers_.on_transcribe =
        [&](const ports::TranscribeJob& job,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        windows.push_back(control.stall_window);
        lengths.push_back(job.span.length());
        if (windows.size() == 1) {
            const auto tasks = store_->list_tasks({}, {.limit = 1});
            predicted_seconds =
                engine_->view(tasks->rows.front().id)->predicted_seconds.value_or(0);
        }
        ports::TranscribeOutcome outcome = *transcribe(job);
        outcome.engine = job.engine;
        outcome.model = job.model;
        return outcome;
    };
    chunks_ = 3;
    start();
    const auto made = upload();
    EXPECT_EQ(wait_until_ended(made.task.id).state, domain::TaskState::completed);
    ASSERT_GE(windows.size(), 2U);
    EXPECT_EQ(windows[0], lengths[0] * 32) << "four times what is guessed";
    EXPECT_GT(predicted_seconds, 8 * 30);
    EXPECT_EQ(windows.back(), settings_.stall_floor) << "it has been measured";
}

TEST_F(Limits, FinalizingALongRecordingIsLearned) {
    chunks_ = 40;  // more than ten minutes
    start();
    const auto made = upload();
    ASSERT_EQ(await(made.task.id, domain::TaskState::completed), domain::TaskState::completed);
    engine_->stop(kPatience);  // what is learned is recorded after the end
    const auto speeds = store_->speeds();
    EXPECT_EQ(std::ranges::count(*speeds, domain::Step::finalize, &domain::StepSpeed::step), 1);
}

TEST_F(Limits, FinalizingAClipTellsNothingOfLongOnes) {
    chunks_ = 2;
    start();
    const auto made = upload();
    ASSERT_EQ(await(made.task.id, domain::TaskState::completed), domain::TaskState::completed);
    engine_->stop(kPatience);
    const auto speeds = store_->speeds();
    EXPECT_EQ(std::ranges::count(*speeds, domain::Step::finalize, &domain::StepSpeed::step), 0);
}

}  // namespace
}  // namespace durascribe::engine
