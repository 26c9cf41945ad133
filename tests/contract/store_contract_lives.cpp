// Whole lives of tasks: the good one, silence, intake, claims, many callers at once.
#include <atomic>
#include <set>
#include <thread>

#include "store_contract.h"

namespace durascribe::contract {
namespace {

using domain::Lane;
using domain::Step;
using domain::TaskState;
using domain::UnitState;

TEST_P(StoreContract, AGoodLifeGoesThroughItsStepsAndKeepsAllItMade) {
    const auto row = submit();
    EXPECT_EQ(row.state, TaskState::pending);
    EXPECT_EQ(row.current_step, "queued");
    EXPECT_TRUE(recorder_.take_lane(Lane::media));

    const auto unit = claim(Lane::media);
    EXPECT_EQ(unit.step, Step::extract);
    EXPECT_EQ(unit.attempt, 1);
    EXPECT_EQ(unit.source.size_bytes, 7);
    EXPECT_EQ(task(row.id).state, TaskState::processing);
    EXPECT_EQ(task(row.id).current_step, "extract");
    EXPECT_EQ(extract(unit.lease, 2).task_state, TaskState::pending);
    EXPECT_TRUE(recorder_.take_lane(Lane::speech));
    expect_nothing_to_claim(Lane::local);

    const auto first = claim(Lane::speech);
    const auto second = claim(Lane::speech);
    EXPECT_EQ(first.ordinal, 0);
    EXPECT_EQ(second.ordinal, 1);
    EXPECT_EQ(second.span, (domain::AudioSpan{Millis{30'000}, Millis{60'000}}));
    EXPECT_EQ(first.pcm.sha256, std::string(64, 'b'));
    EXPECT_EQ(first.media_duration, Millis{60'000});
    EXPECT_EQ(transcribe(second.lease, "two").task_state, TaskState::processing);
    EXPECT_FALSE(recorder_.take_lane(Lane::local));
    EXPECT_EQ(transcribe(first.lease, "one").task_state, TaskState::pending);
    EXPECT_TRUE(recorder_.take_lane(Lane::local));
    const auto partly = store_->segments(row.id);
    ASSERT_EQ(partly->size(), 2U);
    EXPECT_EQ((*partly)[0].text, "one");
    EXPECT_EQ((*partly)[0].words.at(0).text, "one");
    EXPECT_EQ(*store_->document(row.id, domain::DocumentFormat::srt), std::nullopt);

    EXPECT_EQ(finalize(claim(Lane::local).lease).task_state, TaskState::completed);
    const auto done = task(row.id);
    EXPECT_EQ(done.progress, 100);
    EXPECT_EQ(done.engine, "pocketsphinx");
    EXPECT_FALSE(done.error.has_value());
    EXPECT_EQ(store_->segments(row.id)->at(0).text, "joined");
    EXPECT_EQ(store_->segments(row.id)->at(0).speaker, "A");
    EXPECT_EQ(*store_->document(row.id, domain::DocumentFormat::txt), "joined\n");
    EXPECT_EQ((*store_->peaks(row.media_id))->min_max,
              (std::vector<std::int8_t>{-128, 127, -1, 1}));
    const auto media = store_->media(row.media_id);
    EXPECT_EQ(media->info->duration, Millis{60'000});
    EXPECT_EQ(media->info->audio_tracks.at(0).codec, "aac");
    EXPECT_EQ(media->info->warnings.at(0), "The file ends early.");
    for (const auto& attempt : *store_->attempts(row.id)) {
        EXPECT_EQ(attempt.outcome, "completed");
        EXPECT_TRUE(attempt.ended_at.has_value());
    }
}

TEST_P(StoreContract, SilenceSkipsToFinalize) {
    const auto row = submit_extracted(0);
    EXPECT_EQ(claim(Lane::local).step, Step::finalize);
    EXPECT_EQ(task(row.id).state, TaskState::processing);
}

TEST_P(StoreContract, SubmitIsIdempotentInItsIds) {
    ports::NewMedia media{.id = new_id<MediaId>(),
                          .task_id = new_id<TaskId>(),
                          .title = "a",
                          .filename = {},
                          .source = {},
                          .options = {}};
    ASSERT_TRUE(store_->submit(media).has_value());
    const auto events = recorder_.events().size();
    const auto again = store_->submit(media);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->task.id, media.task_id);
    EXPECT_EQ(recorder_.events().size(), events) << "the second call does nothing";
    media.task_id = new_id<TaskId>();
    EXPECT_ERROR(store_->submit(media), ErrorClass::request, "id_conflict");
}

TEST_P(StoreContract, OneActiveTaskPerMedia) {
    const auto row = submit();
    const auto refused =
        store_->submit_task({.media_id = row.media_id, .id = new_id<TaskId>(), .force = false});
    EXPECT_ERROR(refused, ErrorClass::request, "task_running");
    EXPECT_EQ(refused.error().detail, row.id.value);
    EXPECT_ERROR(store_->submit_task(
                     {.media_id = new_id<MediaId>(), .id = new_id<TaskId>(), .force = false}),
                 ErrorClass::request, "not_found");

    // Nothing of it runs: force ends it at once.
    const auto second =
        store_->submit_task({.media_id = row.media_id, .id = new_id<TaskId>(), .force = true});
    ASSERT_TRUE(second.has_value()) << second.error().message;
    EXPECT_EQ(task(row.id).state, TaskState::cancelled);
    EXPECT_EQ((*store_->newest_task(row.media_id))->id, second->task.id);

    // A unit runs: the old one stops while the new one waits already.
    const auto unit = claim(Lane::media);
    const auto third =
        store_->submit_task({.media_id = row.media_id, .id = new_id<TaskId>(), .force = true});
    ASSERT_TRUE(third.has_value()) << third.error().message;
    EXPECT_EQ(third->replaced, second->task.id);
    ASSERT_EQ(third->stopping.size(), 1U);
    EXPECT_EQ(third->stopping[0], unit.lease);
    EXPECT_TRUE(task(second->task.id).cancel_requested_at.has_value());
    EXPECT_EQ(task(second->task.id).state, TaskState::processing) << "its worker is not dead yet";
    EXPECT_EQ(task(third->task.id).state, TaskState::pending);
    EXPECT_ERROR(store_->submit_task({.media_id = row.media_id, .id = new_id<TaskId>()}),
                 ErrorClass::request, "task_running");
    EXPECT_ERROR(store_->delete_media(row.media_id), ErrorClass::request, "task_running");
    ASSERT_TRUE(store_->acknowledge_cancelled(unit.lease).has_value());
    EXPECT_EQ(task(second->task.id).state, TaskState::cancelled);
    EXPECT_EQ(claim(Lane::media).task_id, third->task.id);
    EXPECT_ERROR(store_->retry(second->task.id), ErrorClass::request, "task_running");
}

TEST_P(StoreContract, DeletedMediaIsGoneWithItsBlobs) {
    const auto row = submit_extracted(1);
    EXPECT_ERROR(store_->delete_media(row.media_id), ErrorClass::request, "task_running");
    EXPECT_EQ(store_->blob_referenced(std::string(64, 'b')), true);
    // Cancelled, so that the decoded audio is kept for a retry.
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    EXPECT_EQ(store_->blob_referenced(std::string(64, 'b')), true);
    const auto other = submit();  // has the same source
    const auto blobs = store_->delete_media(row.media_id);
    ASSERT_TRUE(blobs.has_value()) << blobs.error().message;
    ASSERT_EQ(blobs->size(), 1U) << "the source is named by another media still";
    EXPECT_EQ(blobs->at(0).sha256, std::string(64, 'b'));
    EXPECT_EQ(store_->blob_referenced(std::string(64, 'b')), false);
    EXPECT_EQ(store_->blob_referenced(std::string(64, 'a')), true);
    EXPECT_ERROR(store_->media(row.media_id), ErrorClass::request, "not_found");
    EXPECT_ERROR(store_->task(row.id), ErrorClass::request, "not_found");
    EXPECT_TRUE(store_->segments(row.id)->empty());
    EXPECT_ERROR(store_->delete_media(row.media_id), ErrorClass::request, "not_found");
    EXPECT_EQ((*store_->newest_media_of({std::string(64, 'a'), 7}))->id, other.media_id);
}

TEST_P(StoreContract, ACompletedTaskLetsGoOfItsDecodedAudio) {
    const auto row = submit_extracted(1);
    EXPECT_EQ(store_->blob_referenced(std::string(64, 'b')), true);
    run_to_end(1);
    EXPECT_EQ(task(row.id).state, TaskState::completed);
    EXPECT_EQ(store_->blob_referenced(std::string(64, 'b')), false);
    EXPECT_EQ(store_->blob_referenced(std::string(64, 'a')), true);
}

TEST_P(StoreContract, RenamedMediaShowsItsNewTitle) {
    const auto row = submit();
    EXPECT_EQ(store_->rename_media(row.media_id, "Über")->title, "Über");
    EXPECT_EQ(store_->media(row.media_id)->title, "Über");
    EXPECT_ERROR(store_->rename_media(new_id<MediaId>(), "x"), ErrorClass::request, "not_found");
}

TEST_P(StoreContract, ManyCallersAtOnceEachGetTheirOwnUnit) {
    constexpr int kThreads = 16;
    constexpr int kTasks = 10;
    std::mutex mutex;
    std::set<std::int64_t> leased;
    std::vector<std::thread> threads;
    std::atomic<int> failures = 0;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < kTasks; ++n) {
                ports::NewMedia media{.id = new_id<MediaId>(),
                                      .task_id = new_id<TaskId>(),
                                      .title = "t",
                                      .filename = {},
                                      .source = {},
                                      .options = {}};
                const auto row = store_->submit(media);
                const auto unit = store_->claim({.node = node_, .lane = Lane::media, .model = {}});
                if (!row || !unit || !*unit || !store_->finish_extract((*unit)->lease, {})) {
                    ++failures;
                    continue;
                }
                const std::lock_guard lock(mutex);
                tasks_.push_back(media.task_id);
                if (!leased.insert((*unit)->lease.unit.value).second) {
                    ++failures;
                }
            }
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
    EXPECT_EQ(failures, 0);
    EXPECT_EQ(leased.size(), std::size_t{kThreads * kTasks});
    EXPECT_EQ(store_->counts()->pending, kThreads * kTasks);
}

TEST_P(StoreContract, WhatIsThereSurvivesAReopening) {
    const auto row = submit_extracted(2);
    transcribe(claim(Lane::speech).lease, "kept");
    reopen();
    EXPECT_EQ(store_->segments(row.id)->at(0).text, "kept");
    EXPECT_EQ(claim(Lane::speech).ordinal, 1);
}

}  // namespace
}  // namespace durascribe::contract
