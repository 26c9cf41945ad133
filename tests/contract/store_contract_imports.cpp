// Media that are fetched from a URL.
#include <gmock/gmock.h>

#include "store_contract.h"

namespace durascribe::contract {
namespace {

using domain::Lane;
using domain::Step;
using domain::TaskState;

constexpr const char* kUrl = "https://media.example/talk.mp4";

ports::NewMedia import_of(const std::string& url = kUrl, bool titled = false) {
    ports::NewMedia media{.id = new_id<MediaId>(),
                          .task_id = new_id<TaskId>(),
                          .title = "talk",
                          .filename = "talk.mp4",
                          .source = {},
                          .url = url,
                          .titled = titled};
    media.options.from_url = true;
    return media;
}

TEST_P(StoreContract, AnImportIsFetchedThenExtracted) {
    const auto made = store_->submit(import_of());
    ASSERT_TRUE(made.has_value()) << made.error().message << made.error().detail;
    tasks_.push_back(made->task.id);
    EXPECT_TRUE(made->media.source.empty());
    EXPECT_EQ(made->media.source_url, kUrl);
    EXPECT_FALSE(made->source_known);
    expect_nothing_to_claim(Lane::media);
    const auto unit = claim(Lane::fetch);
    EXPECT_EQ(unit.step, Step::acquire);
    EXPECT_EQ(task(made->task.id).current_step, "acquire");

    ports::ImportRow row = **store_->import_of(made->media.id);
    EXPECT_EQ(row.url, kUrl);
    EXPECT_EQ(row.bytes_done, 0);
    row.etag = "\"v1\"";
    row.last_modified = "Sat, 28 Nov 2026 08:00:00 GMT";
    row.bytes_done = 100;
    row.bytes_total = 300;
    row.filename = "The real talk.mp4";
    ASSERT_TRUE(store_->record_import(unit.lease, row));
    reopen();
    ASSERT_TRUE(store_->recover(new_id<NodeId>()));
    const auto kept = **store_->import_of(made->media.id);
    EXPECT_EQ(kept.etag, row.etag);
    EXPECT_EQ(kept.last_modified, row.last_modified);
    EXPECT_EQ(kept.bytes_done, 100);
    EXPECT_EQ(kept.bytes_total, 300);
    EXPECT_ERROR(store_->record_import(unit.lease, row), ErrorClass::lost, "stale_lease");

    const auto again = claim(Lane::fetch);
    EXPECT_ERROR(store_->finish_acquire(again.lease), ErrorClass::internal, "not_whole");
    row.source = {std::string(64, 'e'), 300};
    ASSERT_TRUE(store_->record_import(again.lease, row));
    EXPECT_EQ(store_->blob_referenced(row.source.sha256), true);
    EXPECT_ERROR(store_->finish_acquire(unit.lease), ErrorClass::lost, "stale_lease");
    const auto end = store_->finish_acquire(again.lease);
    ASSERT_TRUE(end.has_value()) << end.error().message << end.error().detail;
    EXPECT_EQ(end->task_state, TaskState::pending);
    EXPECT_FALSE(store_->import_of(made->media.id)->has_value());
    const auto media = *store_->media(made->media.id);
    EXPECT_EQ(media.source, row.source);
    EXPECT_EQ(media.filename, "The real talk.mp4");
    EXPECT_EQ(media.title, "The real talk");
    EXPECT_EQ(store_->blob_referenced(row.source.sha256), true);
    const auto extracting = claim(Lane::media);
    EXPECT_EQ(extracting.source, row.source);
    extract(extracting.lease, 1);
    run_to_end(1);
    EXPECT_EQ(task(made->task.id).state, TaskState::completed);
}

TEST_P(StoreContract, WhatWasFetchedIsLoadedBeforeALargerSource) {
    const auto film = submit(0, 600'000'000);
    const auto made = store_->submit(import_of());
    ASSERT_TRUE(made.has_value()) << made.error().message << made.error().detail;
    tasks_.push_back(made->task.id);
    const auto unit = claim(Lane::fetch);
    ports::ImportRow row = **store_->import_of(made->media.id);
    row.source = {std::string(64, 'e'), 300};
    ASSERT_TRUE(store_->record_import(unit.lease, row));
    ASSERT_TRUE(store_->finish_acquire(unit.lease).has_value());
    EXPECT_EQ(claim(Lane::media).task_id, made->task.id);
    EXPECT_EQ(claim(Lane::media).task_id, film.id);
}

TEST_P(StoreContract, ATitleThatWasChosenStays) {
    auto media = import_of(kUrl, true);
    media.title = "Mine";
    const auto made = store_->submit(media);
    ASSERT_TRUE(made.has_value());
    const auto unit = claim(Lane::fetch);
    ports::ImportRow row = **store_->import_of(made->media.id);
    row.filename = "other.mp4";
    row.source = {std::string(64, 'e'), 3};
    ASSERT_TRUE(store_->record_import(unit.lease, row));
    ASSERT_TRUE(store_->finish_acquire(unit.lease));
    EXPECT_EQ(store_->media(made->media.id)->title, "Mine");
    EXPECT_EQ(store_->media(made->media.id)->filename, "other.mp4");
}

TEST_P(StoreContract, ARenameWhileItIsFetchedStays) {
    const auto made = store_->submit(import_of());
    ASSERT_TRUE(made.has_value());
    const auto unit = claim(Lane::fetch);
    ASSERT_TRUE(store_->rename_media(made->media.id, "Mine"));
    ports::ImportRow row = **store_->import_of(made->media.id);
    row.filename = "other.mp4";
    row.source = {std::string(64, 'e'), 3};
    ASSERT_TRUE(store_->record_import(unit.lease, row));
    const int revision = store_->media(made->media.id)->revision;
    ASSERT_TRUE(store_->finish_acquire(unit.lease));
    const auto media = *store_->media(made->media.id);
    EXPECT_EQ(media.title, "Mine");
    EXPECT_EQ(media.filename, "other.mp4");
    EXPECT_EQ(media.revision, revision) << "its title is what it was";
}

TEST_P(StoreContract, ATitleThatComesWithTheFileIsAChange) {
    const auto made = store_->submit(import_of());
    ASSERT_TRUE(made.has_value());
    const int seen = made->media.revision;
    const auto unit = claim(Lane::fetch);
    ports::ImportRow row = **store_->import_of(made->media.id);
    row.filename = "The real talk.mp4";
    row.source = {std::string(64, 'e'), 3};
    ASSERT_TRUE(store_->record_import(unit.lease, row));
    ASSERT_TRUE(store_->finish_acquire(unit.lease));
    EXPECT_EQ(store_->media(made->media.id)->title, "The real talk");
    EXPECT_ERROR(store_->rename_media(made->media.id, "Mine", std::vector{seen}),
                 ErrorClass::request, "precondition_failed");
    EXPECT_EQ(store_->media(made->media.id)->title, "The real talk");
}

TEST_P(StoreContract, AnImportThatFailedIsRetriedFromWhereItWas) {
    const auto made = store_->submit(import_of());
    ASSERT_TRUE(made.has_value());
    const auto unit = claim(Lane::fetch);
    ports::ImportRow row = **store_->import_of(made->media.id);
    row.bytes_done = 7;
    ASSERT_TRUE(store_->record_import(unit.lease, row));
    fail_for_good(unit.lease);
    EXPECT_EQ(task(made->task.id).state, TaskState::failed);
    ASSERT_TRUE(store_->retry(made->task.id));
    EXPECT_EQ(claim(Lane::fetch).step, Step::acquire);
    EXPECT_EQ((*store_->import_of(made->media.id))->bytes_done, 7);
}

TEST_P(StoreContract, ANewTaskFetchesOnlyWhatIsNotThere) {
    const auto made = store_->submit(import_of());
    ASSERT_TRUE(made.has_value());
    fail_for_good(claim(Lane::fetch).lease);
    clock_.advance(Millis{1});
    const auto anew = store_->submit_task({.media_id = made->media.id, .id = new_id<TaskId>()});
    ASSERT_TRUE(anew.has_value()) << anew.error().message;
    EXPECT_TRUE(anew->task.options.from_url);
    const auto unit = claim(Lane::fetch);
    ports::ImportRow row = **store_->import_of(made->media.id);
    row.source = {std::string(64, 'e'), 3};
    ASSERT_TRUE(store_->record_import(unit.lease, row));
    ASSERT_TRUE(store_->finish_acquire(unit.lease));
    fail_for_good(claim(Lane::media).lease);
    clock_.advance(Millis{1});
    domain::TaskOptions same = anew->task.options;
    const auto third =
        store_->submit_task({.media_id = made->media.id, .id = new_id<TaskId>(), .options = same});
    ASSERT_TRUE(third.has_value());
    EXPECT_FALSE(third->task.options.from_url);
    EXPECT_EQ(claim(Lane::media).step, Step::extract);
}

TEST_P(StoreContract, ATaskThatIsRetriedTakesWhatAnotherHasFetched) {
    const auto made = store_->submit(import_of());
    ASSERT_TRUE(made.has_value());
    tasks_.push_back(made->task.id);
    fail_for_good(claim(Lane::fetch).lease);
    clock_.advance(Millis{1});
    const auto anew = store_->submit_task({.media_id = made->media.id, .id = new_id<TaskId>()});
    ASSERT_TRUE(anew.has_value());
    const auto unit = claim(Lane::fetch);
    ports::ImportRow row = **store_->import_of(made->media.id);
    row.filename = "real.mp4";
    row.source = {std::string(64, 'e'), 3};
    ASSERT_TRUE(store_->record_import(unit.lease, row));
    ASSERT_TRUE(store_->finish_acquire(unit.lease));
    fail_for_good(claim(Lane::media).lease);
    ASSERT_TRUE(store_->rename_media(made->media.id, "Mine"));

    ASSERT_TRUE(store_->retry(made->task.id));
    const auto again = claim(Lane::fetch);
    const auto end = store_->finish_acquire(again.lease);
    ASSERT_TRUE(end.has_value()) << end.error().message << end.error().detail;
    EXPECT_EQ(end->unit_state, domain::UnitState::completed);
    EXPECT_EQ(store_->media(made->media.id)->title, "Mine") << "it stays as it is";
    EXPECT_EQ(claim(Lane::media).source, row.source);
}

TEST_P(StoreContract, ImportsAreFoundByTheirUrl) {
    const auto first = store_->submit(import_of());
    clock_.advance(Millis{1});
    const auto second = store_->submit(import_of());
    ASSERT_TRUE(first && second);
    submit();
    EXPECT_EQ((*store_->newest_media_from(kUrl))->id, second->media.id);
    EXPECT_FALSE(store_->newest_media_from("")->has_value());
    EXPECT_FALSE(store_->newest_media_from("https://media.example/other.mp4")->has_value());
    ASSERT_TRUE(store_->request_cancel(second->task.id));
    ASSERT_TRUE(store_->delete_media(second->media.id));
    EXPECT_EQ((*store_->newest_media_from(kUrl))->id, first->media.id);
    EXPECT_FALSE(store_->import_of(second->media.id)->has_value());
}

}  // namespace
}  // namespace durascribe::contract
