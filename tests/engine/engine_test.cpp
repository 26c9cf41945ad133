#include "durascribe/engine/engine.h"

#include <gtest/gtest.h>

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <set>

#include <fmt/format.h>

#include "engine_fixture.h"
#include "forwarding_blobs.h"

namespace durascribe::engine {
namespace {

TEST_F(EngineTest, AMediaBecomesATranscript) {
    start();
    const auto submitted = upload();
    ASSERT_EQ(await(submitted.task.id, domain::TaskState::completed), domain::TaskState::completed);
    const auto segments = store_->segments(submitted.task.id);
    ASSERT_TRUE(segments);
    EXPECT_EQ(segments->size(), static_cast<std::size_t>(workers_.transcribes.load()));
    const auto srt = engine_->document(submitted.task.id, domain::DocumentFormat::srt);
    ASSERT_TRUE(srt);
    EXPECT_NE(srt->find(" --> "), std::string::npos);
    const auto view = engine_->view(submitted.task.id);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->percent, 100);
    EXPECT_EQ(view->stage, "Completed");
}

TEST_F(EngineTest, TheChunksOfOneFileRunOnAllSlotsAtOnce) {
    settings_.speech_slots = 3;
    chunks_ = 6;
    Gate gate;
    workers_.on_transcribe = [&](const ports::TranscribeJob& job,
                                 const ports::RunControl& control) {
        gate.pass(control.stop);
        return transcribe(job);
    };
    start();
    const auto submitted = upload();
    EXPECT_TRUE(gate.wait_inside(3));
    gate.open();
    EXPECT_EQ(await(submitted.task.id, domain::TaskState::completed), domain::TaskState::completed);
}

TEST_F(EngineTest, AChunkWhoseWorkerDiedIsDoneAgain) {
    std::atomic<int> deaths{2};
    workers_.on_transcribe = [&](const ports::TranscribeJob& job,
                                 const ports::RunControl&) -> Result<ports::TranscribeOutcome> {
        if (deaths-- > 0) {
            return fail(ErrorClass::crash, "worker_died", "The worker died by SIGKILL.");
        }
        return transcribe(job);
    };
    start();
    const auto submitted = upload();
    EXPECT_EQ(await(submitted.task.id, domain::TaskState::completed), domain::TaskState::completed);
    const auto attempts = store_->attempts(submitted.task.id);
    ASSERT_TRUE(attempts);
    EXPECT_EQ(std::ranges::count(*attempts, "failed", &ports::AttemptRow::outcome), 2);
}

// The leases run out while what was recognised waits for room: it is recorded all the same, and
// nothing is recognised twice.
TEST_F(EngineTest, ADiskFullForLongerThanTheLeasesCostsNoFinishedChunk) {
    const std::filesystem::path small = directory_.path() / "small";
    std::filesystem::create_directory(small);
    if (mount("none", small.c_str(), "tmpfs", 0, "size=16m") != 0) {
        GTEST_SKIP() << "mounting a small tmpfs needs root: " << std::strerror(errno);
    }
    // The log is moved after each commit, so that it keeps no room for a chunk; what the making of
    // the schema took of it is given back when the store is closed.
    for (int i = 0; i < 2; ++i) {
        store_.reset();
        store_ = *store::SqliteStore::open(small / "data", clock_, {.checkpoint_pages = 1});
    }
    blobs_ = *blobs::LocalBlobStore::open(small / "data");
    settings_.lease_length = Millis{3'000};
    Gate gate;
    workers_.on_transcribe = [&](const ports::TranscribeJob& job,
                                 const ports::RunControl& control) {
        gate.pass(control.stop);
        auto outcome = transcribe(job);
        for (int i = 0; i < 50'000; ++i) {
            outcome->segments.front().text += " word";
        }
        return outcome;
    };
    chunks_ = 2;
    start();
    const auto submitted = upload();
    ASSERT_TRUE(gate.wait_inside(2));
    const std::filesystem::path filler = small / "filler";
    {
        std::ofstream file(filler, std::ios::binary);
        const std::string block(4'096, 'x');
        while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
        }
    }
    gate.open();
    const std::int64_t last = store_->event_range()->second;
    const MonoTime until = clock_.mono() + settings_.lease_length * 2;
    for (std::int64_t seen = last; clock_.mono() < until;) {
        seen = engine_->feed().wait_after(seen, until - clock_.mono());
    }
    const auto meanwhile = store_->events_after(last, 1'000);
    ASSERT_TRUE(meanwhile);
    EXPECT_EQ(std::ranges::count(*meanwhile, "unit.completed", &ports::Event::type), 0)
        << "a chunk was recorded on a full disk";
    std::filesystem::remove(filler);
    EXPECT_EQ(await(submitted.task.id, domain::TaskState::completed), domain::TaskState::completed);
    const auto attempts = store_->attempts(submitted.task.id);
    ASSERT_TRUE(attempts);
    for (const ports::AttemptRow& attempt : *attempts) {
        EXPECT_EQ(attempt.outcome, "completed") << domain::to_string(attempt.step);
    }
    engine_.reset();
    blobs_.reset();
    store_.reset();
    EXPECT_EQ(umount(small.c_str()), 0);
}

// A share of time, and time passes also while the workers hang.
TEST_F(EngineTest, TheBarDoesNotRiseWithTheClockAndStaysWhereTheTaskEnds) {
    Gate gate;
    workers_.on_transcribe =
        [&](const ports::TranscribeJob& job,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        control.on_progress(job.span.length() / 20);
        gate.pass(control.stop);
        return fail(ErrorClass::lost, "stopped", "The worker was stopped.");
    };
    start();
    const auto submitted = upload();
    ASSERT_TRUE(gate.wait_inside(2));
    EXPECT_GT(engine_->view(submitted.task.id)->percent, 0);
    clock_.sleep(Millis{12'000});
    const double before = engine_->view(submitted.task.id)->percent;
    EXPECT_LT(before, 60) << "two of four parts have begun";
    clock_.sleep(Millis{12'000});
    EXPECT_NEAR(engine_->view(submitted.task.id)->percent, before, 0.01);
    ASSERT_TRUE(engine_->cancel(submitted.task.id).has_value());
    ASSERT_EQ(await(submitted.task.id, domain::TaskState::cancelled), domain::TaskState::cancelled);
    EXPECT_EQ(engine_->view(submitted.task.id)->percent, before);
    EXPECT_EQ(store_->task(submitted.task.id)->progress, before) << "as in a list";
}

TEST_F(EngineTest, APartThatFailsForGoodLeavesAGapAndRetryRedoesOnlyThat) {
    std::atomic<bool> broken{true};
    std::mutex mutex;
    std::multiset<Millis> recognised;
    workers_.on_transcribe = [&](const ports::TranscribeJob& job,
                                 const ports::RunControl&) -> Result<ports::TranscribeOutcome> {
        if (broken && job.span.start == Millis{0}) {
            return fail(ErrorClass::input, "cannot_hear", "This part cannot be recognised.");
        }
        const std::scoped_lock lock(mutex);
        recognised.insert(job.span.start);
        return transcribe(job);
    };
    start();
    const auto submitted = upload();
    ASSERT_EQ(await(submitted.task.id, domain::TaskState::partial_failure),
              domain::TaskState::partial_failure);
    const auto gaps = store_->gaps(submitted.task.id);
    ASSERT_TRUE(gaps);
    ASSERT_EQ(gaps->size(), 1U);
    EXPECT_EQ(gaps->front().span.start, Millis{0});
    const auto said_at_the_start = said_in({Millis{0}, kChunk});
    const auto with_a_gap = *store_->document(submitted.task.id, domain::DocumentFormat::txt);
    ASSERT_TRUE(with_a_gap);
    EXPECT_EQ(with_a_gap->find(said_at_the_start), std::string::npos);

    broken = false;
    const auto retried = engine_->retry(submitted.task.id);
    ASSERT_TRUE(retried) << retried.error().message;
    EXPECT_EQ(retried->task.current_step, "retry_queued");
    EXPECT_FALSE(retried->task.completed_at);
    EXPECT_FALSE(retried->task.error);
    ASSERT_EQ(await(submitted.task.id, domain::TaskState::completed), domain::TaskState::completed);
    EXPECT_TRUE(store_->gaps(submitted.task.id)->empty());
    for (const Millis start : recognised) {
        EXPECT_EQ(recognised.count(start), 1U) << start.count();
    }
    EXPECT_EQ(recognised.count(Millis{0}), 1U);
    const auto segments = store_->segments(submitted.task.id);
    ASSERT_TRUE(segments);
    ASSERT_EQ(segments->size(), recognised.size()) << "the part that was filled is among them";
    EXPECT_EQ(segments->front().text, said_at_the_start);
    // Subtitles may put its two words into two cues.
    for (const auto format : {domain::DocumentFormat::txt, domain::DocumentFormat::json}) {
        const auto document = *store_->document(submitted.task.id, format);
        ASSERT_TRUE(document);
        EXPECT_NE(document->find(said_at_the_start), std::string::npos) << to_string(format);
    }
}

TEST_F(EngineTest, CancelledIsSaidOnlyWhenTheLastWorkerIsDone) {
    Gate gate;
    std::atomic<int> working{0};
    workers_.on_transcribe =
        [&](const ports::TranscribeJob&,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        ++working;
        gate.pass(control.stop);
        --working;
        return fail(ErrorClass::lost, "stopped", "The worker was stopped.");
    };
    start();
    const auto submitted = upload();
    ASSERT_TRUE(gate.wait_inside(2));
    const auto cancelled = engine_->cancel(submitted.task.id);
    ASSERT_TRUE(cancelled);
    EXPECT_TRUE(cancelled->cancel_requested_at);
    ASSERT_EQ(await(submitted.task.id, domain::TaskState::cancelled), domain::TaskState::cancelled);
    EXPECT_EQ(working, 0);
    EXPECT_EQ(engine_->view(submitted.task.id)->stage, "Cancelled");
}

TEST_F(EngineTest, AStoppedEngineHandsBackAndTheNextGoesOnFromTheFinishedChunks) {
    Gate gate;
    std::atomic<int> finished{0};
    settings_.speech_slots = 1;
    workers_.on_transcribe =
        [&](const ports::TranscribeJob& job,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        if (finished == 1 && !gate.pass(control.stop)) {
            return fail(ErrorClass::lost, "stopped", "The worker was stopped.");
        }
        ++finished;
        return transcribe(job);
    };
    start();
    const auto submitted = upload();
    ASSERT_TRUE(gate.wait_inside(1));
    engine_->stop();
    engine_.reset();
    const auto units = store_->units(submitted.task.id);
    ASSERT_TRUE(units);
    const auto chunks = std::ranges::count(*units, domain::Step::transcribe, &ports::UnitRow::step);
    for (const ports::UnitRow& unit : *units) {
        EXPECT_NE(unit.state, domain::UnitState::processing);
        EXPECT_LE(unit.attempts, unit.state == domain::UnitState::completed ? 1 : 0);
    }

    gate.open();
    start();
    ASSERT_EQ(await(submitted.task.id, domain::TaskState::completed), domain::TaskState::completed);
    EXPECT_EQ(finished, chunks);
    EXPECT_EQ(workers_.extracts, 1);
}

TEST_F(EngineTest, TheLateResultOfALostLeaseIsRefused) {
    Gate gate;
    std::atomic<int> calls{0};
    settings_.speech_slots = 2;
    chunks_ = 1;
    workers_.on_transcribe =
        [&](const ports::TranscribeJob& job,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        auto outcome = transcribe(job);
        if (calls++ == 0) {
            gate.pass(control.stop);
            outcome->segments.front().text = "late";
        }
        return outcome;
    };
    start();
    const auto submitted = upload();
    ASSERT_TRUE(gate.wait_inside(1));
    // As though another node had judged this one dead: its units go to whoever is free.
    ASSERT_EQ(store_->recover(new_id<NodeId>()).value_or(0), 1);
    ASSERT_EQ(await(submitted.task.id, domain::TaskState::completed), domain::TaskState::completed);
    gate.open();
    engine_->stop(kPatience);
    const auto segments = store_->segments(submitted.task.id);
    ASSERT_TRUE(segments);
    ASSERT_EQ(segments->size(), 1U);
    EXPECT_NE(segments->front().text, "late");
    EXPECT_EQ(calls, 2);
}

TEST_F(EngineTest, AChunkWhoseWorkerDiedGoesOnWithTheSpare) {
    chunks_ = 4;
    settings_.speech_slots = 1;
    workers_.on_transcribe = [&](const ports::TranscribeJob& job,
                                 const ports::RunControl&) -> Result<ports::TranscribeOutcome> {
        if (workers_.transcribes == 2) {
            // The spare is there, and no other: the death of this one is survived by it alone.
            workers_.speech_started.wait(1);
            workers_.refuse_speech = true;
            return fail(ErrorClass::crash, "worker_died", "It died.");
        }
        return transcribe(job);
    };
    start();
    const auto submitted = upload();
    EXPECT_EQ(await(submitted.task.id, domain::TaskState::completed), domain::TaskState::completed);
    EXPECT_EQ(workers_.speech_started, 2);
    EXPECT_EQ(workers_.transcribes, 5);
}

TEST_F(EngineTest, ProgressIsLiveAndSaysWhatIsDone) {
    Gate gate;
    chunks_ = 2;
    workers_.on_transcribe = [&](const ports::TranscribeJob& job,
                                 const ports::RunControl& control) {
        control.on_progress(job.span.length() / 2);
        gate.pass(control.stop);
        return transcribe(job);
    };
    start();
    const auto submitted = upload();
    ASSERT_TRUE(gate.wait_inside(2));
    const auto view = engine_->view(submitted.task.id);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->stage, "Transcribing 1 of 2");
    EXPECT_NEAR(view->steps[1].progress.progress, 50, 0.1);  // of the audio
    ASSERT_TRUE(view->eta_seconds);
    EXPECT_GT(view->percent, 0);  // of the time: what the workers here take means nothing
    EXPECT_LT(view->percent, 100);
    gate.open();
    ASSERT_EQ(await(submitted.task.id, domain::TaskState::completed), domain::TaskState::completed);
}

TEST_F(EngineTest, ProgressNeverGoesBackWhenSpeedsAreLearned) {
    Gate gate;
    chunks_ = 2;
    workers_.on_transcribe = [&](const ports::TranscribeJob& job,
                                 const ports::RunControl& control) {
        gate.pass(control.stop);
        return transcribe(job);
    };
    start();
    const auto submitted = upload();
    ASSERT_TRUE(gate.wait_inside(2));
    const auto learn = [&](double seconds_per_audio_second) {
        for (int i = 0; i < 200; ++i) {
            ASSERT_TRUE(store_->learn(domain::Step::transcribe, "pocketsphinx", "en-us",
                                      NodeId{"local"}, seconds_per_audio_second));
        }
    };
    // The chunks, which run, are nearly done; then nearly all of the work is still to come.
    learn(1e-6);
    const auto before = engine_->view(submitted.task.id);
    learn(1000);
    const auto after = engine_->view(submitted.task.id);
    ASSERT_TRUE(before && after);
    EXPECT_GT(before->percent, 10);
    EXPECT_GE(after->percent, before->percent);
    gate.open();
    ASSERT_EQ(await(submitted.task.id, domain::TaskState::completed), domain::TaskState::completed);
}

TEST_F(EngineTest, TheSameBytesTwiceAreStoredOnceAndMakeTwoTasks) {
    start();
    const auto first = upload("the same");
    const auto second = upload("the same");
    EXPECT_FALSE(first.stored_before);
    EXPECT_TRUE(second.stored_before);
    EXPECT_EQ(first.media.source, second.media.source);
    EXPECT_NE(first.task.id, second.task.id);
    EXPECT_EQ(await(first.task.id, domain::TaskState::completed), domain::TaskState::completed);
    EXPECT_EQ(await(second.task.id, domain::TaskState::completed), domain::TaskState::completed);
    ASSERT_TRUE(engine_->delete_media(first.media.id));
    EXPECT_TRUE(blobs_->exists(first.media.source).value_or(false));
    ASSERT_TRUE(engine_->delete_media(second.media.id));
    EXPECT_FALSE(blobs_->exists(first.media.source).value_or(true));
}

TEST_F(EngineTest, SilenceOnlyCompletesAndSaysSo) {
    workers_.on_extract = [](const ports::ExtractJob&, const ports::RunControl&) {
        ports::ExtractOutcome outcome;
        outcome.info.duration = Millis{5'000};
        outcome.silences.push_back({Millis{0}, Millis{5'000}});
        return Result<ports::ExtractOutcome>(outcome);
    };
    start();
    const auto submitted = upload();
    ASSERT_EQ(await(submitted.task.id, domain::TaskState::completed), domain::TaskState::completed);
    EXPECT_EQ(workers_.transcribes, 0);
    EXPECT_EQ(engine_->view(submitted.task.id)->stage, "Completed: no speech was found");
}

TEST_F(EngineTest, ForceCancelsTheRunningTaskFirst) {
    Gate gate;
    workers_.on_transcribe =
        [&](const ports::TranscribeJob& job,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        if (!gate.pass(control.stop)) {
            return fail(ErrorClass::lost, "stopped", "The worker was stopped.");
        }
        return transcribe(job);
    };
    start();
    const auto first = upload();
    ASSERT_TRUE(gate.wait_inside(1));
    const auto refused = engine_->submit_task(first.media.id, {}, false);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "task_running");
    EXPECT_EQ(refused.error().detail, first.task.id.value);
    const auto second = engine_->submit_task(first.media.id, {}, true);
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_TRUE(store_->task(first.task.id)->cancel_requested_at) << "in the same step";
    EXPECT_EQ(await(first.task.id, domain::TaskState::cancelled), domain::TaskState::cancelled);
    gate.open();
    EXPECT_EQ(await(second->task.id, domain::TaskState::completed), domain::TaskState::completed);
}

TEST_F(EngineTest, ATaskPastItsTimeIsStoppedAndDeliversWhatIsFinished) {
    settings_.speech_slots = 1;
    settings_.task_timeout = Millis{1'500};
    chunks_ = 3;
    Gate gate;
    std::atomic<int> calls = 0;
    workers_.on_transcribe =
        [&](const ports::TranscribeJob& job,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        if (++calls == 1) {
            return transcribe(job);
        }
        control.on_progress(Millis{5'000});
        if (!gate.pass(control.stop)) {
            return fail(ErrorClass::lost, "stopped", "Stopped.");
        }
        return transcribe(job);
    };
    start();
    const auto made = upload();
    const auto ended = wait_until_ended(made.task.id);
    EXPECT_EQ(ended.state, domain::TaskState::partial_failure);
    ASSERT_TRUE(ended.error.has_value());
    EXPECT_EQ(ended.error->cls, ErrorClass::timeout);
    EXPECT_NE(ended.error->message.find("TRANSCRIPTION_TIMEOUT"), std::string::npos)
        << ended.error->message;
    EXPECT_NE(ended.error->message.find("stopped after 2 s of work"), std::string::npos)
        << ended.error->message;
    EXPECT_NE(ended.error->message.find("with 1 of 2 parts transcribed"), std::string::npos);
    EXPECT_EQ(store_->segments(made.task.id)->size(), 1U);
    EXPECT_GE(ended.worked, Millis{1'000});
    const auto attempts = store_->attempts(made.task.id);
    const auto stopped = std::ranges::find_if(
        *attempts, [](const ports::AttemptRow& a) { return a.outcome == "failed"; });
    ASSERT_NE(stopped, attempts->end());
    EXPECT_EQ(stopped->audio_done, Millis{5'000});
    EXPECT_NE(stopped->error->message.find("This part was at 0:00:45 of the recording."),
              std::string::npos)
        << stopped->error->message;
}

TEST_F(EngineTest, ANightAsleepCostsNeitherTheTaskNorItsLease) {
    settings_.speech_slots = 1;
    settings_.task_timeout = Millis{600'000};
    chunks_ = 1;
    Gate gate;
    workers_.on_transcribe =
        [&](const ports::TranscribeJob& job,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        if (!gate.pass(control.stop)) {
            return fail(ErrorClass::lost, "stopped", "Stopped.");
        }
        return transcribe(job);
    };
    start();
    const auto made = upload();
    ASSERT_TRUE(gate.wait_inside(1));
    clock_.sleep(std::chrono::hours{8});
    // The supervisor has looked, and has counted its work.
    std::int64_t seen = 0;
    const auto counted = [&] { return store_->task(made.task.id)->worked > Millis{0}; };
    while (!counted()) {
        const std::int64_t news = engine_->feed().wait_after(seen, kPatience);
        ASSERT_NE(news, seen) << "nothing happens any more";
        seen = news;
    }
    gate.open();
    const auto ended = wait_until_ended(made.task.id);
    EXPECT_EQ(ended.state, domain::TaskState::completed);
    EXPECT_LT(ended.worked, Millis{60'000});
    const auto attempts = store_->attempts(made.task.id);
    ASSERT_TRUE(attempts);
    for (const ports::AttemptRow& attempt : *attempts) {
        EXPECT_EQ(attempt.outcome, "completed");
    }
}

TEST_F(EngineTest, AutoChoosesAModelAndSaysWhy) {
    settings_.models = [] {
        return std::vector<domain::ModelCandidate>{
            {.engine = "scripted", .model = "large", .memory_bytes = 4'000, .accuracy = 2},
            {.engine = "scripted", .model = "small", .memory_bytes = 1'000, .accuracy = 1}};
    };
    std::mutex mutex;
    std::vector<std::string> asked;
    workers_.on_transcribe = [&](const ports::TranscribeJob& job,
                                 const ports::RunControl&) -> Result<ports::TranscribeOutcome> {
        const std::scoped_lock lock(mutex);
        asked.push_back(job.model);
        if (job.model == "large") {
            return fail(ErrorClass::memory, "memory_limit", "Too large.");
        }
        ports::TranscribeOutcome outcome = *transcribe(job);
        outcome.model = job.model;
        return outcome;
    };
    chunks_ = 1;
    start();
    const auto made = upload();
    const auto ended = wait_until_ended(made.task.id);
    EXPECT_EQ(ended.state, domain::TaskState::completed);
    EXPECT_NE(ended.model_reason.find("large is the most accurate"), std::string::npos)
        << ended.model_reason;
    EXPECT_EQ(asked, (std::vector<std::string>{"large", "small"})) << "smaller after memory";
    EXPECT_EQ(ended.model, "small") << "that did the work";
}

TEST_F(EngineTest, AChunkThatRanOutOfMemoryDoesNotMakeTheModelOfTheOthersSmaller) {
    settings_.speech_slots = 1;
    settings_.models = [] {
        return std::vector<domain::ModelCandidate>{
            {.engine = "scripted", .model = "large", .memory_bytes = 4'000, .accuracy = 2},
            {.engine = "scripted", .model = "small", .memory_bytes = 1'000, .accuracy = 1}};
    };
    std::mutex mutex;
    std::map<Millis, std::vector<std::string>> asked;
    workers_.on_transcribe = [&](const ports::TranscribeJob& job,
                                 const ports::RunControl&) -> Result<ports::TranscribeOutcome> {
        const std::scoped_lock lock(mutex);
        asked[job.span.start].push_back(job.model);
        if (job.span.start == Millis{0} && job.model == "large") {
            return fail(ErrorClass::memory, "memory_limit", "Too large.");
        }
        ports::TranscribeOutcome outcome = *transcribe(job);
        outcome.model = job.model;
        return outcome;
    };
    chunks_ = 8;
    start();
    const auto made = upload();
    const auto ended = wait_until_ended(made.task.id);
    EXPECT_EQ(ended.state, domain::TaskState::completed);
    EXPECT_EQ(ended.model, "large") << "which did all but one";
    ASSERT_GE(asked.size(), 3U);
    for (const auto& [start, models] : asked) {
        EXPECT_EQ(models, start == Millis{0} ? (std::vector<std::string>{"large", "small"})
                                             : std::vector<std::string>{"large"})
            << start.count();
    }
}

TEST_F(EngineTest, FromTranscribeAModelIsChosenForWhatIsAskedNow) {
    settings_.models = [] {
        return std::vector<domain::ModelCandidate>{
            {.engine = "scripted",
             .model = "english",
             .memory_bytes = 4'000,
             .accuracy = 3,
             .languages = {"en"}},
            {.engine = "scripted", .model = "large", .memory_bytes = 4'000, .accuracy = 2},
            {.engine = "scripted", .model = "small", .memory_bytes = 1'000, .accuracy = 1}};
    };
    std::mutex mutex;
    std::vector<std::string> asked;
    workers_.on_transcribe = [&](const ports::TranscribeJob& job,
                                 const ports::RunControl&) -> Result<ports::TranscribeOutcome> {
        const std::scoped_lock lock(mutex);
        asked.push_back(job.engine + " " + job.model);
        if (job.span.start == Millis{0} && job.model == "english") {
            return fail(ErrorClass::input, "cannot_hear", "This part cannot be recognised.");
        }
        if (job.model == "large") {
            return fail(ErrorClass::memory, "memory_limit", "Too large.");
        }
        ports::TranscribeOutcome outcome = *transcribe(job);
        outcome.model = job.model;
        return outcome;
    };
    start();
    const auto first = upload();  // its gap keeps the decoded audio
    ASSERT_EQ(wait_until_ended(first.task.id).state, domain::TaskState::partial_failure);
    ASSERT_EQ(store_->task(first.task.id)->model, "english");
    const int extracts = workers_.extracts;
    asked.clear();

    const auto expect_done_with_a_smaller_one = [&](const ports::TaskRow& made) {
        EXPECT_EQ(made.options.from_step, domain::Step::transcribe);
        EXPECT_EQ(made.engine, "scripted");
        EXPECT_EQ(made.model, "large");
        const auto ended = wait_until_ended(made.id);
        EXPECT_EQ(ended.state, domain::TaskState::completed);
        EXPECT_EQ(ended.model_reason, made.model_reason);
        const std::scoped_lock lock(mutex);
        EXPECT_FALSE(asked.empty());
        EXPECT_EQ(std::ranges::count(asked, "scripted large"),
                  std::ranges::count(asked, "scripted small"));
        EXPECT_EQ(std::ranges::count(asked, "scripted english"), 0);
        asked.clear();
        for (const ports::AttemptRow& attempt : *store_->attempts(made.id)) {
            EXPECT_TRUE(attempt.step != domain::Step::transcribe || attempt.model == "large" ||
                        attempt.model == "small")
                << attempt.model;
        }
    };
    const domain::TaskOptions chinese{.language = "zh", .from_step = domain::Step::transcribe};
    const auto by_itself = engine_->submit_task(first.media.id, chinese, false);
    ASSERT_TRUE(by_itself) << by_itself.error().message;
    EXPECT_NE(by_itself->task.model_reason.find("large is the most accurate"), std::string::npos)
        << by_itself->task.model_reason;
    expect_done_with_a_smaller_one(by_itself->task);

    domain::TaskOptions named = chinese;
    named.model = "large";
    const auto as_named = engine_->submit_task(first.media.id, named, false);
    ASSERT_TRUE(as_named) << as_named.error().message;
    expect_done_with_a_smaller_one(as_named->task);

    Engine::NewBatch batch;
    batch.items.emplace_back(Engine::NewBatch::Again{first.media.id, chinese});
    const auto in_a_batch = engine_->submit_batch(batch);
    ASSERT_TRUE(in_a_batch) << in_a_batch.error().message;
    const auto row = store_->task(in_a_batch->items.front().task_id);
    ASSERT_TRUE(row);
    EXPECT_EQ(row->model, "large");
    EXPECT_EQ(wait_until_ended(row->id).state, domain::TaskState::completed);
    EXPECT_EQ(workers_.extracts, extracts) << "nothing is decoded again";
}

TEST_F(EngineTest, WorkersStartOnlyWhereTheirModelFits) {
    settings_.speech_slots = 3;
    settings_.worker_memory_bytes = 100;
    settings_.free_memory_bytes = [] { return std::int64_t{150}; };  // for one more, not for two
    chunks_ = 6;
    Gate gate;
    workers_.on_transcribe =
        [&](const ports::TranscribeJob& job,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        if (!gate.pass(control.stop)) {
            return fail(ErrorClass::lost, "stopped", "Stopped.");
        }
        return transcribe(job);
    };
    start();
    const auto made = upload();
    ASSERT_TRUE(gate.wait_inside(1));
    EXPECT_EQ(engine_->view(made.task.id)->steps.size(), 3U);
    int with_worker = 0;
    for (const auto& unit : *store_->units(made.task.id)) {
        with_worker +=
            unit.step == domain::Step::transcribe && unit.state == domain::UnitState::processing
                ? 1
                : 0;
    }
    EXPECT_EQ(with_worker, 1) << "the first is promised its 100, and 50 are left";
    gate.open();
    EXPECT_EQ(wait_until_ended(made.task.id).state, domain::TaskState::completed);
}

// The blobs of a test, whose list of files the test may hold up: so long does housekeeping wait.
class SlowBlobs final : public testing::ForwardingBlobs {
  public:
    using ForwardingBlobs::ForwardingBlobs;
    Result<void> remove(const ports::BlobRef& blob) override {
        auto removed = ForwardingBlobs::remove(blob);
        const std::scoped_lock lock(mutex_);
        removed_.insert(blob.sha256);
        changed_.notify_all();
        return removed;
    }
    Result<std::vector<std::string>> list(const std::string& after, int limit) override {
        gate.pass({});
        return ForwardingBlobs::list(after, limit);
    }

    bool wait_removed(const ports::BlobRef& blob) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience, [&] { return removed_.contains(blob.sha256); });
    }

    Gate gate;

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::string> removed_;  // guarded by mutex_
};

ports::BlobRef store_blob(ports::BlobStore& blobs, const std::string& text) {
    auto blob = blobs.create(0);
    EXPECT_TRUE(blob.has_value() && (*blob)->write(std::as_bytes(std::span(text))).has_value());
    return *(*blob)->commit();
}

TEST_F(EngineTest, WorkBeginsBeforeTheFilesAreReconciled) {
    SlowBlobs blobs(*blobs_);
    const auto orphan = store_blob(*blobs_, "nobody's");
    engine_ = std::make_unique<Engine>(*store_, blobs, workers_, clock_, settings_);
    ASSERT_TRUE(engine_->start().has_value());
    ASSERT_TRUE(blobs.gate.wait_inside(1)) << "the first list of files is asked for, and waits";
    const auto made = upload();
    EXPECT_EQ(await(made.task.id, domain::TaskState::completed), domain::TaskState::completed);
    EXPECT_FALSE(engine_->housekeeping().reconciled_at.has_value());
    EXPECT_EQ(blobs_->exists(orphan), true);
    blobs.gate.open();
    EXPECT_TRUE(blobs.wait_removed(orphan));
    EXPECT_EQ(blobs_->exists(made.media.source), true);
    engine_.reset();
}

TEST_F(EngineTest, HouseIsKeptAgainAfterItsInterval) {
    settings_.housekeeping_interval = Millis{5};
    SlowBlobs blobs(*blobs_);
    blobs.gate.open();
    engine_ = std::make_unique<Engine>(*store_, blobs, workers_, clock_, settings_);
    ASSERT_TRUE(engine_->start().has_value());
    for (const char* text : {"one", "another", "a third"}) {
        EXPECT_TRUE(blobs.wait_removed(store_blob(*blobs_, text))) << text;
    }
    EXPECT_TRUE(engine_->housekeeping().reconciled_at.has_value());
    engine_.reset();
}

TEST_F(EngineTest, ATaskWhoseFileIsGoneFailsAtOnceUntilTheFileIsBack) {
    start();
    ASSERT_TRUE(store_->set_paused(true).has_value());
    const auto made = upload("to be lost");
    ASSERT_TRUE(blobs_->remove(made.media.source).has_value());
    ASSERT_TRUE(store_->set_paused(false).has_value());
    const auto failed = wait_until_ended(made.task.id);
    EXPECT_EQ(failed.state, domain::TaskState::failed);
    ASSERT_TRUE(failed.error.has_value());
    EXPECT_EQ(failed.error->cls, ErrorClass::input);
    EXPECT_EQ(failed.error->code, "source_missing");
    EXPECT_NE(failed.error->message.find("Upload it again"), std::string::npos);
    EXPECT_EQ(store_->attempts(made.task.id)->size(), 1U) << "no attempt can bring it back";
    upload("to be lost");
    ASSERT_TRUE(engine_->retry(made.task.id).has_value());
    EXPECT_EQ(await(made.task.id, domain::TaskState::completed), domain::TaskState::completed);
}

TEST_F(EngineTest, ATaskWhoseFileTheDiskCannotGiveBackEnds) {
    workers_.on_extract = [](const ports::ExtractJob&,
                             const ports::RunControl&) -> Result<ports::ExtractOutcome> {
        return std::unexpected(unreadable(EIO, "the media", "Upload the file again."));
    };
    start();
    const auto made = upload();
    const auto failed = wait_until_ended(made.task.id);
    EXPECT_EQ(failed.state, domain::TaskState::failed);
    ASSERT_TRUE(failed.error.has_value());
    EXPECT_EQ(failed.error->code, "unreadable");
    EXPECT_EQ(store_->attempts(made.task.id)->size(), 2U) << "it may have been a moment's";
}

TEST_F(EngineTest, ATaskWhoseDecodedAudioIsGoneFailsAtOnceAndReprocessDecodesAgain) {
    std::atomic<bool> pausing = true;
    workers_.on_extract = [&](const ports::ExtractJob& job, const ports::RunControl&) {
        if (pausing) {
            EXPECT_TRUE(store_->set_paused(true).has_value());
        }
        return extract(job);
    };
    start();
    const auto made = upload();
    std::vector<ports::NamedBlob> named;
    std::int64_t seen = engine_->feed().newest();
    for (named = *store_->named_blobs("", 10); named.size() < 2;  // source and decoded audio
         named = *store_->named_blobs("", 10)) {
        seen = engine_->feed().wait_after(seen, kPatience);
    }
    const auto audio = std::ranges::find(named, false, &ports::NamedBlob::is_source);
    ASSERT_NE(audio, named.end());
    ASSERT_TRUE(blobs_->remove(audio->blob).has_value());
    pausing = false;
    ASSERT_TRUE(store_->set_paused(false).has_value());
    const auto failed = wait_until_ended(made.task.id);
    EXPECT_EQ(failed.state, domain::TaskState::failed);
    ASSERT_TRUE(failed.error.has_value());
    EXPECT_EQ(failed.error->cls, ErrorClass::input);
    const auto parts = *store_->units(made.task.id);
    EXPECT_TRUE(std::ranges::all_of(parts, [](const ports::UnitRow& part) {
        return part.step != domain::Step::transcribe ||
               (part.error && part.error->code == "audio_missing");
    }));
    EXPECT_NE(failed.error->message.find("Reprocess the media"), std::string::npos)
        << failed.error->message;
    EXPECT_EQ(workers_.transcribes, 0);
    const auto again = engine_->submit_task(made.media.id, {}, false);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(await(again->task.id, domain::TaskState::completed), domain::TaskState::completed);
}

}  // namespace
}  // namespace durascribe::engine
