// What one token may have: requests, jobs, room.
#include <string>

#include "access_fixture.h"

namespace durascribe::api {
namespace {

class AccessLimits : public AccessHttpTest {
  protected:
    Answer send(const std::string& token, const std::string& bytes,
                const std::string& fields = "") {
        return ask("POST", "/api/v1/media?filename=a.wav",
                   bearer(token) + fields + "Content-Type: audio/wav\r\n", bytes);
    }
};

TEST_F(AccessLimits, RequestsInASecond) {
    start();
    const std::string token = secret("slow", R"("read")", R"(, "requests_per_second": 2)");
    RawClient client = connect();
    int refused = 0;
    for (int i = 0; i < 20; ++i) {  // far faster than two a second
        client.send("GET /api/v1/media HTTP/1.1\r\nHost: localhost\r\n" + bearer(token) + "\r\n");
        const auto answer = client.read();
        ASSERT_TRUE(answer);
        if (answer->status == 429) {
            ++refused;
            EXPECT_EQ(answer->field("retry-after"), "1");
            EXPECT_EQ(text(object(*answer), "code"), "rate_limited");
        }
    }
    EXPECT_GE(refused, 1);
    EXPECT_EQ(ask("GET", "/api/v1/media", as_command()).status, 200) << "others go on";
}

TEST_F(AccessLimits, JobsThatRunAndWait) {
    shut_gate();
    start();
    const std::string token = secret("few", R"("read", "write")", R"(, "jobs_max": 2)");
    const Answer first = send(token, "one");
    ASSERT_EQ(first.status, 201);
    const std::string keyed = "Idempotency-Key: the-second\r\n";
    ASSERT_EQ(send(token, "two", keyed).status, 201);
    const Answer third = send(token, "three");
    expect_refused(third, 429, "too_many_jobs");
    EXPECT_EQ(third.field("retry-after"), "10");
    EXPECT_EQ(send(token, "two", keyed).status, 201) << "asked before: the first answer";
    expect_refused(send(token, "three", "Idempotency-Key: the-third\r\n"), 429, "too_many_jobs");

    // One that takes another's place is no more than it was.
    const std::string media = text(object(first), "media_url");
    EXPECT_EQ(ask("POST", media + "/reprocess?force=true", bearer(token)).status, 202);
    const json::object other = object(send(secret("other", R"("write")"), "four"));
    expect_refused(ask("POST", text(other, "media_url") + "/reprocess?force=true", bearer(token)),
                   429, "too_many_jobs");

    // A retry is on the account of who asks for it.
    const std::string task = text(other, "task_id");
    EXPECT_LE(ask("POST", "/api/v1/tasks/" + task + "/cancel", as_command()).status, 202);
    ASSERT_TRUE(await(task, domain::TaskState::cancelled));
    expect_refused(ask("POST", "/api/v1/tasks/" + task + "/retry", bearer(token)), 429,
                   "too_many_jobs");
    open_gate();
    ASSERT_TRUE(await(text(object(first), "task_id"), domain::TaskState::cancelled));
}

// As many of a batch as the token may have, and the rest later.
TEST_F(AccessLimits, OfABatchThatIsRetried) {
    start();
    const std::string fields = as_command() + "Content-Type: application/json\r\n";
    ASSERT_EQ(ask("POST", "/api/v1/queue/pause", as_command()).status, 200);
    const Answer made =
        ask("POST", "/api/v1/batches", fields, R"({"items": [{"url": "https://a.example/1"},
            {"url": "https://a.example/2"}, {"url": "https://a.example/3"}]})");
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string batch = "/api/v1/batches/" + text(object(made), "id");
    ASSERT_EQ(ask("POST", batch + "/cancel", as_command()).status, 202);
    const std::string token = bearer(secret("few", R"("read", "write")", R"(, "jobs_max": 2)")) +
                              "Idempotency-Key: all\r\n";
    const auto retried = [&] {
        const Answer answer = ask("POST", batch + "/retry", token);
        EXPECT_EQ(answer.status, 202) << answer.body;
        std::string told;
        for (const json::value& one : object(answer).at("outcomes").as_array()) {
            told += text(one.as_object(), "outcome") + " ";
            if (!one.at("error").is_null()) {
                told += text(one.at("error").as_object(), "code");
            }
        }
        return told;
    };
    EXPECT_EQ(retried(), "queued queued refused too_many_jobs");
    EXPECT_EQ(retried(), "queued queued refused too_many_jobs");
    const std::string task = text(object(made).at("items").at(0).as_object(), "task_id");
    ASSERT_EQ(ask("POST", "/api/v1/tasks/" + task + "/cancel", as_command()).status, 200);
    EXPECT_EQ(retried(), "queued queued queued ") << "what was refused, and nothing twice";
    EXPECT_EQ(store_->task(TaskId{task})->state, domain::TaskState::cancelled);
}

TEST_F(AccessLimits, RoomInTheStore) {
    start();
    const json::object made =
        make_token("small", R"("read", "write")", R"(, "storage_bytes_max": 10)");
    const std::string token = text(made, "token");
    const Answer first = send(token, "12345678");
    ASSERT_EQ(first.status, 201);
    const Answer second = send(token, "90123");
    expect_refused(second, 429, "storage_quota");
    EXPECT_EQ(second.field("retry-after"), "3600");
    // Where the length is not announced: once it is known.
    const Answer chunked = [&] {
        RawClient client = connect();
        client.send("POST /api/v1/media?filename=a.wav HTTP/1.1\r\nHost: localhost\r\n" +
                    bearer(token) +
                    "Content-Type: audio/wav\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\n90123\r\n0\r\n\r\n");
        return client.read().value_or(Answer{});
    }();
    expect_refused(chunked, 429, "storage_quota");
    EXPECT_EQ(send(token, "90").status, 201);
    const json::array items =
        object(ask("GET", "/api/v1/tokens", as_command())).at("items").as_array();
    EXPECT_EQ(items[0].as_object().at("stored_bytes"), 10);

    // What is deleted makes room.
    ASSERT_TRUE(await(text(object(first), "task_id"), domain::TaskState::completed));
    EXPECT_EQ(ask("DELETE", text(object(first), "media_url"), bearer(token)).status, 204);
    EXPECT_EQ(send(token, "90123").status, 201);
}

TEST_F(AccessLimits, TheDefaultsAreThoseOfTheSettings) {
    settings_.access.defaults.jobs = 1;
    shut_gate();
    start();
    const std::string token = secret("plain", R"("write")");
    const std::string free = secret("free", R"("write")", R"(, "jobs_max": 0)");
    EXPECT_EQ(send(token, "one").status, 201);
    expect_refused(send(token, "two"), 429, "too_many_jobs");
    EXPECT_EQ(send(free, "three").status, 201);
    EXPECT_EQ(send(free, "four").status, 201);
}

TEST_F(AccessLimits, AKeyOfOneTokenGivesAnotherNothing) {
    start();
    const std::string keyed = "Idempotency-Key: 2026-11-28\r\n";
    const std::string a = secret("a", R"("write")");
    const std::string b = secret("b", R"("write")");
    const Answer first = send(a, "bytes", keyed);
    ASSERT_EQ(first.status, 201);
    // Nor does it stand in its way: programs that don't know of each other choose the same.
    for (const std::string bytes : {"bytes", "other bytes"}) {
        const Answer other = send(bytes == "bytes" ? b : secret("c", R"("write")"), bytes, keyed);
        EXPECT_EQ(other.status, 201) << other.body;
        EXPECT_EQ(other.field("idempotency-replayed"), "");
        EXPECT_NE(text(object(other), "id"), text(object(first), "id"));
    }
    EXPECT_EQ(send(server_->command_token(), "bytes", keyed).field("idempotency-replayed"), "")
        << "nobody's is another's, too";
    const Answer again = send(a, "bytes", keyed);
    EXPECT_EQ(again.field("idempotency-replayed"), "true");
    EXPECT_EQ(text(object(again), "id"), text(object(first), "id"));
    expect_refused(send(b, "third bytes", keyed), 422, "idempotency_key_reused");
}

TEST_F(AccessLimits, ClientsOfOpenAiAreToldInTheirShape) {
    shut_gate();
    start();
    const std::string token = secret("few", R"("read", "write")", R"(, "jobs_max": 1)");
    ASSERT_EQ(send(token, "one").status, 201);
    const Answer refused =
        ask("POST", "/v1/audio/transcriptions",
            bearer(token) + "Content-Type: multipart/form-data; boundary=B\r\n",
            "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n"
            "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n"
            "other\r\n--B--\r\n");
    EXPECT_EQ(refused.status, 429) << refused.body;
    EXPECT_EQ(refused.field("retry-after"), "10");
    const json::object error = object(refused).at("error").as_object();
    EXPECT_EQ(text(error, "type"), "rate_limit_error");
    EXPECT_EQ(text(error, "code"), "too_many_jobs");
}

}  // namespace
}  // namespace durascribe::api
