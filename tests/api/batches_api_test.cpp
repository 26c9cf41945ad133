// Many media as one, over HTTP.
#include <gmock/gmock.h>

#include "durascribe/protocol/messages.h"
#include "forwarding_store.h"
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
    static std::string part(const std::string& name, const std::string& value,
                            const std::string& filename = "") {
        return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"" +
               (filename.empty() ? "" : "; filename=\"" + filename + "\"") + "\r\n\r\n" + value +
               "\r\n";
    }
    Answer post_form(const std::string& parts, const std::string& fields = "") {
        return ask("POST", "/api/v1/batches",
                   "Content-Type: multipart/form-data; boundary=B\r\n" + fields,
                   parts + "--B--\r\n");
    }
    // An upload in pieces, of which the first is sent.
    std::string begin_upload(const std::string& piece, std::size_t length) {
        const Answer made = ask("POST", "/api/v1/uploads",
                                fmt::format("Tus-Resumable: 1.0.0\r\nUpload-Length: {}\r\n"
                                            "Content-Type: application/offset+octet-stream\r\n",
                                            length),
                                piece);
        EXPECT_EQ(made.status, 201) << made.body;
        const std::string location = made.field("location");
        return location.substr(location.rfind('/') + 1);
    }
    std::size_t blobs() { return blobs_->list("", 100)->size(); }

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

TEST_F(BatchesApi, ARetryLeavesAMediaThatHasANewerTask) {
    const Answer made = post(
        "/api/v1/batches",
        R"({"items": [{"url": "https://a.example/1/bad"}, {"url": "https://a.example/2/bad"}]})");
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string id = text(object(made), "id");
    const json::object failed = await_status(id, "failed");
    mended_ = true;
    const std::string media = text(failed.at("items").at(0).as_object(), "media_url");
    const Answer newer = post(media + "/reprocess", "{}");
    ASSERT_EQ(newer.status, 202) << newer.body;
    ASSERT_TRUE(await(text(object(newer), "task_id"), domain::TaskState::completed));

    EXPECT_EQ(post("/api/v1/batches/" + id + "/retry").status, 202);
    const json::object batch = await_status(id, "partial_failure");
    EXPECT_EQ(text(batch.at("items").at(0).as_object(), "status"), "failed") << "left to the newer";
    EXPECT_EQ(text(batch.at("items").at(1).as_object(), "status"), "completed");
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

// Refuses some of them.
class FullNowAndThen final : public testing::ForwardingStore {
  public:
    using ForwardingStore::ForwardingStore;
    Result<ports::CancelOutcome> request_cancel(const TaskId& id) override {
        return refused_.contains(id.value) ? std::unexpected(full())
                                           : ForwardingStore::request_cancel(id);
    }
    Result<ports::RetryOutcome> retry(const TaskId& id,
                                      const std::optional<ports::IdempotencyKey>& key,
                                      const ports::Charge& charge) override {
        return refused_.contains(id.value) ? std::unexpected(full())
                                           : ForwardingStore::retry(id, key, charge);
    }
    void refuse(std::set<std::string> tasks) { refused_ = std::move(tasks); }

  private:
    static Error full() { return {ErrorClass::storage, "disk_full", "The disk is full.", {}}; }
    std::set<std::string> refused_;
};

TEST_F(BatchesApi, EachItemIsToldWhatBecameOfIt) {
    server_.reset();
    engine_.reset();
    auto in_front = std::make_unique<FullNowAndThen>(*store_);
    FullNowAndThen& full = *in_front;
    in_front_ = std::move(in_front);
    start();
    ASSERT_EQ(post("/api/v1/queue/pause").status, 200);
    const json::object made =
        object(post("/api/v1/batches", R"({"items": [{"url": "https://a.example/1.wav"},
        {"url": "https://a.example/2.wav"}, {"url": "https://a.example/3.wav"}]})"));
    std::vector<std::string> tasks;
    for (const json::value& item : made.at("items").as_array()) {
        tasks.push_back(text(item.as_object(), "task_id"));
    }
    const std::string batch = "/api/v1/batches/" + text(made, "id");
    const auto outcomes = [&](const Answer& answer) {
        EXPECT_EQ(answer.status, 202) << answer.body;
        std::vector<std::string> told;
        for (const json::value& one : object(answer).at("outcomes").as_array()) {
            EXPECT_EQ(text(one.as_object(), "task_id"), tasks[told.size()]);
            told.push_back(text(one.as_object(), "outcome"));
            if (!one.at("error").is_null()) {
                told.back() += " " + text(one.at("error").as_object(), "code");
            }
        }
        return told;
    };
    using Told = std::vector<std::string>;

    full.refuse({tasks[1]});
    EXPECT_EQ(outcomes(post(batch + "/cancel")),
              (Told{"cancelled", "refused disk_full", "cancelled"}));
    EXPECT_EQ(post(batch + "/cancel").status, 507) << "nothing was cancelled";
    full.refuse({});
    EXPECT_EQ(outcomes(post(batch + "/cancel")), (Told{"left", "cancelled", "left"}));

    full.refuse({tasks[0], tasks[1]});
    EXPECT_EQ(outcomes(post(batch + "/retry")),
              (Told{"refused disk_full", "refused disk_full", "queued"}));
    const Answer none = post(batch + "/retry");
    EXPECT_EQ(none.status, 507) << "nothing was queued";
    EXPECT_EQ(text(object(none), "code"), "disk_full");
    full.refuse({});
    EXPECT_EQ(outcomes(post(batch + "/retry")), (Told{"queued", "queued", "left"}));
    EXPECT_FALSE(ask_json("GET", batch).contains("outcomes"));
}

TEST_F(BatchesApi, ARetryUnderAKeyQueuesNothingTwice) {
    ASSERT_EQ(post("/api/v1/queue/pause").status, 200);
    const json::object made = object(post(
        "/api/v1/batches",
        R"({"items": [{"url": "https://a.example/1.wav"}, {"url": "https://a.example/2.wav"}]})"));
    const std::string batch = "/api/v1/batches/" + text(made, "id");
    const std::string key = "Idempotency-Key: monday\r\n";
    ASSERT_EQ(post(batch + "/cancel").status, 202);
    const Answer first = post(batch + "/retry", "", key);
    ASSERT_EQ(first.status, 202) << first.body;
    EXPECT_EQ(first.field("idempotency-replayed"), "");
    ASSERT_EQ(post(batch + "/cancel").status, 202);
    const Answer again = post(batch + "/retry", "", key);
    EXPECT_EQ(again.status, 202);
    EXPECT_EQ(again.field("idempotency-replayed"), "true");
    EXPECT_EQ(object(again).at("outcomes"), object(first).at("outcomes"));
    EXPECT_EQ(text(object(again), "status"), "cancelled") << "as it stays";
    const std::string task = text(made.at("items").at(1).as_object(), "task_id");
    const Answer other = post("/api/v1/tasks/" + task + "/retry", "", key);
    EXPECT_EQ(other.status, 422);
    EXPECT_EQ(text(object(other), "code"), "idempotency_key_reused");
    EXPECT_EQ(post(batch + "/retry", "", "Idempotency-Key: tuesday\r\n").status, 202);
    EXPECT_EQ(text(ask_json("GET", batch), "status"), "pending");
}

TEST_F(BatchesApi, AFormBringsItsFiles) {
    const std::string whole = begin_upload("in pieces", 9);
    const std::string before = text(upload("there before"), "media_id");
    ASSERT_TRUE(await(text(ask_json("GET", "/api/v1/media/" + before), "task_id"),
                      domain::TaskState::completed));
    const std::string form = part("file", "first bytes", "one.wav") + part("title", "Monday") +
                             part("url", "https://a.example/good.wav") + part("priority", "4") +
                             part("file", "second bytes", "two.wav") + part("upload_id", whole) +
                             part("media_id", before);
    const Answer made = post_form(form, "Idempotency-Key: form\r\n");
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string id = text(object(made), "id");
    const json::object batch = await_status(id, "completed");
    EXPECT_EQ(text(batch, "title"), "Monday");
    const json::array& items = batch.at("items").as_array();
    ASSERT_EQ(items.size(), 5U);
    EXPECT_EQ(text(items[0].as_object(), "title"), "one");
    EXPECT_EQ(text(items[1].as_object(), "source_url"), "https://a.example/good.wav");
    EXPECT_EQ(text(items[1].as_object(), "title"), "good") << "the batch's title is the batch's";
    EXPECT_EQ(text(items[2].as_object(), "title"), "two");
    EXPECT_EQ(text(items[4].as_object(), "media_id"), before);
    for (const std::size_t made_here : {0U, 1U, 2U, 4U}) {
        const std::string task = text(items[made_here].as_object(), "task_id");
        EXPECT_EQ(store_->task(TaskId{task})->options.priority, 4) << made_here;
    }
    EXPECT_EQ(ask("GET", text(items[2].as_object(), "media_url") + "/source").body, "second bytes");
    const std::string media = text(items[3].as_object(), "media_id");
    EXPECT_EQ(ask("GET", "/api/v1/media/" + media + "/source").body, "in pieces");
    EXPECT_EQ(ask_json("GET", "/api/v1/tasks?media_id=" + media).at("items").as_array().size(), 1U)
        << "the task that it had";

    const Answer again = post_form(form, "Idempotency-Key: form\r\n");
    EXPECT_EQ(again.field("idempotency-replayed"), "true");
    EXPECT_EQ(text(object(again), "id"), id);
    std::string other = form;
    other.replace(other.find("second bytes"), 12, "other  bytes");
    EXPECT_EQ(post_form(other, "Idempotency-Key: form\r\n").status, 422);
}

TEST_F(BatchesApi, OfARefusedFormNothingIsKept) {
    const std::string half = begin_upload("in p", 9);
    const std::size_t blobs_before = blobs();
    const auto media_before = store_->list_media({}, {})->rows.size();
    const std::string file = part("file", "first bytes", "one.wav");
    const auto refused = [&](const std::string& form, int status, const std::string& code) {
        const Answer answer = post_form(form);
        EXPECT_EQ(answer.status, status) << form << answer.body;
        EXPECT_EQ(text(object(answer), "code"), code) << form;
        EXPECT_EQ(blobs(), blobs_before) << form;
        return text(object(answer), "detail");
    };
    refused("", 400, "no_file");
    refused(part("title", "x"), 400, "no_file");
    refused(file + part("more", "x"), 400, "bad_value");
    refused(file + part("priority", "101"), 400, "bad_value");
    refused(file + part("diarize", "true"), 422, "no_diarizer");
    EXPECT_THAT(refused(file + part("file", "", "two.wav"), 400, "empty_file"),
                ::testing::HasSubstr("items[1]"));
    EXPECT_THAT(refused(file + part("upload_id", "x"), 400, "bad_value"),
                ::testing::HasSubstr("items[1]"));
    refused(file + part("upload_id", half), 409, "upload_not_finished");
    refused(file + part("upload_id", "00000000-0000-7000-8000-000000000000"), 404, "not_found");
    refused(file + part("url", "ftp://a.example/"), 422, "bad_url");
    std::string many;
    for (int i = 0; i < 1'001; ++i) {
        many += part("url", "https://a.example/");
    }
    refused(many, 400, "bad_value");
    EXPECT_EQ(post("/api/v1/batches",
                   fmt::format(R"({{"items": [{{"upload_id": "{}", "priority": 1}}]}})", half))
                  .status,
              400);
    EXPECT_EQ(ask("POST", "/api/v1/batches", "Content-Type: audio/wav\r\n", "x").status, 415);
    EXPECT_EQ(store_->list_media({}, {})->rows.size(), media_before);
}

TEST_F(BatchesApi, AFileOverTheLimitIsNamed) {
    server_.reset();
    settings_.upload_limit_bytes = 12;
    start_server_again();
    const Answer refused =
        post_form(part("file", "first bytes", "one.wav") + part("file", "second bytes!", "b.wav"));
    EXPECT_EQ(refused.status, 413);
    EXPECT_THAT(text(object(refused), "detail"), ::testing::HasSubstr("items[1]"));
    EXPECT_EQ(blobs(), 0U);
}

TEST_F(BatchesApi, TheQueueSaysWhetherThereAreMoreThanItShows) {
    workers_.on_fetch = [](const ports::FetchJob&, const ports::RunControl&) {
        return ports::FetchOutcome{.error = Error{ErrorClass::network, "server_busy", "Busy.", {}},
                                   .retry_after = Millis{3'600'000}};
    };
    const auto add = [this](int count) {
        std::string items;
        for (int i = 0; i < count; ++i) {
            items += fmt::format(R"({}{{"url": "https://a.example/{}"}})", i == 0 ? "" : ", ", i);
        }
        EXPECT_EQ(post("/api/v1/batches", R"({"items": [)" + items + "]}").status, 201);
    };
    ASSERT_EQ(ask("POST", "/api/v1/queue/pause").status, 200);
    add(200);
    auto queue = ask_json("GET", "/api/v1/queue");
    EXPECT_EQ(queue.at("waiting").as_array().size(), 200U);
    EXPECT_FALSE(queue.at("truncated").as_bool()) << "it shows all";
    add(1);
    queue = ask_json("GET", "/api/v1/queue");
    EXPECT_EQ(queue.at("waiting").as_array().size(), 200U);
    EXPECT_TRUE(queue.at("truncated").as_bool());
    queue = ask_json("GET", "/api/v1/queue?limit=201");
    EXPECT_EQ(queue.at("waiting").as_array().size(), 201U);
    EXPECT_FALSE(queue.at("truncated").as_bool()) << "as many as were asked for are all";
    queue = ask_json("GET", "/api/v1/queue?limit=3");
    EXPECT_EQ(queue.at("waiting").as_array().size(), 3U);
    EXPECT_TRUE(queue.at("truncated").as_bool());
    for (const char* bad : {"0", "501", "many"}) {
        const Answer refused = ask("GET", fmt::format("/api/v1/queue?limit={}", bad));
        EXPECT_EQ(refused.status, 400);
        EXPECT_THAT(text(object(refused), "detail"), ::testing::HasSubstr("limit"));
    }
    // All of them wait for their next attempt.
    ASSERT_EQ(ask("POST", "/api/v1/queue/resume").status, 200);
    std::int64_t seen = 0;
    for (const MonoTime until = clock_.mono() + Millis{60'000};
         store_->counts()->retrying < 201 && clock_.mono() < until;) {
        seen = engine_->feed().wait_after(seen, Millis{1'000});
    }
    queue = ask_json("GET", "/api/v1/queue");
    EXPECT_EQ(queue.at("counts").at("retrying"), 201);
    EXPECT_EQ(queue.at("waiting").as_array().size(), 200U);
    EXPECT_TRUE(queue.at("truncated").as_bool());
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
    for (const std::string& body :
         {std::string{R"({"items": [{"url": "https://a.example/"}], "unknown": 1})"},
          std::string{R"({"items": [{"url": "https://a.example/"}], "options": {"unknown": 1}})"},
          std::string{R"({"items": [{"url": "https://a.example/", "unknown": 1}]})"}}) {
        const std::string detail = text(object(post("/api/v1/batches", body)), "detail");
        EXPECT_TRUE(detail.contains("\"unknown\"")) << body << detail;
    }
    EXPECT_EQ(post("/api/v1/batches", R"({"items": [{"url": "http://0x7f.1/"}]})").status, 422);
    // Too long is said before the body.
    for (const char* path : {"/api/v1/batches", "/api/v1/media"}) {
        RawClient client = connect();
        client.send(
            fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                        "application/json\r\nContent-Length: {}\r\n\r\n",
                        path, settings_.json_limit_bytes + 1));
        const auto refused = client.read();
        ASSERT_TRUE(refused) << path;
        EXPECT_EQ(refused->status, 413) << path;
    }
    // Each names its item.
    const auto refused = [this](const std::string& items) {
        const Answer answer = post("/api/v1/batches", "{\"items\": [" + items + "]}");
        return std::pair{answer.status, text(object(answer), "detail")};
    };
    const std::string url = R"({"url": "https://a.example/"})";
    const auto again_of = [](const std::string& id, const std::string& options = "") {
        return "{\"media_id\": \"" + id + "\"" + options + "}";
    };
    const auto twice = refused(again_of(media) + "," + url + "," + again_of(media));
    EXPECT_EQ(twice.first, 400);
    EXPECT_TRUE(
        twice.second.starts_with("items[2]: media_id must be another than that of items[0]"))
        << twice.second;
    const auto nothing = refused(url + "," + again_of("00000000-0000-7000-8000-000000000000"));
    EXPECT_EQ(nothing.first, 404);
    EXPECT_TRUE(nothing.second.starts_with("items[1]: ")) << nothing.second;
    const auto speakers = refused(url + "," + again_of(media, R"(, "diarize": true)"));
    EXPECT_EQ(speakers.first, 422);
    EXPECT_TRUE(speakers.second.starts_with("items[1]: ")) << speakers.second;
    shut_gate();
    const auto again = post("/api/v1/media/" + media + "/reprocess?force=true");
    EXPECT_EQ(again.status, 202);
    const auto active = refused(url + "," + again_of(media));
    EXPECT_EQ(active.first, 409);
    EXPECT_TRUE(active.second.starts_with("items[1]: ")) << active.second;
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
