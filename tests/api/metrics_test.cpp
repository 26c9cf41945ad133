// Metrics, request ids and the log of slow requests over HTTP.
#include <string>

#include "access_fixture.h"
#include "durascribe/base/log.h"
#include "stolen_time.h"

namespace durascribe::api {
namespace {

class MetricsHttp : public AccessHttpTest {
  protected:
    void SetUp() override {
        AccessHttpTest::SetUp();
        settings_.access.required_on_loopback = false;
    }
    // Whether the task ends within that time.
    bool await_for(const std::string& task, Millis patience) {
        const MonoTime until = clock_.mono() + patience;
        for (std::int64_t seen = engine_->feed().newest(); clock_.mono() < until;) {
            const auto row = store_->task(TaskId{task});
            if (row && domain::is_terminal(row->state)) {
                return true;
            }
            seen = engine_->feed().wait_after(seen, until - clock_.mono());
        }
        return false;
    }
    double metric(const std::string& name) {
        const std::string text = "\n" + ask("GET", "/metrics").body;
        const std::size_t at = text.find("\n" + name + " ");
        return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
    }
    // Counted a moment after the commit, the answer or the end of a connection that it is told of.
    bool becomes(const std::string& name, double value) {
        const MonoTime until = clock_.mono() + Millis{20'000};
        while (clock_.mono() < until) {
            if (metric(name) == value) {
                return true;
            }
        }
        return false;
    }
};

TEST_F(MetricsHttp, TasksAreCountedFromTheirEvents) {
    start();
    EXPECT_EQ(ask("GET", "/metrics").field("content-type"),
              "text/plain; version=0.0.4; charset=utf-8");
    shut_gate();
    const json::object first = upload("one");
    ASSERT_TRUE(await_inside());
    EXPECT_EQ(metric("durascribe_tasks_running"), 1);
    EXPECT_EQ(metric("durascribe_stuck_tasks"), 0);
    EXPECT_TRUE(becomes("durascribe_time_to_start_seconds_count", 1));
    open_gate();
    ASSERT_TRUE(await(text(first, "task_id"), domain::TaskState::completed));
    EXPECT_TRUE(becomes("transcriptions_total{status=\"completed\"}", 1));
    EXPECT_TRUE(becomes("transcription_duration_seconds_count", 1));
    EXPECT_EQ(metric("durascribe_time_to_start_seconds_count"), 1) << "later steps are no starts";

    EXPECT_EQ(ask("POST", "/api/v1/queue/pause").status, 200);
    const json::object second = upload("two");
    EXPECT_EQ(metric("transcription_queue_size"), 1);
    EXPECT_EQ(metric("durascribe_queue_paused"), 1);
    EXPECT_GE(metric("durascribe_oldest_waiting_seconds"), 0);
    EXPECT_EQ(ask("POST", "/api/v1/tasks/" + text(second, "task_id") + "/cancel").status, 200);
    EXPECT_TRUE(becomes("transcriptions_total{status=\"cancelled\"}", 1));
    EXPECT_EQ(metric("transcriptions_failed"), 0);
}

TEST_F(MetricsHttp, EveryTaskThatNobodyWorksOnIsCounted) {
    constexpr int kStuck = 203;
    engine_settings_.media_slots = 0;
    start();
    for (int i = 0; i < kStuck + 1; ++i) {
        ASSERT_TRUE(store_->submit({.id = new_id<MediaId>(),
                                    .task_id = new_id<TaskId>(),
                                    .title = "talk",
                                    .filename = "talk.wav",
                                    .source = {std::string(64, 'a'), 7}}));
    }
    EXPECT_EQ(metric("durascribe_stuck_tasks"), 0) << "they wait";
    std::optional<ports::Lease> last;
    for (int i = 0; i < kStuck; ++i) {
        const auto claimed = store_->claim({.node = new_id<NodeId>(),
                                            .lane = domain::Lane::media,
                                            .lease_length = Millis{3'600'000}});
        ASSERT_TRUE(claimed && *claimed);
        last = (*claimed)->lease;
    }
    EXPECT_EQ(metric("durascribe_tasks_running"), kStuck);
    EXPECT_TRUE(becomes("durascribe_stuck_tasks", kStuck)) << "from the next millisecond on";
    ASSERT_TRUE(store_->return_unit(*last, "given back"));
    EXPECT_EQ(metric("durascribe_stuck_tasks"), kStuck - 1);
}

TEST_F(MetricsHttp, RequestsAreCountedByRouteAndStatus) {
    start();
    for (int i = 0; i < 3; ++i) {
        ask("GET", "/media");
    }
    ask("GET", "/api/v1/media/0190c1d0-0000-7000-8000-000000000001");
    ask("GET", "/nothing");
    EXPECT_TRUE(
        becomes("durascribe_http_requests_total{method=\"GET\",route=\"/api/v1/media\","
                "status=\"200\"}",
                3));
    EXPECT_TRUE(
        becomes("durascribe_http_requests_total{method=\"GET\",route=\"/api/v1/media/{id}\","
                "status=\"404\"}",
                1));
    EXPECT_TRUE(
        becomes("durascribe_http_requests_total{method=\"GET\",route=\"none\","
                "status=\"404\"}",
                1));
    EXPECT_TRUE(becomes("durascribe_http_connections", 1)) << "the one that asks";
    EXPECT_GT(metric("durascribe_http_received_bytes_total"), 100);
    EXPECT_GT(metric("durascribe_http_sent_bytes_total"), 100);
}

TEST_F(MetricsHttp, NeedATokenUnlessTheyArePublic) {
    settings_.access.required_on_loopback = true;
    start();
    expect_refused(ask("GET", "/metrics"), 401, "token_required");
    EXPECT_EQ(ask("GET", "/metrics", bearer(secret("scrapes", R"("read")"))).status, 200);
    expect_refused(ask("GET", "/metrics", bearer(secret("writes", R"("write")"))), 403,
                   "insufficient_scope");
    server_.reset();
    settings_.access.metrics_public = true;
    start();
    EXPECT_EQ(ask("GET", "/metrics").status, 200);
    EXPECT_EQ(ask("GET", "/api/v1/media").status, 401);
}

TEST_F(MetricsHttp, ARequestHasAnIdInItsAnswerAndInAProblem) {
    start();
    EXPECT_EQ(ask("GET", "/api/v1/media", "X-Request-Id: mine-1\r\n").field("x-request-id"),
              "mine-1");
    const Answer strange = ask("GET", "/api/v1/media", "X-Request-Id: a b\r\n");
    EXPECT_TRUE(is_uuid(strange.field("x-request-id"))) << strange.head;
    const Answer problem = ask("GET", "/nothing", "X-Request-Id: mine-2\r\n");
    EXPECT_EQ(problem.field("x-request-id"), "mine-2");
    EXPECT_EQ(text(object(problem), "request_id"), "mine-2");
    EXPECT_EQ(text(object(problem), "code"), "no_route");
}

TEST_F(MetricsHttp, ASlowRequestIsLoggedAndAStreamIsNot) {
    settings_.slow_request = Millis{1};
    log::set_up(log::Level::warning);
    ::testing::internal::CaptureStderr();
    start();
    ask("POST", "/api/v1/media?filename=a.wav",
        "Content-Type: audio/wav\r\nX-Request-Id: slow-1\r\n", std::string(16 << 20, 'x'));
    server_.reset();  // it is logged after it was answered
    const std::string lines = ::testing::internal::GetCapturedStderr();
    log::set_up(log::Level::info);
    EXPECT_NE(lines.find("slow request: POST /api/v1/media took the server"), std::string::npos)
        << lines;
    EXPECT_NE(lines.find("request slow-1"), std::string::npos) << lines;
}

TEST_F(MetricsHttp, WaitingForTheClientOrForAJobIsNotSlow) {
    settings_.slow_request = Millis{1'000};
    log::set_up(log::Level::warning);
    ::testing::internal::CaptureStderr();
    const testing::StolenTime stolen;
    start();
    RawClient stream = connect();
    stream.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_EQ(stream.read(true)->status, 200);
    RawClient sends = connect();
    sends.send(
        "POST /api/v1/media?filename=a.wav HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: audio/wav\r\nContent-Length: 10\r\n\r\n12345");
    // Something that takes longer than a request may: a task, from its upload to its end.
    shut_gate();
    const json::object created = upload("other bytes");
    ASSERT_TRUE(await_inside());
    const MonoTime from = clock_.mono();
    ASSERT_FALSE(await_for(text(created, "task_id"), Millis{1'500}));
    EXPECT_GE((clock_.mono() - from).count(), 1'500);
    open_gate();
    sends.send("67890");
    ASSERT_EQ(sends.read()->status, 201);
    stream.close();
    server_.reset();
    const std::string lines = ::testing::internal::GetCapturedStderr();
    log::set_up(log::Level::info);
    if (stolen.so_far() > settings_.slow_request / 4) {
        GTEST_SKIP() << "this machine had other work, by which any request is slow";
    }
    EXPECT_EQ(lines.find("slow request"), std::string::npos) << lines;
}

}  // namespace
}  // namespace durascribe::api
