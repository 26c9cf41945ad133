// Webhooks: deliveries made of the outbox, their order, how they end, and what survives.
#include "webhook_store_contract.h"

#include <algorithm>

#include <fmt/format.h>

namespace durascribe::contract {
namespace {

using ::testing::HasSubstr;

TEST_P(WebhookStoreContract, IsToldOfWhatHappensAfterItWasMade) {
    submit();
    const auto webhook = add();
    fan_out();
    EXPECT_TRUE(due().due.empty());
    const auto task = submit();
    fan_out();
    const auto found = due();
    ASSERT_EQ(found.due.size(), 2U);
    const auto& created = found.due[1].delivery;
    EXPECT_EQ(created.type, "task.created");
    EXPECT_EQ(created.task_id, task.id.value);
    EXPECT_THAT(created.body, ::testing::StartsWith(R"({"type":"task.created","timestamp":")"));
    EXPECT_THAT(created.body, HasSubstr(fmt::format(R"("task_id":"{}")", task.id.value)));
    EXPECT_THAT(created.body, HasSubstr(fmt::format(R"("seq":{})", created.event_seq)));
    EXPECT_EQ(found.due[1].webhook.secret, "whsec_new");
    EXPECT_EQ(row(webhook.id).waiting, 2);
    fan_out();
    EXPECT_EQ(row(webhook.id).waiting, 2) << "each event once";
}

TEST_P(WebhookStoreContract, TypesAndStatesNarrowIt) {
    add({.types = {"task.state"}, .states = {"failed"}});
    add({.types = {"media."}, .states = {}});
    submit();
    fail_for_good(claim(domain::Lane::media).lease);
    fan_out();
    std::vector<std::string> seen;
    for (const auto& d : due().due) {
        seen.push_back(d.delivery.type);
    }
    EXPECT_THAT(seen, ::testing::UnorderedElementsAre("task.state", "media.created"));
}

TEST_P(WebhookStoreContract, ATasksDeliveriesGoOneAfterTheOther) {
    const auto webhook = add({.types = {"task.created", "task.state"}, .states = {}});
    submit();
    submit();
    fail_for_good(claim(domain::Lane::media).lease);
    fan_out();
    EXPECT_EQ(row(webhook.id).waiting, 4);
    EXPECT_THAT(due_types(), ::testing::ElementsAre("task.created", "task.created"));
    const auto first = due().due.front();
    record({.delivery = first.delivery.id,
            .attempt = {.status = 500, .error = "It answered 500."},
            .next_attempt_at = clock_.wall() + Millis{5'000},
            .hold_until = clock_.wall()});
    EXPECT_THAT(due_types(), ::testing::ElementsAre("task.created")) << "the other task's";
    EXPECT_EQ(due().next, clock_.wall() + Millis{5'000});
    clock_.advance(Millis{5'000});
    take(due().due.front());
    EXPECT_THAT(due_types(), ::testing::UnorderedElementsAre("task.state", "task.created"));
}

TEST_P(WebhookStoreContract, AttemptsAreKeptAndEndADelivery) {
    const auto webhook = add({.types = {"task.created"}, .states = {}});
    submit();
    fan_out();
    const auto d = due().due.front();
    record(
        {.delivery = d.delivery.id,
         .attempt = {.duration = Millis{12}, .status = 503, .error = "Busy.", .excerpt = "later"},
         .next_attempt_at = clock_.wall(),
         .hold_until = clock_.wall()});
    EXPECT_EQ(row(webhook.id).failures, 1);
    EXPECT_EQ(row(webhook.id).last_failure_at, clock_.wall());
    take(d);
    take(d);  // a second end changes nothing
    const auto whole = hooks().delivery(webhook.id, d.delivery.id);
    ASSERT_TRUE(whole.has_value());
    EXPECT_EQ(whole->state, ports::DeliveryState::delivered);
    EXPECT_EQ(whole->attempts, 2);
    ASSERT_EQ(whole->log.size(), 2U);
    EXPECT_EQ(whole->log[0].number, 1);
    EXPECT_EQ(whole->log[0].duration, Millis{12});
    EXPECT_EQ(whole->log[0].status, 503);
    EXPECT_EQ(whole->log[0].error, "Busy.");
    EXPECT_EQ(whole->log[0].excerpt, "later");
    EXPECT_EQ(row(webhook.id).failures, 0);
    EXPECT_EQ(row(webhook.id).waiting, 0);
    EXPECT_TRUE(due().due.empty());
}

TEST_P(WebhookStoreContract, WhatWasMadeAndWhereItStoodSurvive) {
    const auto webhook = add({.types = {"task.created"}, .states = {}});
    submit();
    fan_out();
    submit();
    reopen();
    EXPECT_EQ(due().due.size(), 1U);
    fan_out();
    EXPECT_EQ(due().due.size(), 2U);
    const auto page = hooks().list_deliveries(webhook.id, {}, {});
    ASSERT_TRUE(page.has_value());
    EXPECT_EQ(page->rows.size(), 2U);
}

TEST_P(WebhookStoreContract, WhilePausedItWaitsAndAPingGoes) {
    const auto webhook = add({.types = {"task.created"}, .states = {}});
    ASSERT_TRUE(hooks().set_webhook_state(webhook.id, ports::WebhookState::paused, "By request."));
    submit();
    fan_out();
    EXPECT_TRUE(due().due.empty());
    EXPECT_EQ(row(webhook.id).waiting, 1);
    EXPECT_EQ(row(webhook.id).state_reason, "By request.");
    const auto ping = hooks().ping_webhook(webhook.id);
    ASSERT_TRUE(ping.has_value()) << ping.error().message << ping.error().detail;
    EXPECT_THAT(due_types(), ::testing::ElementsAre("webhook.ping"));
    record({.delivery = ping->id, .attempt = {.status = 500, .error = "No."}, .final = true});
    EXPECT_EQ(row(webhook.id).failures, 0) << "a ping counts for nothing";
    ASSERT_TRUE(hooks().set_webhook_state(webhook.id, ports::WebhookState::active, ""));
    EXPECT_THAT(due_types(), ::testing::ElementsAre("task.created"));
}

TEST_P(WebhookStoreContract, GoingOnStartsTheAttemptsAnew) {
    const auto webhook = add({.types = {"task.created"}, .states = {}});
    submit();
    fan_out();
    const auto d = due().due.front();
    record({.delivery = d.delivery.id,
            .attempt = {.status = 500, .error = "No."},
            .next_attempt_at = clock_.wall() + kLongest,
            .hold_until = clock_.wall() + kLongest,
            .state = ports::WebhookState::paused,
            .state_reason = "Nothing was taken."});
    EXPECT_EQ(row(webhook.id).state, ports::WebhookState::paused);
    EXPECT_TRUE(due().due.empty());
    ASSERT_TRUE(hooks().set_webhook_state(webhook.id, ports::WebhookState::active, ""));
    ASSERT_EQ(due().due.size(), 1U);
    EXPECT_EQ(due().due[0].delivery.tries, 0);
    EXPECT_EQ(due().due[0].delivery.attempts, 1);
}

TEST_P(WebhookStoreContract, ADisabledOneIsToldOfNothingMore) {
    const auto webhook = add({.types = {"task.created"}, .states = {}});
    ASSERT_TRUE(hooks().set_webhook_state(webhook.id, ports::WebhookState::disabled, "Gone."));
    submit();
    fan_out();
    EXPECT_EQ(row(webhook.id).waiting, 0);
    ASSERT_TRUE(hooks().set_webhook_state(webhook.id, ports::WebhookState::active, ""));
    fan_out();
    EXPECT_EQ(row(webhook.id).waiting, 0);
    submit();
    fan_out();
    EXPECT_EQ(row(webhook.id).waiting, 1);
    const auto replayed = hooks().replay_events(webhook.id, std::nullopt, 0, 1'000);
    ASSERT_TRUE(replayed.has_value());
    EXPECT_EQ(replayed->queued, 2) << "that, and what happened meanwhile";
}

TEST_P(WebhookStoreContract, AReplayIsTheSameMessageAgain) {
    const auto webhook = add({.types = {"task.created"}, .states = {}});
    submit();
    fan_out();
    const auto d = due().due.front();
    take(d);
    const auto again = hooks().replay_delivery(webhook.id, d.delivery.id);
    ASSERT_TRUE(again.has_value()) << again.error().message << again.error().detail;
    EXPECT_NE(again->id, d.delivery.id);
    EXPECT_EQ(again->message_id, d.delivery.message_id);
    EXPECT_EQ(again->body, d.delivery.body);
    take(due().due.front());
    clock_.advance(Millis{60'000});
    const WallTime later = clock_.wall();
    clock_.advance(Millis{1});
    submit();
    fan_out();
    take(due().due.front());
    const auto since = hooks().replay_events(webhook.id, later, std::nullopt, 1'000);
    ASSERT_TRUE(since.has_value());
    EXPECT_EQ(since->queued, 1);
    EXPECT_FALSE(since->more);
    const auto by_number = hooks().replay_events(webhook.id, std::nullopt, 0, 3);
    ASSERT_TRUE(by_number.has_value());
    EXPECT_TRUE(by_number->more);
    EXPECT_EQ(by_number->last_seq, 3);
    EXPECT_ERROR(hooks().replay_delivery(webhook.id, new_id<ports::DeliveryId>()),
                 ErrorClass::request, "not_found");
    EXPECT_ERROR(hooks().replay_events(new_id<ports::WebhookId>(), later, std::nullopt, 10),
                 ErrorClass::request, "not_found");
}

TEST_P(WebhookStoreContract, CanBeChangedAndDeleted) {
    const auto webhook = add();
    const auto changed = hooks().change_webhook(
        webhook.id, {.url = "https://other.example/", .types = std::vector<std::string>{"queue."}});
    ASSERT_TRUE(changed.has_value()) << changed.error().message;
    EXPECT_EQ(changed->url, "https://other.example/");
    EXPECT_THAT(changed->filter.types, ::testing::ElementsAre("queue."));
    const auto rotated = hooks().rotate_secret(webhook.id, "whsec_newer", Millis{1'000});
    ASSERT_TRUE(rotated.has_value());
    EXPECT_EQ(rotated->secret, "whsec_newer");
    EXPECT_EQ(rotated->old_secret, "whsec_new");
    EXPECT_EQ(rotated->old_secret_until, clock_.wall() + Millis{1'000});
    ASSERT_TRUE(hooks().set_webhook_state(webhook.id, ports::WebhookState::paused, "x"));
    ASSERT_TRUE(store_->set_paused(true));
    fan_out();
    EXPECT_EQ(row(webhook.id).waiting, 1);
    ASSERT_TRUE(hooks().delete_webhook(webhook.id));
    EXPECT_ERROR(hooks().webhook(webhook.id), ErrorClass::request, "not_found");
    EXPECT_ERROR(hooks().delete_webhook(webhook.id), ErrorClass::request, "not_found");
    EXPECT_ERROR(hooks().change_webhook(webhook.id, {}), ErrorClass::request, "not_found");
    EXPECT_ERROR(hooks().rotate_secret(webhook.id, "x", Millis{1}), ErrorClass::request,
                 "not_found");
    EXPECT_ERROR(hooks().ping_webhook(webhook.id), ErrorClass::request, "not_found");
    EXPECT_ERROR(hooks().set_webhook_state(webhook.id, ports::WebhookState::active, ""),
                 ErrorClass::request, "not_found");
    EXPECT_ERROR(hooks().list_deliveries(webhook.id, {}, {}), ErrorClass::request, "not_found");
}

TEST_P(WebhookStoreContract, ThereIsAMostOfThem) {
    for (int i = 0; i < ports::kWebhooksMax; ++i) {
        add();
    }
    EXPECT_ERROR(
        hooks().create_webhook({.id = new_id<ports::WebhookId>(), .url = "https://x.example"}),
        ErrorClass::request, "too_many_webhooks");
}

TEST_P(WebhookStoreContract, TheSameKeyGivesTheFirstOneAgain) {
    const ports::WebhookRow wanted{.id = new_id<ports::WebhookId>(),
                                   .url = "https://receiver.example/hook",
                                   .filter = {.types = {"task.state"}, .states = {"failed"}},
                                   .secret = "whsec_first"};
    const ports::IdempotencyKey key{"key", "asked"};
    const auto made = hooks().create_webhook(wanted, key);
    ASSERT_TRUE(made.has_value()) << made.error().message << made.error().detail;
    EXPECT_FALSE(made->replayed);
    ASSERT_TRUE(hooks().rotate_secret(made->webhook.id, "whsec_second", Millis{1}).has_value());
    clock_.advance(Millis{1'000});
    reopen();
    ports::WebhookRow once_more = wanted;
    once_more.id = new_id<ports::WebhookId>();
    once_more.secret = "whsec_third";
    const auto again = hooks().create_webhook(once_more, key);
    ASSERT_TRUE(again.has_value()) << again.error().message << again.error().detail;
    EXPECT_TRUE(again->replayed);
    EXPECT_EQ(again->webhook.id, made->webhook.id);
    EXPECT_EQ(again->webhook.secret, "whsec_first") << "as it was answered then";
    EXPECT_EQ(again->webhook.created_at, made->webhook.created_at);
    EXPECT_EQ(hooks().list_webhooks()->size(), 1U);
    EXPECT_ERROR(hooks().create_webhook(once_more, ports::IdempotencyKey{"key", "another"}),
                 ErrorClass::request, "idempotency_key_reused");
    ASSERT_TRUE(hooks().delete_webhook(made->webhook.id).has_value());
    EXPECT_ERROR(hooks().create_webhook(once_more, key), ErrorClass::request, "not_found");
}

TEST_P(WebhookStoreContract, AWrongClockHoldsNothingUp) {
    add({.types = {"task.created"}, .states = {}});
    submit();
    fan_out();
    record({.delivery = due().due.front().delivery.id,
            .attempt = {.status = 500, .error = "No."},
            .next_attempt_at = clock_.wall() + Millis{5'000},
            .hold_until = clock_.wall() + Millis{5'000}});
    EXPECT_TRUE(due().due.empty());
    clock_.set_wall(clock_.wall() - std::chrono::hours{24 * 365});
    EXPECT_EQ(due().due.size(), 1U);
}

TEST_P(WebhookStoreContract, DeliveriesAreListedInPages) {
    const auto webhook = add({.types = {"task.created"}, .states = {}});
    for (int i = 0; i < 5; ++i) {
        submit();
    }
    fan_out();
    take(due().due.front());
    std::vector<std::int64_t> seen;
    std::string cursor;
    do {
        const auto page = hooks().list_deliveries(webhook.id, {}, {.limit = 2, .cursor = cursor});
        ASSERT_TRUE(page.has_value());
        for (const auto& d : page->rows) {
            seen.push_back(d.event_seq);
        }
        cursor = page->next_cursor;
    } while (!cursor.empty());
    EXPECT_EQ(seen.size(), 5U);
    EXPECT_TRUE(std::ranges::is_sorted(seen, std::greater{})) << "newest first";
    EXPECT_EQ(hooks()
                  .list_deliveries(webhook.id, {.state = ports::DeliveryState::delivered}, {})
                  ->rows.size(),
              1U);
    EXPECT_ERROR(hooks().list_deliveries(webhook.id, {}, {.cursor = "x"}), ErrorClass::request,
                 "bad_cursor");
}

TEST_P(WebhookStoreContract, NoEventIsPrunedBeforeItIsADelivery) {
    pruned_ = true;
    add({.types = {"task.created"}, .states = {}});
    submit();
    ASSERT_TRUE(store_->prune({.events_max = 0}, 1'000));
    fan_out();
    EXPECT_EQ(due().due.size(), 1U);
    const auto pruned = store_->prune({.events_max = 0}, 1'000);
    ASSERT_TRUE(pruned.has_value());
    EXPECT_GT(pruned->events, 0);
}

TEST_P(WebhookStoreContract, WhatHasEndedIsPrunedWithTheEvents) {
    pruned_ = true;
    const auto webhook = add({.types = {"task.created"}, .states = {}});
    submit();
    submit();
    fan_out();
    take(due().due.front());
    const ports::Retention retention{.events = Millis{10LL * 24 * 3600 * 1000}};
    let_days_pass(12);
    ASSERT_TRUE(store_->prune(retention, 1'000));
    const auto page = hooks().list_deliveries(webhook.id, {}, {});
    ASSERT_EQ(page->rows.size(), 1U);
    EXPECT_EQ(page->rows[0].state, ports::DeliveryState::waiting);
}

}  // namespace
}  // namespace durascribe::contract
