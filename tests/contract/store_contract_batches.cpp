// Many submissions as one, and files of watched folders.
#include <gmock/gmock.h>

#include "store_contract.h"

namespace durascribe::contract {
namespace {

ports::NewMedia file(const std::string& name) {
    return {.id = new_id<MediaId>(),
            .task_id = new_id<TaskId>(),
            .title = name,
            .filename = name,
            .source = {std::string(64, 'a'), 7}};
}

TEST_P(StoreContract, ABatchIsMadeAsAWholeAndReadAsItIsNow) {
    const auto old_one = submit();
    fail_for_good(claim(domain::Lane::media).lease);
    clock_.advance(Millis{1});
    const ports::NewBatch batch{.id = new_id<BatchId>(),
                                .title = "Monday",
                                .items = {file("one"), ports::NewTask{.media_id = old_one.media_id,
                                                                      .id = new_id<TaskId>()}},
                                .idempotency = ports::IdempotencyKey{"key", "asked"}};
    const auto made = store_->submit_batch(batch);
    ASSERT_TRUE(made.has_value()) << made.error().message << made.error().detail;
    ASSERT_EQ(made->items.size(), 2U);
    EXPECT_EQ(made->items[0].media->title, "one");
    EXPECT_EQ(made->items[1].media_id, old_one.media_id);
    EXPECT_EQ(made->items[1].task->state, domain::TaskState::pending);
    reopen();
    fail_for_good(claim(domain::Lane::media).lease);
    const auto now = store_->batch(batch.id);
    ASSERT_TRUE(now.has_value());
    EXPECT_EQ(now->title, "Monday");
    EXPECT_EQ((now->items[0].task->state == domain::TaskState::failed) +
                  (now->items[1].task->state == domain::TaskState::failed),
              1);
    ports::NewBatch again = batch;
    again.id = new_id<BatchId>();
    const auto replayed = store_->submit_batch(again);
    ASSERT_TRUE(replayed.has_value());
    EXPECT_TRUE(replayed->replayed);
    EXPECT_EQ(replayed->id, batch.id);
    again.idempotency->fingerprint = "asked for something else";
    EXPECT_ERROR(store_->submit_batch(again), ErrorClass::request, "idempotency_key_reused");
    EXPECT_EQ(store_->list_batches({})->rows.size(), 1U);
    EXPECT_ERROR(store_->batch(new_id<BatchId>()), ErrorClass::request, "not_found");
}

TEST_P(StoreContract, AnUploadInPiecesIsAnItemOnceItIsFinished) {
    const ports::NewUpload upload{.id = new_id<UploadId>(),
                                  .media_id = new_id<MediaId>(),
                                  .task_id = new_id<TaskId>(),
                                  .length = 7,
                                  .filename = "talk.wav",
                                  .title = "talk",
                                  .options = {},
                                  .metadata = {},
                                  .idempotency = {},
                                  .charge = {}};
    ASSERT_TRUE(store_->create_upload(upload, {}).has_value());
    ports::NewBatch batch{.id = new_id<BatchId>(),
                          .items = {file("one"), ports::FromUpload{upload.id}}};
    EXPECT_ERROR(store_->submit_batch(batch), ErrorClass::request, "upload_not_finished");
    EXPECT_TRUE(store_->submit_batch(batch).error().message.starts_with("items[1]: "));
    ASSERT_TRUE(store_->seal_upload(upload.id, {std::string(64, 'b'), 7}).has_value());
    EXPECT_ERROR(store_->submit_batch(batch), ErrorClass::request, "upload_not_finished");
    ASSERT_TRUE(store_->finish_upload(upload.id).has_value());
    const auto made = store_->submit_batch(batch);
    ASSERT_TRUE(made.has_value()) << made.error().message << made.error().detail;
    EXPECT_EQ(made->items[1].media_id, upload.media_id);
    EXPECT_EQ(made->items[1].task_id, upload.task_id);
    EXPECT_EQ(store_->counts()->pending, 2) << "no second task of it";
    ASSERT_TRUE(store_->request_cancel(upload.task_id).has_value());
    ASSERT_TRUE(store_->delete_media(upload.media_id).has_value());
    for (const UploadId& gone : {upload.id, new_id<UploadId>()}) {
        batch = {.id = new_id<BatchId>(), .items = {ports::FromUpload{gone}}};
        EXPECT_ERROR(store_->submit_batch(batch), ErrorClass::request, "not_found");
    }
}

TEST_P(StoreContract, OfABatchWithOneWrongItemNothingIsMade) {
    const auto running = submit();
    for (const auto& [media, code] :
         {std::pair{new_id<MediaId>(), "not_found"}, {running.media_id, "task_running"}}) {
        const ports::NewBatch batch{
            .id = new_id<BatchId>(),
            .items = {file("one"), ports::NewTask{.media_id = media, .id = new_id<TaskId>()}}};
        EXPECT_ERROR(store_->submit_batch(batch), ErrorClass::request, code);
        EXPECT_ERROR(store_->batch(batch.id), ErrorClass::request, "not_found");
    }
    EXPECT_EQ(store_->list_media({}, {})->rows.size(), 1U);
}

TEST_P(StoreContract, ABatchGoesWithTheLastOfItsMedia) {
    const ports::NewBatch batch{.id = new_id<BatchId>(), .items = {file("one"), file("two")}};
    const auto made = store_->submit_batch(batch);
    ASSERT_TRUE(made.has_value());
    for (int i = 0; i < 2; ++i) {
        fail_for_good(claim(domain::Lane::media).lease);
    }
    ASSERT_TRUE(store_->delete_media(made->items[0].media_id));
    const auto half = store_->batch(batch.id);
    ASSERT_TRUE(half.has_value());
    EXPECT_FALSE(half->items[0].media || half->items[0].task);
    EXPECT_TRUE(half->items[1].media && half->items[1].task);
    ASSERT_TRUE(store_->delete_media(made->items[1].media_id));
    EXPECT_ERROR(store_->batch(batch.id), ErrorClass::request, "not_found");
}

TEST_P(StoreContract, AFormOfAWatchedFileIsTakenOnce) {
    ports::NewMedia media = file("talk.wav");
    media.watched =
        ports::WatchedFile{.path = "/in/talk.wav", .inode = 5, .size = 7, .mtime_ns = 9};
    const auto made = store_->submit(media);
    ASSERT_TRUE(made.has_value()) << made.error().message << made.error().detail;
    reopen();
    ports::NewMedia again = file("talk.wav");
    again.watched = media.watched;
    const auto replayed = store_->submit(again);
    ASSERT_TRUE(replayed.has_value());
    EXPECT_TRUE(replayed->replayed);
    EXPECT_EQ(replayed->task.id, made->task.id);
    EXPECT_TRUE(store_->unwritten_files(10)->empty()) << "it has not ended";
    fail_for_good(claim(domain::Lane::media).lease);
    EXPECT_TRUE(store_->unwritten_files(10)->empty()) << "it may be retried";
    ASSERT_TRUE(store_->retry(made->task.id));
    extract(claim(domain::Lane::media).lease, 1);
    run_to_end(1);
    ASSERT_EQ(store_->unwritten_files(10)->size(), 1U);
    EXPECT_EQ(store_->unwritten_files(10)->at(0).file, *media.watched);
    ASSERT_TRUE(store_->mark_written(*media.watched));
    EXPECT_TRUE(store_->unwritten_files(10)->empty());
    EXPECT_TRUE((*store_->watched_file("/in/talk.wav"))->written);

    // Deleted, it is not taken again; changed, it is.
    ASSERT_TRUE(store_->delete_media(made->media.id));
    const auto gone = store_->submit(again);
    ASSERT_TRUE(gone.has_value());
    EXPECT_TRUE(gone->replayed);
    again.watched->mtime_ns = 10;
    const auto changed = store_->submit(again);
    ASSERT_TRUE(changed.has_value());
    EXPECT_FALSE(changed->replayed);
    ASSERT_TRUE(store_->mark_written(*media.watched)) << "of a form that is no more: nothing";
    EXPECT_FALSE((*store_->watched_file("/in/talk.wav"))->written);
    EXPECT_FALSE(store_->watched_file("/in/other.wav")->has_value());
}

}  // namespace
}  // namespace durascribe::contract
