// Tokens, sessions, and on whose account things are made (ports::TokenStore).
#include "store_contract.h"

namespace durascribe::contract {
namespace {

ports::NewToken token_named(const std::string& name, char digit) {
    return {.id = new_id<TokenId>(),
            .name = name,
            .secret_sha256 = std::string(64, digit),
            .scopes = domain::Scopes{}.add(domain::Scope::read).add(domain::Scope::write)};
}

ports::NewMedia media_of(const ports::Charge& charge, std::int64_t bytes, char digit = 'a') {
    return {.id = new_id<MediaId>(),
            .task_id = new_id<TaskId>(),
            .title = "talk",
            .filename = "talk.wav",
            .source = {std::string(64, digit), bytes},
            .charge = charge};
}

}  // namespace

TEST_P(StoreContract, ATokenIsKeptAsItWasMade) {
    ports::NewToken token = token_named("nightly", '1');
    token.expires_at = clock_.wall() + Millis{1'000};
    token.limits = {.requests_per_second = 5, .jobs = 0, .storage_bytes = 1LL << 40};
    const auto made = store_->create_token(token);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    reopen();
    const auto tokens = store_->tokens();
    ASSERT_TRUE(tokens.has_value());
    ASSERT_EQ(tokens->size(), 1U);
    const ports::TokenRow& row = tokens->front();
    EXPECT_EQ(row.id, token.id);
    EXPECT_EQ(row.name, "nightly");
    EXPECT_EQ(row.secret_sha256, token.secret_sha256);
    EXPECT_EQ(row.scopes, token.scopes);
    EXPECT_EQ(row.created_at, clock_.wall());
    EXPECT_EQ(row.expires_at, token.expires_at);
    EXPECT_EQ(row.last_used_at, std::nullopt);
    EXPECT_EQ(row.limits, token.limits);
    EXPECT_EQ(row.stored_bytes, 0);
}

TEST_P(StoreContract, ATokensNameIsItsOwn) {
    ASSERT_TRUE(store_->create_token(token_named("a", '1')).has_value());
    EXPECT_ERROR(store_->create_token(token_named("a", '2')), ErrorClass::request,
                 "token_name_taken");
    clock_.advance(Millis{1});
    ASSERT_TRUE(store_->create_token(token_named("b", '2')).has_value());
    EXPECT_EQ(store_->tokens()->front().name, "a") << "oldest first";
}

TEST_P(StoreContract, ARequestForATokenIsAnsweredOnce) {
    const ports::IdempotencyKey key{"key", "this token"};
    const auto made = store_->create_token(token_named("a", '1'), key);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    reopen();
    const auto again = store_->create_token(token_named("a", '2'), key);
    EXPECT_ERROR(again, ErrorClass::request, "token_secret_gone");
    EXPECT_TRUE(again.error().message.contains(made->id.value)) << again.error().message;
    EXPECT_ERROR(store_->create_token(token_named("b", '2'), ports::IdempotencyKey{"key", "b"}),
                 ErrorClass::request, "idempotency_key_reused");
    EXPECT_EQ(store_->tokens()->size(), 1U);
}

TEST_P(StoreContract, ThereAreNotEndlesslyManyTokens) {
    for (int i = 0; i < ports::kTokensMax; ++i) {
        ports::NewToken token = token_named("t" + std::to_string(i), '0');
        token.secret_sha256.replace(0, 4, std::to_string(1000 + i).substr(0, 4));
        ASSERT_TRUE(store_->create_token(token).has_value()) << i;
    }
    EXPECT_ERROR(store_->create_token(token_named("one more", 'f')), ErrorClass::request,
                 "too_many_tokens");
}

TEST_P(StoreContract, ARevokedTokenIsGoneWithItsSessionsAndLeavesWhatItMade) {
    const auto kept = *store_->create_token(token_named("kept", '1'));
    const auto gone = *store_->create_token(token_named("gone", '2'));
    const auto session = [&](const TokenId& token, char digit) {
        return ports::SessionRow{std::string(64, digit), token, clock_.wall(),
                                 clock_.wall() + Millis{1'000}};
    };
    ASSERT_TRUE(store_->open_session(session(kept.id, 'a')).has_value());
    ASSERT_TRUE(store_->open_session(session(gone.id, 'b')).has_value());
    const auto media = store_->submit(media_of({.token = gone.id}, 100));
    ASSERT_TRUE(media.has_value());
    tasks_.push_back(media->task.id);

    ASSERT_TRUE(store_->revoke_token(gone.id).has_value());
    EXPECT_ERROR(store_->revoke_token(gone.id), ErrorClass::request, "not_found");
    ASSERT_EQ(store_->sessions()->size(), 1U);
    EXPECT_EQ(store_->sessions()->front().token, kept.id);
    EXPECT_TRUE(store_->media(media->media.id).has_value());
    EXPECT_ERROR(store_->open_session(session(gone.id, 'c')), ErrorClass::request, "not_found");
    // Its name is free again.
    EXPECT_TRUE(store_->create_token(token_named("gone", '3')).has_value());
}

TEST_P(StoreContract, ASessionEndsAndTheOldOnesGoWithTheNext) {
    const auto token = *store_->create_token(token_named("t", '1'));
    const ports::SessionRow first{std::string(64, 'a'), token.id, clock_.wall(),
                                  clock_.wall() + Millis{1'000}};
    const ports::SessionRow second{std::string(64, 'b'), token.id, clock_.wall(),
                                   clock_.wall() + Millis{9'000}};
    ASSERT_TRUE(store_->open_session(first).has_value());
    ASSERT_TRUE(store_->open_session(second).has_value());
    EXPECT_EQ(store_->sessions()->size(), 2U);
    clock_.advance(Millis{1'000});
    ASSERT_TRUE(store_
                    ->open_session({std::string(64, 'c'), token.id, clock_.wall(),
                                    clock_.wall() + Millis{1'000}})
                    .has_value());
    EXPECT_EQ(store_->sessions()->size(), 2U);
    ASSERT_TRUE(store_->end_session(second.secret_sha256).has_value());
    ASSERT_TRUE(store_->end_session(second.secret_sha256).has_value()) << "again does no harm";
    EXPECT_EQ(store_->sessions()->size(), 1U);
}

TEST_P(StoreContract, ALastUseOnlyMovesOn) {
    const auto token = *store_->create_token(token_named("t", '1'));
    const WallTime now = clock_.wall();
    const auto note = [&](WallTime at) {
        const ports::TokenUse uses[] = {{token.id, at}, {new_id<TokenId>(), at}};
        ASSERT_TRUE(store_->note_token_use(uses).has_value());
    };
    note(now);
    EXPECT_EQ(store_->tokens()->front().last_used_at, now);
    note(now - Millis{5});
    EXPECT_EQ(store_->tokens()->front().last_used_at, now);
    note(now + Millis{5});
    EXPECT_EQ(store_->tokens()->front().last_used_at, now + Millis{5});
}

TEST_P(StoreContract, TheMediaOfATokenCountUntilTheyAreGone) {
    const auto token = *store_->create_token(token_named("t", '1'));
    const ports::Charge charge{.token = token.id, .storage_max = 100};
    const auto first = store_->submit(media_of(charge, 60, 'a'));
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(store_->tokens()->front().stored_bytes, 60);
    EXPECT_ERROR(store_->submit(media_of(charge, 41, 'b')), ErrorClass::request, "storage_quota");
    EXPECT_ERROR(store_->check_charge(charge, 41), ErrorClass::request, "storage_quota");
    EXPECT_TRUE(store_->check_charge(charge, 40).has_value());
    EXPECT_TRUE(store_->check_charge(charge, 0).has_value());
    const auto second = store_->submit(media_of(charge, 40, 'b'));
    ASSERT_TRUE(second.has_value());
    EXPECT_EQ(store_->tokens()->front().stored_bytes, 100);
    // Others are not concerned, nor is what nobody is charged for.
    const auto free = store_->submit(media_of({}, 1'000, 'c'));
    ASSERT_TRUE(free.has_value());

    ASSERT_TRUE(store_->request_cancel(first->task.id).has_value());
    ASSERT_TRUE(store_->delete_media(first->media.id).has_value());
    EXPECT_EQ(store_->tokens()->front().stored_bytes, 40);
    EXPECT_TRUE(store_->check_charge(charge, 60).has_value());
    tasks_ = {second->task.id, free->task.id};
}

TEST_P(StoreContract, TheTasksOfATokenCountUntilTheyEnd) {
    const auto token = *store_->create_token(token_named("t", '1'));
    const ports::Charge charge{.token = token.id, .jobs_max = 2};
    const auto first = store_->submit(media_of(charge, 1, 'a'));
    const auto second = store_->submit(media_of(charge, 1, 'b'));
    ASSERT_TRUE(first.has_value() && second.has_value());
    tasks_ = {first->task.id, second->task.id};
    EXPECT_ERROR(store_->submit(media_of(charge, 1, 'c')), ErrorClass::request, "too_many_jobs");
    EXPECT_ERROR(store_->check_charge(charge, 0), ErrorClass::request, "too_many_jobs");

    // A new task in the place of another; then one more than there may be.
    const auto replaced = store_->submit_task(
        {.media_id = first->media.id, .id = new_id<TaskId>(), .force = true, .charge = charge});
    ASSERT_TRUE(replaced.has_value()) << replaced.error().message;
    tasks_.push_back(replaced->task.id);
    EXPECT_ERROR(store_->retry(first->task.id, {}, charge), ErrorClass::request, "task_running");
    const auto other = store_->submit(media_of({}, 1, 'd'));
    ASSERT_TRUE(other.has_value());
    tasks_.push_back(other->task.id);
    ASSERT_TRUE(store_->request_cancel(other->task.id).has_value());
    EXPECT_ERROR(store_->retry(other->task.id, {}, charge), ErrorClass::request, "too_many_jobs");
    EXPECT_EQ(task(other->task.id).state, domain::TaskState::cancelled) << "nothing changed";

    // One that is cancelled makes room, also where it was retried on another account.
    ASSERT_TRUE(store_->request_cancel(second->task.id).has_value());
    ASSERT_TRUE(store_->retry(other->task.id, {}, charge).has_value());
    EXPECT_ERROR(store_->check_charge(charge, 0), ErrorClass::request, "too_many_jobs");
    ASSERT_TRUE(store_->request_cancel(other->task.id).has_value());
    ASSERT_TRUE(store_->retry(other->task.id).has_value());
    EXPECT_TRUE(store_->check_charge(charge, 0).has_value());
}

TEST_P(StoreContract, AnUploadInPiecesIsOnAnAccountFromItsFirstByte) {
    const auto token = *store_->create_token(token_named("t", '1'));
    const ports::Charge charge{.token = token.id, .jobs_max = 2, .storage_max = 100};
    const auto upload_of = [&](std::int64_t length) {
        return ports::NewUpload{.id = new_id<UploadId>(),
                                .media_id = new_id<MediaId>(),
                                .task_id = new_id<TaskId>(),
                                .length = length,
                                .filename = "a.wav",
                                .title = "a",
                                .charge = charge};
    };
    const auto first = store_->create_upload(upload_of(60), {});
    ASSERT_TRUE(first.has_value()) << first.error().message;
    EXPECT_ERROR(store_->create_upload(upload_of(41), {}), ErrorClass::request, "storage_quota");
    EXPECT_ERROR(store_->submit(media_of(charge, 41)), ErrorClass::request, "storage_quota");
    const auto second = store_->create_upload(upload_of(40), {});
    ASSERT_TRUE(second.has_value());
    EXPECT_ERROR(store_->check_charge(charge, 0), ErrorClass::request, "too_many_jobs");

    // What was begun within the limits is finished, whatever they are then.
    ASSERT_TRUE(store_->seal_upload(first->id, {std::string(64, 'a'), 60}).has_value());
    const auto made = store_->finish_upload(first->id);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    tasks_ = {made->task.id};
    EXPECT_EQ(store_->tokens()->front().stored_bytes, 60);
    EXPECT_ERROR(store_->check_charge(charge, 0), ErrorClass::request, "too_many_jobs");
    ASSERT_TRUE(store_->delete_upload(second->id).has_value());
    EXPECT_TRUE(store_->check_charge(charge, 40).has_value());
}

TEST_P(StoreContract, WhatWasAskedBeforeCostsNothingMore) {
    const auto token = *store_->create_token(token_named("t", '1'));
    ports::NewMedia media = media_of({.token = token.id, .jobs_max = 1, .storage_max = 10}, 10);
    media.idempotency = ports::IdempotencyKey{"key", "what"};
    const auto first = store_->submit(media);
    ASSERT_TRUE(first.has_value());
    tasks_ = {first->task.id};
    ports::NewMedia again = media;
    again.id = new_id<MediaId>();
    again.task_id = new_id<TaskId>();
    const auto second = store_->submit(again);
    ASSERT_TRUE(second.has_value()) << second.error().message;
    EXPECT_TRUE(second->replayed);
    EXPECT_EQ(second->task.id, first->task.id);
}

TEST_P(StoreContract, TheLongestWaitIsOfTheTaskThatWasServedLast) {
    EXPECT_EQ(*store_->longest_wait(), std::nullopt);
    submit();
    const MonoTime first = clock_.mono();
    clock_.advance(Millis{5'000});
    submit();
    const MonoTime second = clock_.mono();
    clock_.advance(Millis{1'000});
    EXPECT_EQ(*store_->longest_wait(), clock_.mono() - first);
    claim(domain::Lane::media);
    EXPECT_EQ(*store_->longest_wait(), clock_.mono() - second);
    claim(domain::Lane::media);
    EXPECT_EQ(*store_->longest_wait(), std::nullopt);
}

}  // namespace durascribe::contract
