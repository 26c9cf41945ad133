// GET /api/v1/events over real sockets, and the hub behind it.
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <boost/json.hpp>

#include "durascribe/api/live_hub.h"
#include "durascribe/api/live_reader.h"
#include "durascribe/api/task_watch.h"
#include "http_fixture.h"

namespace durascribe::api {
namespace {

class LiveEvents : public HttpTest {
  protected:
    void listen(RawClient& client, const std::string& target, const std::string& fields = "") {
        client.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n");
        const auto head = client.read(true);
        ASSERT_TRUE(head);
        EXPECT_EQ(head->status, 200);
        EXPECT_EQ(head->field("content-type"), "text/event-stream");
    }
    // The JSON of the next event; empty: the stream ended. Chunk sizes are skipped as lines.
    static json::object next(RawClient& client, std::string* id = nullptr) {
        for (;;) {
            const std::string line = client.read_until("\n");
            if (line.empty()) {
                return {};
            }
            if (line.starts_with("id: ") && id != nullptr) {
                *id = line.substr(4, line.size() - 5);
            }
            if (line.starts_with("data: ")) {
                return json::parse(line.substr(6)).get_object();
            }
        }
    }
    static std::int64_t seq_of(const json::object& event) {
        return event.at("seq").to_number<std::int64_t>();
    }

    // Reads on until an event of this type and, where it is of a task, of this state.
    json::object await_event(RawClient& client, const std::string& type,
                             const std::string& state = "") {
        for (;;) {
            json::object event = next(client);
            if (event.empty()) {
                ADD_FAILURE() << "the stream ended before " << type << " " << state;
                return event;
            }
            if (text(event, "type") == type &&
                (state.empty() || text(event.at("data").get_object(), "state") == state)) {
                return event;
            }
        }
    }
    void prune_all_events() {
        ports::Retention retention;
        retention.events_max = 1;
        while (store_->prune(retention, 1000).value_or(ports::Pruned{}).more) {
        }
    }
};

TEST_F(LiveEvents, BeginWithASnapshotAndGoOnInOrder) {
    start();
    shut_gate();
    const auto media = upload();
    ASSERT_TRUE(await_inside());
    RawClient client = connect();
    listen(client, "/api/v1/events");
    std::string id;
    const auto snapshot = next(client, &id);
    EXPECT_EQ(text(snapshot, "type"), "snapshot");
    EXPECT_EQ(id, std::to_string(seq_of(snapshot)));
    const auto& tasks = snapshot.at("tasks").get_array();
    ASSERT_EQ(tasks.size(), 1U);
    EXPECT_EQ(text(tasks[0].get_object(), "task_id"), text(media, "task_id"));
    EXPECT_EQ(text(tasks[0].get_object(), "status"), "processing");
    open_gate();
    std::int64_t last = seq_of(snapshot);
    for (std::string state; state != "completed";) {
        const auto event = next(client, &id);
        ASSERT_FALSE(event.empty());
        EXPECT_GT(seq_of(event), last);
        last = seq_of(event);
        EXPECT_EQ(id, std::to_string(last));
        EXPECT_EQ(text(event, "media_id"), text(media, "id"));
        if (text(event, "type") == "task.state") {
            state = text(event.at("data").get_object(), "state");
            if (state == "completed") {
                EXPECT_EQ(text(event.at("status").get_object(), "status"), "completed");
            }
        }
    }
}

TEST_F(LiveEvents, AreReplayedAfterANumber) {
    start();
    ASSERT_TRUE(await(text(upload(), "task_id"), domain::TaskState::completed));
    const auto all = store_->events_after(0, 1000);
    ASSERT_TRUE(all);
    ASSERT_GT(all->size(), 5U);
    for (const bool by_header : {false, true}) {
        RawClient client = connect();
        const std::string after = std::to_string((*all)[2].seq);
        by_header ? listen(client, "/api/v1/events", "Last-Event-ID: " + after + "\r\n")
                  : listen(client, "/api/v1/events?after=" + after);
        for (std::size_t i = 3; i < all->size(); ++i) {
            const auto event = next(client);
            ASSERT_FALSE(event.empty());
            EXPECT_EQ(seq_of(event), (*all)[i].seq);
            EXPECT_EQ(text(event, "type"), (*all)[i].type);
        }
        ASSERT_TRUE(store_->set_paused(true));  // and goes on with what is new
        EXPECT_EQ(text(next(client), "type"), "queue.paused");
    }
}

TEST_F(LiveEvents, SayWhereWhatWasMissedIsGone) {
    start();
    ASSERT_TRUE(await(text(upload(), "task_id"), domain::TaskState::completed));
    prune_all_events();
    EXPECT_EQ(text(ask_json("GET", "/api/v1/events?after=1", 410), "code"), "events_pruned");
    EXPECT_EQ(text(ask_json("GET", "/api/v1/events?after=99999", 410), "code"), "events_pruned");
    for (const std::string gone : {"1", "99999"}) {
        RawClient client = connect();
        listen(client, "/api/v1/events", "Last-Event-ID: " + gone + "\r\n");
        EXPECT_EQ(text(next(client), "type"), "reset");
        EXPECT_EQ(text(next(client), "type"), "snapshot");
        ASSERT_TRUE(store_->set_paused(gone == "1"));
        EXPECT_EQ(text(next(client), "type"), gone == "1" ? "queue.paused" : "queue.resumed");
    }
    RawClient oldest = connect();  // 0: from the oldest that is kept
    listen(oldest, "/api/v1/events?after=0");
    EXPECT_EQ(seq_of(next(oldest)), store_->event_range()->first);
}

// Its reader had fallen behind what the hub keeps, and then the outbox was emptied.
TEST_F(LiveEvents, SayResetWhereTheOutboxWasEmptiedBeforeItWasRead) {
    start();
    ASSERT_TRUE(store_->set_paused(true));
    LiveHub hub{*engine_, *store_};
    ASSERT_TRUE(hub.start());
    ports::Retention nothing;
    nothing.events_max = 0;
    TaskWatch watch{engine_->feed()};
    const NodeFacts facts{"1.2.3", "somewhere", "sqlite", "full", "scripted", "none"};
    access::AccessControl access{*store_, clock_, {}};
    metrics::Metrics metrics;
    const Services services{*engine_, *store_, *blobs_, facts,   settings_,
                            hub,      watch,   access,  metrics, clock_};
    {
        LiveReader reader{services, {}, 0};
        reader.start([] {});
        EXPECT_EQ(reader.next().then, BodyStream::Then::work);
        EXPECT_TRUE(reader.work().messages.empty());  // opened, at 0
        EXPECT_EQ(reader.next().then, BodyStream::Then::work) << "the hub began after it";
        ASSERT_TRUE(store_->prune(nothing, 1000));
        ASSERT_TRUE(store_->events_after(0, 1)->empty());
        const auto batch = reader.work();
        ASSERT_EQ(batch.messages.size(), 2U);
        EXPECT_EQ(text(json::parse(*batch.messages[0].text).get_object(), "type"), "reset");
        EXPECT_EQ(text(json::parse(*batch.messages[1].text).get_object(), "type"), "snapshot");
    }
}

// What does not match is passed by, and not asked for again after a reconnection.
TEST_F(LiveEvents, AKeepAliveSaysHowFarTheStreamIs) {
    settings_.keep_alive_interval = Millis{20};
    start();
    RawClient client = connect();
    std::string id;
    listen(client, "/api/v1/events?type=media.deleted");
    const auto snapshot = next(client, &id);
    ASSERT_TRUE(store_->set_paused(true));
    const std::int64_t newest = store_->event_range()->second;
    ASSERT_GT(newest, seq_of(snapshot));
    for (const MonoTime until = clock_.mono() + Millis{20'000};
         id != std::to_string(newest) && clock_.mono() < until;) {
        const std::string line = client.read_until("\n");
        if (line.starts_with("id: ")) {
            id = line.substr(4, line.size() - 5);
        }
    }
    EXPECT_EQ(id, std::to_string(newest));
}

TEST_F(LiveEvents, AreFiltered) {
    start();
    const auto first = upload("one");
    ASSERT_TRUE(await(text(first, "task_id"), domain::TaskState::completed));
    RawClient client = connect();
    listen(client, "/api/v1/events?type=media.*&after=0");
    EXPECT_EQ(text(next(client), "type"), "media.created");
    EXPECT_EQ(text(next(client), "type"), "media.updated");
    RawClient other = connect();
    const auto second = upload("two");
    listen(other, "/api/v1/events?after=0&media_id=" + text(second, "id"));
    EXPECT_EQ(text(next(other), "media_id"), text(second, "id"));
    RawClient third = connect();
    listen(third, "/api/v1/events?task_id=" + text(first, "task_id"));
    const auto snapshot = next(third);
    ASSERT_EQ(snapshot.at("tasks").get_array().size(), 1U);
    EXPECT_EQ(text(snapshot.at("tasks").get_array()[0].get_object(), "status"), "completed");
    RawClient fourth = connect();  // the type is of events, not of tasks
    listen(fourth, "/api/v1/events?type=task.state&task_id=" + text(first, "task_id"));
    EXPECT_EQ(next(fourth).at("tasks").get_array().size(), 1U);
    for (const char* query : {"media_id=3", "type=x", "after=-1", "after=1&after=2"}) {
        EXPECT_EQ(ask("GET", std::string{"/api/v1/events?"} + query).status, 400) << query;
    }
    EXPECT_EQ(ask("GET", "/api/v1/events", "Last-Event-ID: x\r\n").status, 400);
}

// The answer to a retry is not sent before its event is on the way to everybody who keeps up.
TEST_F(LiveEvents, OfARetryAreOnTheWireBeforeItsAnswer) {
    start();
    shut_gate();
    const std::string task = text(upload(), "task_id");
    std::vector<RawClient> clients;
    for (int i = 0; i < 20; ++i) {
        clients.push_back(connect());
        listen(clients.back(), "/api/v1/events?type=task.state");
        ASSERT_EQ(text(next(clients.back()), "type"), "snapshot");
    }
    for (int round = 0; round < 10; ++round) {
        ASSERT_LT(ask("POST", "/api/v1/tasks/" + task + "/cancel").status, 300);
        ASSERT_TRUE(await(task, domain::TaskState::cancelled));
        for (RawClient& client : clients) {
            await_event(client, "task.state", "cancelled");
        }
        const Answer answer = ask("POST", "/api/v1/tasks/" + task + "/retry");
        ASSERT_EQ(answer.status, 202);
        for (RawClient& client : clients) {
            EXPECT_NE(client.arrived().find("\"previous_state\":\"cancelled\""), std::string::npos);
        }
    }
}

TEST_F(LiveEvents, EndWithTheServer) {
    start();
    RawClient client = connect();
    listen(client, "/api/v1/events");
    ASSERT_EQ(text(next(client), "type"), "snapshot");
    const auto begun = clock_.mono();
    std::jthread stopping{[this] { server_->stop(Millis{10'000}); }};
    EXPECT_TRUE(client.read_until("0\r\n\r\n").ends_with("0\r\n\r\n"));
    client.close();
    stopping.join();
    EXPECT_LT((clock_.mono() - begun).count(), 5'000);
}

// ---- the hub, without sockets ------------------------------------------------------------------

class LiveHubTest : public HttpTest {
  protected:
    void TearDown() override {
        hub_.reset();
        HttpTest::TearDown();
    }
    void start_hub() {
        start();
        hub_.emplace(*engine_, *store_);
        ASSERT_TRUE(hub_->start());
    }
    // Takes until an event `type` has come; what came.
    std::vector<LiveEvent> take_until(LiveHub::Listener& listener, std::size_t count) {
        std::vector<LiveEvent> got;
        while (got.size() < count) {
            auto batch = listener.take();
            EXPECT_FALSE(batch.behind);
            got.insert(got.end(), batch.events.begin(), batch.events.end());
            if (batch.events.empty()) {
                std::unique_lock lock{mutex_};
                if (!woken_changed_.wait_for(lock, std::chrono::seconds{20},
                                             [this] { return woken_; })) {
                    break;
                }
                woken_ = false;
            }
        }
        return got;
    }
    Wake waker() {
        return [this] {
            const std::scoped_lock lock{mutex_};
            woken_ = true;
            ++wakes_;
            woken_changed_.notify_all();
        };
    }

    std::optional<LiveHub> hub_;
    std::mutex mutex_;
    std::condition_variable woken_changed_;
    bool woken_ = false;
    int wakes_ = 0;
};

TEST_F(LiveHubTest, WakesOnceUntilItIsTakenAndOnlyForWhatMatches) {
    start_hub();
    LiveFilter filter;
    filter.types = {"queue.resumed"};
    const auto listener = hub_->listen(0, filter, waker());
    EXPECT_TRUE(listener->take().events.empty());
    ASSERT_TRUE(store_->set_paused(true));
    hub_->settle(Millis{20'000});
    EXPECT_EQ(wakes_, 0);
    ASSERT_TRUE(store_->set_paused(false));
    const auto got = take_until(*listener, 1);
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(got[0].type, "queue.resumed");
    EXPECT_EQ(wakes_, 1);
}

// One who does not read holds no memory of its own, is told to read the outbox, and keeps an answer
// waiting once at most.
TEST_F(LiveHubTest, ASlowListenerCostsNothingButOneWait) {
    start_hub();
    const auto slow = hub_->listen(0, {}, waker());
    EXPECT_TRUE(slow->take().events.empty());
    ASSERT_TRUE(store_->set_paused(true));
    const auto first = clock_.mono();
    hub_->settle(Millis{100});
    EXPECT_GE((clock_.mono() - first).count(), 90);  // it was waited for
    ASSERT_TRUE(store_->set_paused(false));
    for (std::size_t i = 0; i < LiveHub::kKeptEvents; ++i) {
        ASSERT_TRUE(store_->set_paused(i % 2 == 0));
    }
    const auto second = clock_.mono();
    hub_->settle(Millis{20'000});
    hub_->settle(Millis{20'000});
    EXPECT_LT((clock_.mono() - second).count(), 19'000);
    EXPECT_TRUE(slow->take().behind);
    slow->moved_to(1);
    EXPECT_TRUE(slow->take().behind);
    slow->moved_to(3 + static_cast<std::int64_t>(LiveHub::kKeptEvents) / 2);
    EXPECT_FALSE(slow->take().events.empty());
}

// One who begins in the past has much to read, and nobody waits for that.
TEST_F(LiveHubTest, AReplayKeepsNoAnswerWaiting) {
    start_hub();
    const auto first = hub_->listen(0, {}, waker());
    ASSERT_TRUE(store_->set_paused(true));
    EXPECT_EQ(take_until(*first, 1).size(), 1U);
    EXPECT_TRUE(first->take().events.empty());
    const auto replay = hub_->listen(0, {}, waker());
    const auto begun = clock_.mono();
    hub_->settle(Millis{20'000});
    EXPECT_LT((clock_.mono() - begun).count(), 10'000);
    EXPECT_EQ(take_until(*replay, 1).size(), 1U);
}

TEST_F(LiveHubTest, ABatchIsBounded) {
    start_hub();
    const auto listener = hub_->listen(0, {}, waker());
    for (int i = 0; i < 1'000; ++i) {
        ASSERT_TRUE(store_->set_paused(i % 2 == 0));
    }
    hub_->settle(Millis{100});
    std::size_t all = 0;
    while (all < 1'000) {
        const auto batch = listener->take();
        ASSERT_FALSE(batch.events.empty());
        std::size_t bytes = 0;
        for (const auto& event : batch.events) {
            bytes += event.text->size();
        }
        EXPECT_LE(bytes, LiveHub::kBatchBytes);
        all += batch.events.size();
    }
    EXPECT_EQ(all, 1'000U);
}

TEST(LiveProgress, ThatALaterOneOvertakesIsLeftOut) {
    const auto event = [](std::int64_t seq, std::string type, std::string task) {
        return LiveEvent{seq, std::move(type), "m", std::move(task), nullptr};
    };
    std::vector<LiveEvent> events{event(1, "task.progress", "a"), event(2, "task.progress", "b"),
                                  event(3, "task.state", "a"), event(4, "task.progress", "a"),
                                  event(5, "task.state", "b")};
    drop_overtaken_progress(events);
    std::vector<std::int64_t> left;
    for (const auto& one : events) {
        left.push_back(one.seq);
    }
    EXPECT_EQ(left, (std::vector<std::int64_t>{2, 3, 4, 5}));
}

}  // namespace
}  // namespace durascribe::api
