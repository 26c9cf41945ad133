// The sender over a real store, to receivers of the test's own.
#include "durascribe/webhooks/sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <set>

#include "durascribe/ports/store.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "durascribe/webhooks/signature.h"
#include "loopback_server.h"
#include "scratch_directory.h"

namespace durascribe::webhooks {
namespace {

using durascribe::testing::http_answer;
using durascribe::testing::LoopbackServer;
using ::testing::HasSubstr;

std::string header_of(const std::string& request, const std::string& name) {
    const auto at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) {
        return "";
    }
    const auto begin = at + name.size() + 4;
    return request.substr(begin, request.find("\r\n", begin) - begin);
}
std::string body_of(const std::string& request) {
    return request.substr(request.find("\r\n\r\n") + 4);
}

class SenderTest : public ::testing::Test {
  protected:
    SenderTest() {
        auto store = store::SqliteStore::open(scratch_.path(), clock_, {});
        EXPECT_TRUE(store) << store.error().message;
        store_ = std::move(*store);
        settings_.policy = *net::AddressPolicy::parse("127.0.0.1/32");
        settings_.plan.backoff = settings_.plan.hold_max = Millis{1};
        settings_.plan.backoff_max = Millis{5};
    }
    void start() {
        auto sender = Sender::start(hooks(), clock_, settings_);
        ASSERT_TRUE(sender) << sender.error().message;
        sender_ = std::move(*sender);
    }
    ports::WebhookStore& hooks() { return store_->webhooks(); }
    ports::WebhookRow add(const std::string& url, ports::WebhookFilter filter = {}) {
        const auto made = hooks().create_webhook({.id = new_id<ports::WebhookId>(),
                                                  .url = url,
                                                  .filter = std::move(filter),
                                                  .secret = new_secret()});
        EXPECT_TRUE(made) << made.error().message;
        return made->webhook;
    }
    // Two events: "media.created" and "task.created".
    TaskId submit() {
        const auto made = store_->submit({.id = new_id<MediaId>(),
                                          .task_id = new_id<TaskId>(),
                                          .title = "talk",
                                          .filename = "talk.wav",
                                          .source = {std::string(64, 'a'), 7}});
        EXPECT_TRUE(made) << made.error().message;
        if (sender_) {
            sender_->wake();
        }
        return made->task.id;
    }
    std::vector<ports::DeliveryRow> deliveries(const ports::WebhookId& id) {
        auto page = hooks().list_deliveries(id, {}, {.limit = 200});
        EXPECT_TRUE(page) << page.error().message;
        return page->rows;
    }
    // The sender tells nobody when it has recorded something: the store is asked until it has.
    bool until(const std::function<bool()>& done) {
        const MonoTime end = clock_.mono() + Millis{20'000};
        std::mutex mutex;
        std::condition_variable never;
        std::unique_lock lock(mutex);
        while (!done()) {
            if (clock_.mono() > end) {
                return false;
            }
            never.wait_for(lock, Millis{5});
        }
        return true;
    }
    // That many deliveries were made, and none waits.
    bool until_ended(const ports::WebhookId& id, std::size_t count) {
        return until(
            [&] { return deliveries(id).size() == count && hooks().webhook(id)->waiting == 0; });
    }

    testing::ScratchDirectory scratch_;
    ports::SystemClock clock_;
    std::unique_ptr<store::SqliteStore> store_;
    SenderSettings settings_;
    std::unique_ptr<Sender> sender_;
};

TEST_F(SenderTest, EventsArriveSigned) {
    LoopbackServer receiver([](const std::string&) { return http_answer(200, "", "thanks"); });
    const auto webhook = add(receiver.url("/hook"));
    start();
    const TaskId task = submit();
    ASSERT_TRUE(receiver.await_requests(2));
    ASSERT_TRUE(until_ended(webhook.id, 2));
    std::multiset<std::string> types;
    for (const std::string& request : receiver.requests()) {
        EXPECT_THAT(request, ::testing::StartsWith("POST /hook HTTP/1.1\r\n"));
        const std::string id = header_of(request, "webhook-id");
        EXPECT_FALSE(id.empty());
        EXPECT_EQ(header_of(request, "webhook-signature"),
                  sign(webhook.secret, id, std::stoll(header_of(request, "webhook-timestamp")),
                       body_of(request)));
        types.insert(body_of(request).substr(0, 22));
    }
    EXPECT_THAT(types,
                ::testing::ElementsAre(R"({"type":"media.created)", R"({"type":"task.created")"));
    const auto rows = deliveries(webhook.id);
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].state, ports::DeliveryState::delivered);
    EXPECT_EQ(rows[0].task_id, task.value);
    const auto whole = hooks().delivery(webhook.id, rows[0].id);
    ASSERT_EQ(whole->log.size(), 1U);
    EXPECT_EQ(whole->log[0].status, 200);
    EXPECT_EQ(whole->log[0].excerpt, "thanks");
    EXPECT_TRUE(hooks().webhook(webhook.id)->last_success_at);
}

TEST_F(SenderTest, WhatIsNotTakenIsSentAgainAndTheTasksOrderIsKept) {
    std::mutex mutex;
    int asked = 0;
    std::vector<std::string> taken;
    LoopbackServer receiver([&](const std::string& request) {
        const std::scoped_lock lock(mutex);
        if (++asked % 3 != 0) {
            return http_answer(asked % 2 == 0 ? 500 : 404, "", "not now");
        }
        taken.push_back(body_of(request));
        return http_answer(204, "", "");
    });
    const auto webhook = add(receiver.url(), {.types = {"task.created", "task.state"}});
    const TaskId task = submit();
    const auto unit = store_->claim({.node = new_id<NodeId>(), .lane = domain::Lane::media});
    ASSERT_TRUE(unit && *unit);
    ASSERT_TRUE(store_->fail_unit(
        (*unit)->lease, {.error = {ErrorClass::input, "not_media", "It is no media.", ""}}, {},
        0.5));
    start();
    ASSERT_TRUE(until_ended(webhook.id, 3));
    ASSERT_EQ(taken.size(), 3U);
    EXPECT_THAT(taken[0], HasSubstr(R"("type":"task.created")"));
    EXPECT_THAT(taken[1], HasSubstr(R"("state":"processing")"));
    EXPECT_THAT(taken[2], HasSubstr(R"("state":"failed")"));
    EXPECT_EQ(asked, 9);
    for (const auto& row : deliveries(webhook.id)) {
        EXPECT_EQ(row.attempts, 3);
        EXPECT_EQ(row.state, ports::DeliveryState::delivered);
        EXPECT_EQ(row.task_id, task.value);
    }
    EXPECT_EQ(hooks().webhook(webhook.id)->failures, 0);
}

TEST_F(SenderTest, AReceiverThatIsSlowHoldsUpNoOther) {
    std::mutex held;
    held.lock();
    LoopbackServer slow([&](const std::string&) {
        const std::scoped_lock wait(held);
        return http_answer(200, "", "");
    });
    LoopbackServer quick([](const std::string&) { return http_answer(200, "", ""); });
    const auto slow_hook = add(slow.url());
    const auto quick_hook = add(quick.url());
    start();
    submit();
    ASSERT_TRUE(slow.await_requests(1));
    for (int i = 0; i < 10; ++i) {
        submit();
    }
    EXPECT_TRUE(until_ended(quick_hook.id, 22));
    EXPECT_EQ(quick.requests().size(), 22U);
    EXPECT_GT(hooks().webhook(slow_hook.id)->waiting, 0);
    EXPECT_LE(slow.requests().size(), 4U) << "no more at once than its share";
    held.unlock();
    EXPECT_TRUE(until_ended(slow_hook.id, 22));
}

TEST_F(SenderTest, AfterTooManyFailuresItIsPausedAndGoesOnWhenItIsResumed) {
    settings_.plan.tries_max = 4;
    std::atomic<bool> mended{false};
    LoopbackServer receiver(
        [&](const std::string&) { return http_answer(mended ? 200 : 503, "", ""); });
    const auto webhook = add(receiver.url(), {.types = {"task.created"}});
    start();
    submit();
    submit();
    ASSERT_TRUE(
        until([&] { return hooks().webhook(webhook.id)->state == ports::WebhookState::paused; }));
    EXPECT_THAT(hooks().webhook(webhook.id)->state_reason, HasSubstr("answered 503"));
    submit();
    ASSERT_TRUE(until([&] { return deliveries(webhook.id).size() == 3; }));
    EXPECT_GE(hooks().webhook(webhook.id)->waiting, 2);
    mended = true;
    ASSERT_TRUE(hooks().set_webhook_state(webhook.id, ports::WebhookState::active, ""));
    sender_->wake();
    ASSERT_TRUE(until_ended(webhook.id, 3));
    int failed = 0;
    for (const auto& row : deliveries(webhook.id)) {
        failed += row.state == ports::DeliveryState::failed ? 1 : 0;
    }
    EXPECT_EQ(failed, 1) << "the one that was tried to its end";
}

TEST_F(SenderTest, GoneDisablesAtOnce) {
    LoopbackServer receiver([](const std::string&) { return http_answer(410, "", ""); });
    const auto webhook = add(receiver.url());
    start();
    submit();
    EXPECT_TRUE(
        until([&] { return hooks().webhook(webhook.id)->state == ports::WebhookState::disabled; }));
}

TEST_F(SenderTest, AnAddressThatIsNotPublicIsNotConnectedTo) {
    settings_.policy = {};
    LoopbackServer inside([](const std::string&) { return http_answer(200, "", "secret"); });
    const auto webhook = add(inside.url());
    start();
    ASSERT_TRUE(hooks().ping_webhook(webhook.id));
    sender_->wake();
    ASSERT_TRUE(until_ended(webhook.id, 1));
    const auto ping = hooks().delivery(webhook.id, deliveries(webhook.id)[0].id);
    EXPECT_EQ(ping->state, ports::DeliveryState::failed);
    EXPECT_THAT(ping->log.at(0).error, HasSubstr("loopback"));
    EXPECT_TRUE(inside.requests().empty());
}

TEST_F(SenderTest, AnAnswerWithoutEndIsNotReadToItsEnd) {
    LoopbackServer receiver([](const std::string&) {
        return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(10U << 20, 'x');
    });
    const auto webhook = add(receiver.url(), {.types = {"task.created"}});
    start();
    submit();
    ASSERT_TRUE(until_ended(webhook.id, 1));
    const auto row = hooks().delivery(webhook.id, deliveries(webhook.id)[0].id);
    EXPECT_EQ(row->state, ports::DeliveryState::delivered);
    EXPECT_EQ(row->log.at(0).excerpt, std::string(1024, 'x'));
}

TEST_F(SenderTest, OneThatDoesNotAnswerIsGivenUpAndTriedAgain) {
    settings_.timeout = Millis{100};
    std::mutex held;
    held.lock();
    std::atomic<int> asked{0};
    LoopbackServer receiver([&](const std::string&) {
        if (++asked == 1) {
            const std::scoped_lock wait(held);
        }
        return http_answer(200, "", "");
    });
    const auto webhook = add(receiver.url(), {.types = {"task.created"}});
    start();
    submit();
    EXPECT_TRUE(until_ended(webhook.id, 1));
    held.unlock();
    const auto row = hooks().delivery(webhook.id, deliveries(webhook.id)[0].id);
    ASSERT_EQ(row->log.size(), 2U);
    EXPECT_EQ(row->log[0].status, 0);
    EXPECT_THAT(row->log[0].error, HasSubstr("in time"));
    EXPECT_EQ(row->log[1].status, 200);
}

TEST_F(SenderTest, WhatWaitedForASenderIsSentByTheNext) {
    LoopbackServer receiver([](const std::string&) { return http_answer(200, "", ""); });
    const auto webhook = add(receiver.url());
    start();
    sender_.reset();
    submit();
    start();
    EXPECT_TRUE(receiver.await_requests(2));
    EXPECT_TRUE(until_ended(webhook.id, 2));
}

}  // namespace
}  // namespace durascribe::webhooks
