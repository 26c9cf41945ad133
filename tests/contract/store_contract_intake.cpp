// Requests that come twice, tasks that take over what an older one left, and tasks whose time is
// over.
#include "store_contract.h"

namespace durascribe::contract {

using domain::Lane;
using domain::Step;
using domain::TaskState;
using domain::UnitState;

namespace {

ports::NewTask again(const ports::TaskRow& row, std::optional<Step> from_step) {
    ports::NewTask task{.media_id = row.media_id, .id = new_id<TaskId>()};
    task.options.from_step = from_step;
    return task;
}

}  // namespace

TEST_P(StoreContract, ARequestThatComesTwiceIsAnsweredTwiceAndDoneOnce) {
    ports::NewMedia media{.id = new_id<MediaId>(),
                          .task_id = new_id<TaskId>(),
                          .title = "A talk",
                          .filename = "talk.mp4",
                          .source = {std::string(64, 'a'), 7},
                          .options = {.language = "de", .priority = 3},
                          .idempotency = ports::IdempotencyKey{"key", "all of it"}};
    const auto first = store_->submit(media);
    ASSERT_TRUE(first.has_value()) << first.error().message;
    EXPECT_FALSE(first->replayed);
    ASSERT_TRUE(store_->rename_media(first->media.id, "Another title").has_value());
    claim(Lane::media);
    const auto events = recorder_.events().size();
    reopen();

    media.id = new_id<MediaId>();
    media.task_id = new_id<TaskId>();
    const auto second = store_->submit(media);
    ASSERT_TRUE(second.has_value()) << second.error().message;
    EXPECT_TRUE(second->replayed);
    EXPECT_EQ(second->media.id, first->media.id);
    EXPECT_EQ(second->media.title, "A talk") << "as it was answered first";
    EXPECT_EQ(second->media.source, first->media.source);
    EXPECT_EQ(second->task.id, first->task.id);
    EXPECT_EQ(second->task.state, TaskState::pending);
    EXPECT_EQ(second->task.options, first->task.options);
    EXPECT_EQ(second->task.created_at, first->task.created_at);
    EXPECT_EQ(store_->list_media({}, {})->rows.size(), 1U);
    EXPECT_EQ(recorder_.events().size(), events);

    media.idempotency->fingerprint = "something else";
    EXPECT_ERROR(store_->submit(media), ErrorClass::request, "idempotency_key_reused");
    EXPECT_ERROR(store_->retry(first->task.id, media.idempotency), ErrorClass::request,
                 "idempotency_key_reused");
}

TEST_P(StoreContract, AKeyIsKnownOnceItsRequestWasAnswered) {
    EXPECT_EQ(store_->key_known({"k1", ""}).value(), false);
    ports::NewMedia media{.id = new_id<MediaId>(),
                          .task_id = new_id<TaskId>(),
                          .title = "A talk",
                          .filename = "talk.mp4",
                          .source = {std::string(64, 'a'), 7},
                          .options = {},
                          .idempotency = ports::IdempotencyKey{"k1", "f"}};
    ASSERT_TRUE(store_->submit(media).has_value());
    EXPECT_EQ(store_->key_known({"k1", ""}).value(), true);
    EXPECT_EQ(store_->key_known({"k2", ""}).value(), false);
}

TEST_P(StoreContract, AKeyOfOneOwnerIsNoneOfAnothers) {
    const auto submitted = [this](const std::string& owner, const std::string& fingerprint) {
        return store_->submit({.id = new_id<MediaId>(),
                               .task_id = new_id<TaskId>(),
                               .title = "A talk",
                               .filename = "talk.mp4",
                               .source = {std::string(64, 'a'), 7},
                               .options = {},
                               .idempotency = ports::IdempotencyKey{"k", fingerprint, owner}});
    };
    const auto first = submitted("a", "f");
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(store_->key_known({"k", "f", "a"}), true);
    for (const std::string owner : {"b", ""}) {
        EXPECT_EQ(store_->key_known({"k", "f", owner}), false) << owner;
        const auto other = submitted(owner, "something else");
        ASSERT_TRUE(other.has_value()) << other.error().message;
        EXPECT_FALSE(other->replayed);
        EXPECT_NE(other->media.id, first->media.id);
        EXPECT_EQ(store_->key_known({"k", "f", owner}), true) << owner;
    }
    const auto again = submitted("a", "f");
    ASSERT_TRUE(again.has_value());
    EXPECT_TRUE(again->replayed);
    EXPECT_EQ(again->media.id, first->media.id);
    EXPECT_ERROR(submitted("b", "f"), ErrorClass::request, "idempotency_key_reused");

    // They grow old like any other.
    let_days_pass(3);
    for (const std::string owner : {"a", "b", ""}) {
        EXPECT_EQ(store_->key_known({"k", "f", owner}), false) << owner;
    }
}

TEST_P(StoreContract, AMediaThatJoinsFindsTheNewestTaskThatDoesTheSame) {
    ports::NewMedia media{.id = new_id<MediaId>(),
                          .task_id = new_id<TaskId>(),
                          .title = "A talk",
                          .filename = "talk.mp4",
                          .source = {std::string(64, 'a'), 7},
                          .options = {.language = "de", .priority = 3},
                          .idempotency = {},
                          .join = true};
    const auto submit = [&] {
        clock_.advance(Millis{1});
        media.id = new_id<MediaId>();
        media.task_id = new_id<TaskId>();
        return store_->submit(media).value();
    };
    const auto first = submit();
    EXPECT_FALSE(first.replayed) << "there was nothing to join";
    media.options.priority = 0;
    const auto joined = submit();
    EXPECT_TRUE(joined.replayed);
    EXPECT_EQ(joined.media.id, first.media.id);
    EXPECT_EQ(joined.task.id, first.task.id);
    EXPECT_EQ(joined.task.options.priority, 3) << "the task as it is";

    media.options.language = "en";
    const auto other_work = submit();
    EXPECT_FALSE(other_work.replayed);
    media.source = {std::string(64, 'b'), 7};
    EXPECT_FALSE(submit().replayed) << "other bytes";
    media.source = {std::string(64, 'a'), 7};
    media.options.language = "de";
    EXPECT_EQ(submit().task.id, first.task.id) << "also past a newer one of other work";

    // One that is being cancelled is left to end; one that was is found again.
    claim(Lane::media);
    ASSERT_TRUE(store_->request_cancel(first.task.id).has_value());
    const auto second = submit();
    EXPECT_FALSE(second.replayed);
    media.join = false;
    EXPECT_FALSE(submit().replayed) << "not asked to join";
    media.join = true;
    ASSERT_TRUE(store_->request_cancel(second.task.id).has_value());
    const auto newest = submit();
    EXPECT_TRUE(newest.replayed);
    EXPECT_NE(newest.task.id, second.task.id) << "the newest is the one that did not join";
}

TEST_P(StoreContract, TheNewestIsTheOneMadeLastAlsoWhereTheWallClockWentBack) {
    const auto go_back = [&] { clock_.set_wall(clock_.wall() - std::chrono::hours(1)); };
    // To join.
    ports::NewMedia media{.id = new_id<MediaId>(),
                          .task_id = new_id<TaskId>(),
                          .title = "A talk",
                          .filename = "talk.mp4",
                          .source = {std::string(64, 'c'), 7},
                          .options = {},
                          .idempotency = {}};
    ASSERT_TRUE(store_->submit(media).has_value());
    go_back();
    media.id = new_id<MediaId>();
    media.task_id = new_id<TaskId>();
    const auto second = store_->submit(media).value();
    media.id = new_id<MediaId>();
    media.task_id = new_id<TaskId>();
    media.join = true;
    EXPECT_EQ(store_->submit(media).value().task.id, second.task.id);
    for (int i = 0; i < 2; ++i) {
        const auto unit = claim(Lane::media);
        ASSERT_TRUE(store_->request_cancel(unit.task_id).has_value());
        ASSERT_TRUE(store_->acknowledge_cancelled(unit.lease).has_value());
    }

    // To go on from: the first has two chunks, the second three.
    const auto row = submit_extracted(2);
    run_to_end(2, 1);
    go_back();
    ASSERT_TRUE(store_->submit_task(again(row, std::nullopt)).has_value());
    extract(claim(Lane::media).lease, 3);
    run_to_end(3, 1);
    for (const Step step : {Step::transcribe, Step::finalize}) {
        const auto made = store_->submit_task(again(row, step));
        ASSERT_TRUE(made.has_value()) << made.error().message;
        ASSERT_EQ(made->task.options.from_step, step);
        EXPECT_EQ(units_of(made->task.id, Step::transcribe).size(), 3U) << to_string(step);
        if (step == Step::transcribe) {
            ASSERT_TRUE(store_->request_cancel(made->task.id).has_value());
        }
    }
}

TEST_P(StoreContract, AMediaThatJoinsTakesWhatIsFinishedOverANewerThatIsNot) {
    ports::NewMedia media{.id = new_id<MediaId>(),
                          .task_id = new_id<TaskId>(),
                          .title = "A talk",
                          .filename = "talk.mp4",
                          .source = {std::string(64, 'a'), 7},
                          .options = {},
                          .idempotency = {},
                          .join = false};
    const auto submit = [&](bool join) {
        clock_.advance(Millis{1});
        media.id = new_id<MediaId>();
        media.task_id = new_id<TaskId>();
        media.join = join;
        return store_->submit(media).value();
    };
    const auto finished = submit(false);
    extract(claim(Lane::media).lease, 1);
    transcribe(claim(Lane::speech).lease);
    finalize(claim(Lane::local).lease);
    const auto active = submit(false);
    EXPECT_EQ(submit(true).task.id, finished.task.id) << "over one at work";
    ASSERT_TRUE(store_->request_cancel(active.task.id).has_value());
    EXPECT_EQ(submit(true).task.id, finished.task.id) << "over one that was cancelled";
}

TEST_P(StoreContract, AnAnswerOutlivesWhatItTellsOf) {
    const auto row = submit_extracted(0);
    finalize(claim(Lane::local).lease);
    ports::NewTask task = again(row, {});
    task.idempotency = ports::IdempotencyKey{"k", "f"};
    const auto first = store_->submit_task(task);
    ASSERT_TRUE(first.has_value());
    ASSERT_TRUE(store_->request_cancel(first->task.id).has_value());
    ASSERT_TRUE(store_->delete_media(row.media_id).has_value());
    const auto second = store_->submit_task(task);
    ASSERT_TRUE(second.has_value()) << second.error().message;
    EXPECT_TRUE(second->replayed);
    EXPECT_EQ(second->task.id, first->task.id);
    EXPECT_FALSE(store_->task(first->task.id).has_value());
}

TEST_P(StoreContract, ARetryThatComesTwiceIsOne) {
    const auto row = submit_extracted(3);
    fail_for_good(claim(Lane::speech).lease);
    const auto running = claim(Lane::speech);
    transcribe(running.lease);
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    ASSERT_EQ(task(row.id).state, TaskState::cancelled);
    const ports::IdempotencyKey key{"retry", "this task"};
    const auto first = store_->retry(row.id, key);
    ASSERT_TRUE(first.has_value()) << first.error().message;
    EXPECT_EQ(first->failed, 1);
    EXPECT_EQ(first->cancelled, 1);
    EXPECT_EQ(first->task.current_step, "retry_queued");
    EXPECT_FALSE(first->task.completed_at || first->task.error || first->task.cancel_requested_at);
    EXPECT_EQ(first->task.worked, Millis{0});
    const auto second = store_->retry(row.id, key);
    ASSERT_TRUE(second.has_value()) << second.error().message;
    EXPECT_TRUE(second->replayed);
    EXPECT_EQ(second->failed, 1);
    EXPECT_EQ(second->queued, first->queued);
    EXPECT_EQ(task(row.id).run_number, 2);
}

TEST_P(StoreContract, FromFinalizeTakesOverTheChunks) {
    const auto row = submit_extracted(3);
    run_to_end(3, 1);
    ASSERT_EQ(task(row.id).state, TaskState::partial_failure);
    const auto made = store_->submit_task(again(row, Step::finalize));
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ(made->task.options.from_step, Step::finalize);
    expect_nothing_to_claim(Lane::media);
    expect_nothing_to_claim(Lane::speech);
    EXPECT_EQ(store_->segments(made->task.id)->size(), 2U);
    EXPECT_EQ(store_->gaps(made->task.id)->size(), 1U);
    const auto unit = claim(Lane::local);
    EXPECT_EQ(unit.task_id, made->task.id);
    finalize(unit.lease);
    EXPECT_EQ(task(made->task.id).state, TaskState::partial_failure) << "the gap is still there";
    tasks_.push_back(made->task.id);
    ASSERT_TRUE(store_->retry(made->task.id).has_value());
    const auto gap = claim(Lane::speech);
    EXPECT_EQ(gap.ordinal, 1) << "and a retry fills it";
    EXPECT_EQ(gap.pcm.sha256, std::string(64, 'b'));
}

TEST_P(StoreContract, FromFinalizeOverSilenceIsOneUnit) {
    const auto row = submit();
    extract(claim(Lane::media).lease, 0);
    finalize(claim(Lane::local).lease);
    ASSERT_EQ(task(row.id).state, TaskState::completed);
    const auto made = store_->submit_task(again(row, Step::finalize));
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ(made->task.options.from_step, Step::finalize);
    expect_nothing_to_claim(Lane::media);
    finalize(claim(Lane::local).lease);
    EXPECT_EQ(task(made->task.id).state, TaskState::completed);
    EXPECT_EQ(store_->units(made->task.id)->size(), 1U);
}

// Of a silence there are no chunks that could be served in place of what was not finalized.
TEST_P(StoreContract, WhatAnEarlierRunDeliveredIsNotThisRuns) {
    const auto row = submit();
    extract(claim(Lane::media).lease, 0);
    finalize(claim(Lane::local).lease);
    auto with_speakers = again(row, Step::diarize);
    with_speakers.options.diarize = true;
    const auto made = store_->submit_task(with_speakers);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    tasks_.push_back(made->task.id);
    fail_for_good(claim(domain::lane_of(Step::diarize)).lease);
    EXPECT_EQ(finalize(claim(Lane::local).lease).task_state, TaskState::partial_failure);
    ASSERT_TRUE(store_->retry(made->task.id).has_value());
    fail_for_good(claim(domain::lane_of(Step::diarize)).lease);
    EXPECT_EQ(fail_for_good(claim(Lane::local).lease).task_state, TaskState::failed);
    EXPECT_TRUE(store_->retry(made->task.id).has_value());
}

TEST_P(StoreContract, FromTranscribeTakesOverTheDecodedAudioOrStartsBeforeIt) {
    const auto row = submit_extracted(2);
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    const auto made = store_->submit_task(again(row, Step::transcribe));
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ(made->task.options.from_step, Step::transcribe);
    const auto unit = claim(Lane::speech);
    EXPECT_EQ(unit.task_id, made->task.id);
    EXPECT_EQ(unit.pcm.sha256, std::string(64, 'b'));
    EXPECT_GT(unit.span.length(), Millis{0});
    transcribe(unit.lease);
    run_to_end(1);
    EXPECT_EQ(task(made->task.id).state, TaskState::completed);

    // Completed tasks let go of the decoded audio, but the cancelled one still has it; without it:
    const auto other = submit_extracted(1);
    run_to_end(1);
    const auto whole = store_->submit_task(again(other, Step::transcribe));
    ASSERT_TRUE(whole.has_value());
    EXPECT_EQ(whole->task.options.from_step, std::nullopt) << "says what is really done";
    EXPECT_EQ(claim(Lane::media).task_id, whole->task.id);
}

TEST_P(StoreContract, FromTranscribeHasTheModelThatWasChosenForIt) {
    const auto row = submit_extracted(2);
    run_to_end(2, 1);
    auto task_again = again(row, Step::transcribe);
    task_again.choice = {.engine = "whisper", .model = "large", .reason = "It is the best."};
    const auto made = store_->submit_task(task_again);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ(made->task.engine, "whisper");
    EXPECT_EQ(made->task.model, "large");
    EXPECT_EQ(made->task.model_reason, "It is the best.");
    const auto unit = claim(Lane::speech);
    ASSERT_EQ(unit.task_id, made->task.id);
    EXPECT_EQ(unit.engine, "whisper");
    EXPECT_EQ(unit.model, "large");
    EXPECT_EQ(store_->attempts(made->task.id)->at(0).model, "large");
    ASSERT_TRUE(store_->request_cancel(made->task.id).has_value());
    ASSERT_TRUE(store_->acknowledge_cancelled(unit.lease).has_value());

    // What is taken over from its chunks was done by another.
    auto joined_again = again(row, Step::finalize);
    joined_again.choice = task_again.choice;
    clock_.advance(Millis{1});
    const auto joined = store_->submit_task(joined_again);
    ASSERT_TRUE(joined.has_value()) << joined.error().message;
    EXPECT_EQ(joined->task.engine, "pocketsphinx");
    EXPECT_EQ(joined->task.model, "en-us");
}

TEST_P(StoreContract, ALaterStepTakesOverOnlyWhatTheSameAudioTrackLeft) {
    const auto row = submit_extracted(2);
    run_to_end(2, 1);  // of the default track, with its decoded audio kept
    for (const Step step : {Step::transcribe, Step::finalize}) {
        auto other = again(row, step);
        other.options.audio_track = 1;
        const auto made = store_->submit_task(other);
        ASSERT_TRUE(made.has_value()) << made.error().message;
        EXPECT_EQ(made->task.options.from_step, std::nullopt) << to_string(step);
        const auto unit = claim(Lane::media);
        EXPECT_EQ(unit.task_id, made->task.id) << "begins with extract";
        ASSERT_TRUE(store_->request_cancel(made->task.id).has_value());
        ASSERT_TRUE(store_->acknowledge_cancelled(unit.lease).has_value());
    }
    // Its own track's, though another track was heard since.
    auto of_track_1 = again(row, std::nullopt);
    of_track_1.options.audio_track = 1;
    clock_.advance(Millis{1});
    const auto newer = store_->submit_task(of_track_1);
    ASSERT_TRUE(newer.has_value()) << newer.error().message;
    extract(claim(Lane::media).lease, 3);
    run_to_end(3, 0);
    for (const std::optional<int> track : {std::optional<int>{}, std::optional{1}}) {
        auto same = again(row, Step::finalize);
        same.options.audio_track = track;
        clock_.advance(Millis{1});
        const auto made = store_->submit_task(same);
        ASSERT_TRUE(made.has_value()) << made.error().message;
        EXPECT_EQ(made->task.options.from_step, Step::finalize);
        EXPECT_EQ(units_of(made->task.id, Step::transcribe).size(), track ? 3U : 2U);
        finalize(claim(Lane::local).lease);
    }
}

TEST_P(StoreContract, ATaskWhoseTimeIsOverDeliversWhatIsFinished) {
    const auto row = submit_extracted(4);
    transcribe(claim(Lane::speech).lease);
    const auto running = claim(Lane::speech);
    const Error over{ErrorClass::timeout, "task_timeout", "Stopped after 60 s.", {}};
    ASSERT_TRUE(store_->expire_task(row.id, 1, over).has_value());
    expect_nothing_to_claim(Lane::speech);
    EXPECT_EQ(task(row.id).state, TaskState::processing) << "its worker is not dead yet";
    const auto end = store_->fail_unit(
        running.lease, {.error = over, .audio_done = Millis{5}, .for_good = true}, {}, 0.5);
    ASSERT_TRUE(end.has_value()) << end.error().message;
    EXPECT_EQ(end->unit_state, UnitState::failed);
    ASSERT_TRUE(store_->expire_task(row.id, 1, over).has_value()) << "finalizing goes on";
    finalize(claim(Lane::local).lease);
    EXPECT_EQ(task(row.id).state, TaskState::partial_failure);
    EXPECT_EQ(task(row.id).error->cls, ErrorClass::timeout);
    EXPECT_EQ(store_->gaps(row.id)->size(), 3U);
    EXPECT_EQ(store_->retry(row.id)->failed, 3);
}

TEST_P(StoreContract, ATaskWhoseTimeIsOverWithNothingFinishedFails) {
    const auto row = submit_extracted(2);
    ASSERT_TRUE(store_->expire_task(row.id, 1, {ErrorClass::timeout, "task_timeout", "Over.", {}})
                    .has_value());
    EXPECT_EQ(task(row.id).state, TaskState::failed);
    EXPECT_ERROR(store_->expire_task(new_id<TaskId>(), 1, {}), ErrorClass::request, "not_found");
}

TEST_P(StoreContract, ATaskWhoseTimeIsOverInARunBeforeGoesOn) {
    const auto row = submit_extracted(2);
    const Error over{ErrorClass::timeout, "task_timeout", "Over.", {}};
    ASSERT_TRUE(store_->expire_task(row.id, 1, over).has_value());
    ASSERT_EQ(task(row.id).state, TaskState::failed);
    ASSERT_TRUE(store_->retry(row.id).has_value());
    const auto before = task(row.id);
    clock_.advance(Millis{1});
    const auto events = recorder_.events().size();
    const auto late = store_->expire_task(row.id, 1, over);  // who looked before the retry
    ASSERT_TRUE(late.has_value()) << late.error().message;
    EXPECT_EQ(late->run_number, 2);
    EXPECT_EQ(late->state, before.state);
    EXPECT_EQ(task(row.id).updated_at, before.updated_at);
    EXPECT_EQ(recorder_.events().size(), events);
    EXPECT_EQ(claim(Lane::speech).run_number, 2) << "nothing of the new run has failed";
    ASSERT_TRUE(store_->expire_task(row.id, 2, over).has_value());
    EXPECT_EQ(units_of(row.id, Step::transcribe)[1].state, UnitState::failed);
}

TEST_P(StoreContract, ATaskWhoseTimeIsOverTellsOfEachPartThatItGivesUp) {
    const auto row = submit_extracted(3);
    claim(Lane::speech);
    ASSERT_TRUE(store_->expire_task(row.id, 1, {ErrorClass::timeout, "task_timeout", "Over.", {}})
                    .has_value());
    EXPECT_EQ(task(row.id).state, TaskState::processing);
    int told = 0;
    for (const auto& e : recorder_.events()) {
        told += e.type == "unit.failed" && e.task_id == row.id ? 1 : 0;
    }
    EXPECT_EQ(told, 2);
}

TEST_P(StoreContract, AFailedFinalizeDoesNotCostTheTranscript) {
    const auto row = submit_extracted(2);
    transcribe(claim(Lane::speech).lease, "one");
    transcribe(claim(Lane::speech).lease, "two");
    fail_for_good(claim(Lane::local).lease);
    EXPECT_EQ(task(row.id).state, TaskState::partial_failure);
    EXPECT_EQ(store_->segments(row.id)->size(), 2U);
    ASSERT_TRUE(store_->retry(row.id).has_value());
    finalize(claim(Lane::local).lease);
    EXPECT_EQ(task(row.id).state, TaskState::completed);
}

TEST_P(StoreContract, AFailedFinalizeOfARetryDoesNotHideWhatTheRetryRecognised) {
    const auto row = submit_extracted(2);
    transcribe(claim(Lane::speech).lease, "one");
    fail_for_good(claim(Lane::speech).lease);
    finalize(claim(Lane::local).lease);
    ASSERT_EQ(task(row.id).state, TaskState::partial_failure);
    ASSERT_TRUE(store_->retry(row.id).has_value());
    transcribe(claim(Lane::speech).lease, "two");
    EXPECT_EQ(fail_for_good(claim(Lane::local).lease).task_state, TaskState::partial_failure);
    const auto shown = [&] {
        std::vector<std::string> texts;
        for (const auto& s : store_->transcript(row.id)->segments) {
            texts.push_back(s.segment.text);
        }
        return texts;
    };
    EXPECT_EQ(shown(), (std::vector<std::string>{"one", "two"}));
    EXPECT_EQ(store_->segments(row.id)->size(), 2U);
    EXPECT_FALSE(store_->document(row.id, domain::DocumentFormat::srt)->has_value())
        << "it had a gap";
    EXPECT_TRUE(store_->gaps(row.id)->empty());
    const auto hits = [&] { return store_->search({.text = "two", .media = {}}, {})->hits.size(); };
    EXPECT_EQ(hits(), 1U);
    ASSERT_TRUE(store_->retry(row.id).has_value());
    EXPECT_EQ(shown(), (std::vector<std::string>{"one", "two"})) << "also while it is retried";
    EXPECT_EQ(store_->shown_task(row.media_id)->value().id, row.id);
    EXPECT_EQ(store_->list_media({.has_transcript = true}, {})->rows.size(), 1U);
    EXPECT_EQ(hits(), 1U);
    finalize(claim(Lane::local).lease);
    EXPECT_EQ(task(row.id).state, TaskState::completed);
    EXPECT_EQ(shown(), (std::vector<std::string>{"joined"}));
}

TEST_P(StoreContract, AFailedDiarizationDoesNotCostTheTranscript) {
    const ports::NewMedia media{.id = new_id<MediaId>(),
                                .task_id = new_id<TaskId>(),
                                .title = "t",
                                .filename = "f",
                                .source = {std::string(64, 'a'), 7},
                                .options = {.diarize = true}};
    ASSERT_TRUE(store_->submit(media).has_value());
    tasks_.push_back(media.task_id);
    extract(claim(Lane::media).lease, 2);
    transcribe(claim(Lane::speech).lease, "one");
    transcribe(claim(Lane::speech).lease, "two");
    const auto diarize = claim(Lane::speech);
    ASSERT_EQ(diarize.step, Step::diarize);
    fail_for_good(diarize.lease);
    EXPECT_EQ(store_->segments(media.task_id)->size(), 2U) << "served meanwhile";
    EXPECT_EQ(finalize(claim(Lane::local).lease).task_state, TaskState::partial_failure);
    EXPECT_TRUE(store_->document(media.task_id, domain::DocumentFormat::srt)->has_value());
    EXPECT_EQ(task(media.task_id).error->message, "it broke");
    EXPECT_EQ(store_->retry(media.task_id)->queued.at(0), (std::pair{Step::diarize, 1}));
}

TEST_P(StoreContract, AfterRunningOutOfMemoryTheNextAttemptHasTheSmallerModel) {
    submit_extracted(1);
    const auto unit = claim(Lane::speech);
    const auto end = store_->fail_unit(
        unit.lease,
        {.error = {ErrorClass::memory, "memory_limit", "Too large.", {}}, .smaller_model = "tiny"},
        {.base = Millis{0}}, 0.5);
    ASSERT_TRUE(end.has_value()) << end.error().message;
    const auto again = claim(Lane::speech);
    EXPECT_EQ(again.model, "tiny");
    EXPECT_EQ(store_->attempts(again.task_id)->back().model, "tiny");
}

TEST_P(StoreContract, APersonsRetryGivesAChunkTheModelOfItsTaskAgain) {
    submit_extracted(2);
    const auto unit = claim(Lane::speech);
    ASSERT_TRUE(store_
                    ->fail_unit(unit.lease,
                                {.error = {ErrorClass::memory, "memory_limit", "Too large.", {}},
                                 .smaller_model = "tiny"},
                                {.base = Millis{0}}, 0.5)
                    .has_value());
    const auto smaller = claim(Lane::speech);
    ASSERT_EQ(smaller.model, "tiny");
    fail_for_good(smaller.lease);
    transcribe(claim(Lane::speech).lease);
    finalize(claim(Lane::local).lease);
    ASSERT_TRUE(store_->retry(unit.task_id).has_value());
    EXPECT_EQ(units_of(unit.task_id, Step::transcribe).at(0).model, "");
    const auto retried = claim(Lane::speech);
    EXPECT_EQ(retried.lease.unit, unit.lease.unit);
    EXPECT_EQ(retried.model, "en-us");
    EXPECT_EQ(store_->attempts(unit.task_id)->back().model, "en-us");
}

TEST_P(StoreContract, ARetryAfterTakesThePlaceOfTheBackoff) {
    submit();
    const auto unit = claim(Lane::media);
    ASSERT_TRUE(store_
                    ->fail_unit(unit.lease,
                                {.error = {ErrorClass::network, "busy", "Busy.", {}},
                                 .retry_after = Millis{90'000}},
                                {}, 0.5)
                    .has_value());
    clock_.advance(Millis{89'000});
    expect_nothing_to_claim(Lane::media);
    clock_.advance(Millis{1'000});
    EXPECT_EQ(claim(Lane::media).lease.unit, unit.lease.unit);
}

TEST_P(StoreContract, EachAttemptIsKept) {
    const auto row = submit();
    const auto first = claim(Lane::media);
    ASSERT_TRUE(store_
                    ->fail_unit(first.lease,
                                {.error = {ErrorClass::crash, "worker_died", "It died.", {}},
                                 .audio_done = Millis{1'234}},
                                {}, 0.5)
                    .has_value());
    clock_.advance(Millis{10});
    extract(claim(Lane::media).lease, 1);
    const auto attempts = store_->attempts(row.id);
    ASSERT_EQ(attempts->size(), 2U);
    EXPECT_EQ(attempts->at(0).step, Step::extract);
    EXPECT_EQ(attempts->at(0).number, 1);
    EXPECT_EQ(attempts->at(0).outcome, "failed");
    EXPECT_EQ(attempts->at(0).error->cls, ErrorClass::crash);
    EXPECT_EQ(attempts->at(0).error->message, "It died.");
    EXPECT_EQ(attempts->at(0).audio_done, Millis{1'234});
    EXPECT_EQ(attempts->at(0).node, node_.value);
    EXPECT_EQ(attempts->at(1).number, 2);
    EXPECT_EQ(attempts->at(1).outcome, "completed");
    EXPECT_TRUE(attempts->at(1).ended_at.has_value());
}

}  // namespace durascribe::contract
