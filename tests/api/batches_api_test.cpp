// Many media as one, over HTTP.
#include <gmock/gmock.h>

#include "durascribe/protocol/messages.h"
#include "http_fixture.h"

namespace durascribe::api {
namespace {

class BatchesApi : public HttpTest {
  protected:
    void SetUp() override {
        HttpTest::SetUp();
        workers_.on_fetch = [this](const ports::FetchJob& job, const ports::RunControl&) {
            if (job.url.ends_with("/bad") && !mended_) {
                return ports::FetchOutcome{.error = Error{ErrorClass::input,
                                                          "download_refused",
                                                          "There is nothing at this address.",
                                                          {}}};
            }
            const std::string head = protocol::encode(protocol::FetchHead{.total = 3});
            std::string bytes(4, '\0');
            bytes[0] = static_cast<char>(head.size());
            bytes[1] = static_cast<char>(head.size() >> 8);
            bytes += head + "abc";
            EXPECT_EQ(::write(job.output_fd, bytes.data(), bytes.size()),
                      static_cast<ssize_t>(bytes.size()));
            return ports::FetchOutcome{.bytes = 3};
        };
        start();
    }
    Answer post(const std::string& path, const std::string& body = "",
                const std::string& fields = "") {
        return ask("POST", path, "Content-Type: application/json\r\n" + fields, body);
    }
    // Until the batch stands so.
    json::object await_status(const std::string& id, const std::string& wanted) {
        const MonoTime until = clock_.mono() + Millis{20'000};
        json::object batch;
        std::int64_t seen = 0;
        do {
            batch = ask_json("GET", "/api/v1/batches/" + id);
            if (text(batch, "status") == wanted) {
                return batch;
            }
            seen = engine_->feed().wait_after(seen, Millis{500});
        } while (clock_.mono() < until);
        ADD_FAILURE() << "it is " << json::serialize(batch);
        return batch;
    }

    std::atomic<bool> mended_{false};
};

TEST_F(BatchesApi, AreMadeFollowedAndRetried) {
    const std::string media = text(upload(), "media_id");
    ASSERT_TRUE(await(text(ask_json("GET", "/api/v1/media/" + media), "task_id"),
                      domain::TaskState::completed));
    const std::string body = fmt::format(
        R"({{"title": "Monday", "options": {{"priority": 5}}, "items": [{{"url": "https://a.example/good.wav", "title": "Mine"}},
            {{"url": "https://a.example/bad"}}, {{"media_id": "{}", "priority": 7}}]}})",
        media);
    const Answer made = post("/api/v1/batches", body, "Idempotency-Key: one\r\n");
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string id = text(object(made), "id");
    json::object batch = await_status(id, "partial_failure");
    EXPECT_EQ(batch["total"].as_int64(), 3);
    EXPECT_EQ(batch["counts"].at("completed").as_int64(), 2);
    EXPECT_EQ(batch["counts"].at("failed").as_int64(), 1);
    EXPECT_EQ(batch["progress"].to_number<double>(), 100);
    const json::array& items = batch["items"].as_array();
    EXPECT_EQ(text(items[0].as_object(), "title"), "Mine");
    EXPECT_EQ(text(items[1].as_object(), "status"), "failed");
    EXPECT_EQ(text(items[1].as_object(), "source_url"), "https://a.example/bad");
    EXPECT_EQ(text(items[1].at("error").as_object(), "code"), "download_refused");
    EXPECT_EQ(text(items[2].as_object(), "media_id"), media);
    EXPECT_EQ(store_->task(TaskId{text(items[0].as_object(), "task_id")})->options.priority, 5);
    EXPECT_EQ(store_->task(TaskId{text(items[2].as_object(), "task_id")})->options.priority, 7);

    const Answer again = post("/api/v1/batches", body, "Idempotency-Key: one\r\n");
    EXPECT_EQ(again.status, 201);
    EXPECT_EQ(text(object(again), "id"), id);
    EXPECT_EQ(post("/api/v1/batches", R"({"items": [{"url": "https://a.example/"}]})",
                   "Idempotency-Key: one\r\n")
                  .status,
              422);
    EXPECT_EQ(ask_json("GET", "/api/v1/batches")["items"].as_array().size(), 1U);

    mended_ = true;
    EXPECT_EQ(post("/api/v1/batches/" + id + "/retry").status, 202);
    batch = await_status(id, "completed");
    EXPECT_EQ(ask("DELETE", "/api/v1/media/" + media).status, 204);
    batch = ask_json("GET", "/api/v1/batches/" + id);
    EXPECT_EQ(batch["deleted"].as_int64(), 1);
}

TEST_F(BatchesApi, AreCancelledAsAWhole) {
    shut_gate();
    const Answer made = post("/api/v1/batches", R"({"items": [{"url": "https://a.example/1.wav"},
        {"url": "https://a.example/2.wav"}, {"url": "https://a.example/3.wav"}]})");
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string id = text(object(made), "id");
    ASSERT_TRUE(await_inside());
    EXPECT_EQ(post("/api/v1/batches/" + id + "/cancel").status, 202);
    const json::object batch = await_status(id, "cancelled");
    EXPECT_EQ(batch.at("counts").at("cancelled").as_int64(), 3);
    open_gate();
    EXPECT_EQ(post("/api/v1/batches/" + id + "/retry").status, 202);
    await_status(id, "completed");
}

TEST_F(BatchesApi, AllItemsOrNone) {
    const std::string media = text(upload(), "media_id");
    const auto before = store_->list_media({}, {})->rows.size();
    for (
        const std::string& body : {
            std::string{"{}"},
            std::string{R"({"items": []})"},
            std::string{R"({"items": [5]})"},
            std::string{R"({"items": [{}]})"},
            std::string{R"({"items": [{"url": "https://a.example/", "media_id": "x"}]})"},
            std::string{R"({"items": [{"url": "https://a.example/"}], "more": 1})"},
            std::string{R"({"items": [{"url": "https://a.example/"}], "options": {"title": "x"}})"},
            std::string{
                R"({"items": [{"url": "https://a.example/"}, {"url": "https://a.example/", "priority": 101}]})"},
            std::string{R"({"items": [{"url": "https://a.example/"}, {"media_id": "nonsense"}]})"},
        }) {
        const Answer refused = post("/api/v1/batches", body);
        EXPECT_EQ(refused.status, 400) << body << refused.body;
        EXPECT_EQ(text(object(refused), "code"), "bad_value") << body;
    }
    EXPECT_EQ(post("/api/v1/batches", R"({"items": [{"url": "http://0x7f.1/"}]})").status, 422);
    EXPECT_EQ(
        post(
            "/api/v1/batches",
            R"({"items": [{"url": "https://a.example/"}, {"media_id": "00000000-0000-7000-8000-000000000000"}]})")
            .status,
        404);
    shut_gate();
    const auto again = post("/api/v1/media/" + media + "/reprocess?force=true");
    EXPECT_EQ(again.status, 202);
    EXPECT_EQ(
        post("/api/v1/batches",
             fmt::format(R"({{"items": [{{"url": "https://a.example/"}}, {{"media_id": "{}"}}]}})",
                         media))
            .status,
        409);
    EXPECT_EQ(store_->list_media({}, {})->rows.size(), before);
    EXPECT_TRUE(ask_json("GET", "/api/v1/batches")["items"].as_array().empty());
    for (const char* path : {"", "/cancel", "/retry"}) {
        EXPECT_EQ(
            ask(*path == '\0' ? "GET" : "POST", std::string("/api/v1/batches/nonsense") + path)
                .status,
            404);
    }
}

}  // namespace
}  // namespace durascribe::api
