// Uploads that come in pieces: offsets, whole, finished, gone.
#include "store_contract.h"

namespace durascribe::contract {
namespace {

constexpr Millis kDay{24LL * 3600 * 1000};

ports::NewUpload upload_of(std::optional<std::int64_t> length) {
    return {.id = new_id<UploadId>(),
            .media_id = new_id<MediaId>(),
            .task_id = new_id<TaskId>(),
            .length = length,
            .filename = "talk.wav",
            .title = "Talk",
            .options = {.language = "de", .priority = 7},
            .metadata = "filename dGFsay53YXY=",
            .idempotency = {}};
}

ports::BlobRef blob(char digit, std::int64_t size) {
    return {std::string(64, digit), size};
}

}  // namespace

TEST_P(StoreContract, AnUploadBecomesAMediaOnceHoweverOftenItIsFinished) {
    const auto asked = upload_of(10);
    const auto made = store_->create_upload(asked, {});
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ(made->offset, 0);
    EXPECT_EQ(made->metadata, asked.metadata);
    EXPECT_EQ(made->options.language, "de");
    EXPECT_ERROR(store_->finish_upload(asked.id), ErrorClass::request, "not_found");
    ASSERT_EQ(store_->record_upload(asked.id, 4)->offset, 4);
    reopen();
    EXPECT_EQ(store_->upload(asked.id)->offset, 4);
    EXPECT_EQ(store_->sealed_uploads()->size(), 0U);

    const auto source = blob('a', 10);
    EXPECT_EQ(store_->blob_referenced(source.sha256), false);
    const auto sealed = store_->seal_upload(asked.id, source);
    ASSERT_TRUE(sealed.has_value());
    EXPECT_EQ(sealed->offset, 10);
    EXPECT_EQ(sealed->source, source);
    EXPECT_FALSE(sealed->finished);
    EXPECT_EQ(store_->blob_referenced(source.sha256), true) << "a removal would take its bytes";
    EXPECT_EQ(store_->named_blobs("", 10)->size(), 0U) << "it may not be in its place yet";
    EXPECT_ERROR(store_->record_upload(asked.id, 4), ErrorClass::request, "not_found");
    EXPECT_EQ(store_->seal_upload(asked.id, blob('b', 10))->source, source);
    reopen();
    EXPECT_EQ(*store_->sealed_uploads(), std::vector{asked.id});

    const auto finished = store_->finish_upload(asked.id);
    ASSERT_TRUE(finished.has_value()) << finished.error().message;
    EXPECT_EQ(finished->media.id, asked.media_id);
    EXPECT_EQ(finished->media.title, "Talk");
    EXPECT_EQ(finished->media.source, source);
    EXPECT_EQ(finished->task.id, asked.task_id);
    EXPECT_EQ(finished->task.options.priority, 7);
    EXPECT_FALSE(finished->replayed);
    tasks_.push_back(asked.task_id);
    EXPECT_TRUE(store_->upload(asked.id)->finished);
    EXPECT_EQ(store_->sealed_uploads()->size(), 0U);
    EXPECT_TRUE(store_->finish_upload(asked.id)->replayed);
    EXPECT_EQ(store_->list_media({}, {})->rows.size(), 1U);
}

TEST_P(StoreContract, AFinishedUploadDoesNotBringADeletedMediaBack) {
    const auto asked = upload_of(3);
    ASSERT_TRUE(store_->create_upload(asked, {}).has_value());
    ASSERT_TRUE(store_->seal_upload(asked.id, blob('c', 3)).has_value());
    ASSERT_TRUE(store_->finish_upload(asked.id).has_value());
    tasks_.push_back(asked.task_id);
    fail_for_good(claim(domain::Lane::media).lease);
    ASSERT_TRUE(store_->delete_media(asked.media_id).has_value());
    EXPECT_EQ(store_->blob_referenced(blob('c', 3).sha256), false);
    const auto again = store_->finish_upload(asked.id);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->media.id, asked.media_id);
    EXPECT_EQ(store_->list_media({}, {})->rows.size(), 0U);
    pruned_ = true;  // the events name what is gone
}

TEST_P(StoreContract, AnUploadWhoseLengthComesLater) {
    const auto asked = upload_of(std::nullopt);
    ASSERT_TRUE(store_->create_upload(asked, {}).has_value());
    EXPECT_EQ(store_->record_upload(asked.id, 100)->length, std::nullopt);
    EXPECT_EQ(store_->record_upload(asked.id, 100, 200)->length, 200);
    EXPECT_EQ(store_->record_upload(asked.id, 150)->length, 200);
    EXPECT_EQ(store_->record_upload(asked.id, 50)->offset, 50) << "a piece was lost";
}

TEST_P(StoreContract, HalfDoneUploadsAreLimitedInNumberAndSize) {
    const ports::UploadLimits limits{.count_max = 2, .bytes_max = 100};
    const auto first = upload_of(60);
    ASSERT_TRUE(store_->create_upload(first, limits).has_value());
    EXPECT_ERROR(store_->create_upload(upload_of(41), limits), ErrorClass::request,
                 "too_many_uploads");
    const auto second = upload_of(40);
    ASSERT_TRUE(store_->create_upload(second, limits).has_value());
    EXPECT_ERROR(store_->create_upload(upload_of(std::nullopt), limits), ErrorClass::request,
                 "too_many_uploads");
    ASSERT_TRUE(store_->delete_upload(second.id).has_value());
    EXPECT_ERROR(store_->delete_upload(second.id), ErrorClass::request, "not_found");
    EXPECT_TRUE(store_->create_upload(upload_of(40), limits).has_value());
}

TEST_P(StoreContract, TheSameKeyMakesOneUpload) {
    auto first = upload_of(60);
    first.idempotency = {.key = "k", .fingerprint = "f"};
    ASSERT_TRUE(store_->create_upload(first, {}).has_value());
    auto again = upload_of(60);
    again.idempotency = first.idempotency;
    EXPECT_EQ(store_->create_upload(again, {})->id, first.id);
    EXPECT_ERROR(store_->upload(again.id), ErrorClass::request, "not_found");
    again.idempotency->fingerprint = "other";
    EXPECT_ERROR(store_->create_upload(again, {}), ErrorClass::request, "idempotency_key_reused");
    ASSERT_TRUE(store_->delete_upload(first.id).has_value());
    again.idempotency = first.idempotency;
    EXPECT_ERROR(store_->create_upload(again, {}), ErrorClass::request, "not_found");
}

TEST_P(StoreContract, AnUploadExpiresSomeDaysAfterItsLastPieceUnlessItIsWhole) {
    const auto idle = upload_of(10);
    const auto alive = upload_of(10);
    const auto whole = upload_of(10);
    for (const auto& one : {idle, alive, whole}) {
        ASSERT_TRUE(store_->create_upload(one, {}).has_value());
    }
    ASSERT_TRUE(store_->seal_upload(whole.id, blob('d', 10)).has_value());
    const ports::Retention retention{.uploads = kDay * 3};
    int gone = 0;
    for (int day = 1; day <= 5; ++day) {
        clock_.advance(kDay);
        ASSERT_TRUE(store_->record_upload(alive.id, day).has_value());
        const auto pruned = store_->prune(retention, 1'000);
        ASSERT_TRUE(pruned.has_value());
        gone += pruned->uploads;
        if (day < 3) {
            EXPECT_EQ(gone, 0) << "day " << day;
        }
    }
    EXPECT_EQ(gone, 1);
    EXPECT_ERROR(store_->upload(idle.id), ErrorClass::request, "not_found");
    EXPECT_TRUE(store_->upload(alive.id).has_value());
    EXPECT_TRUE(store_->upload(whole.id).has_value());
    clock_.advance(kDay * 3650);  // a clock that jumps
    EXPECT_EQ(store_->prune(retention, 1'000)->uploads, 0);
    pruned_ = true;
}

}  // namespace durascribe::contract
