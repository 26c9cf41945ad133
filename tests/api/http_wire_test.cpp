// The wire: limits, deadlines, malformed and hostile bytes, connections that end badly.
#include <filesystem>
#include <random>
#include <stdexcept>
#include <thread>

#include "http_fixture.h"
#include "test_seed.h"

namespace durascribe::api {
namespace {

const std::string kGet = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

TEST_F(HttpTest, PipelinedRequestsAreAnsweredInOrder) {
    start();
    RawClient client = connect();
    client.send(kGet +
                "POST /api/v1/media?filename=a.wav HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                "5\r\n\r\nbytes" +
                "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n" + kGet);
    for (const int status : {200, 201, 404, 200}) {
        const auto answer = client.read();
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->status, status);
    }
}

TEST_F(HttpTest, ChunkedUploadsOfMoreThanOneBuffer) {
    start();
    RawClient client = connect();
    client.send(
        "POST /api/v1/media?filename=a.wav HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
        "chunked\r\n\r\n");
    const std::string chunk(100'000, 'x');
    for (int i = 0; i < 11; ++i) {
        client.send(fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk));
    }
    client.send("0\r\n\r\n" + kGet);
    const auto answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 201) << answer->body;
    EXPECT_EQ(object(*answer).at("size_bytes"), 1'100'000);
    EXPECT_EQ(client.read()->status, 200);
    EXPECT_EQ(ask("GET", "/api/v1/media/" + text(object(*answer), "id") + "/source").body,
              std::string(1'100'000, 'x'));
}

TEST_F(HttpTest, AnUploadCutInTheMiddleLeavesNothing) {
    start();
    const auto files = [this] {
        int count = 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator{directory_.path()}) {
            count += entry.is_regular_file() ? 1 : 0;
        }
        return count;
    };
    const int before = files();
    for (const std::string fields : {"", "Content-Type: multipart/form-data; boundary=B\r\n"}) {
        RawClient client = connect();
        client.send("POST /api/v1/media HTTP/1.1\r\nHost: localhost\r\n" + fields +
                    "Content-Length: 1000000\r\n\r\n" +
                    "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" +
                    std::string(600'000, 'x'));
        client.close();
    }
    server_->stop(Millis{10'000});  // returns when all that had begun has ended
    EXPECT_EQ(files(), before);
    EXPECT_TRUE(store_->list_media({}, {})->rows.empty());
}

TEST_F(HttpTest, AFormWithoutItsEndIsAnErrorAndLeavesNothing) {
    start();
    const Answer answer =
        ask("POST", "/api/v1/media", "Content-Type: multipart/form-data; boundary=B\r\n",
            "--B\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nbytes");
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(text(object(answer), "code"), "bad_multipart");
    EXPECT_TRUE(store_->list_media({}, {})->rows.empty());
}

TEST_F(HttpTest, TooLargeIsSaidBeforeTheBody) {
    settings_.upload_limit_bytes = 1000;
    start();
    RawClient client = connect();
    client.send(
        "POST /api/v1/media HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\nExpect: "
        "100-continue\r\n\r\n");
    const auto refused = client.read();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 413);
    EXPECT_EQ(refused->field("connection"), "close");
    client.shut();
    EXPECT_TRUE(client.ended());

    RawClient chunked = connect();
    chunked.send(
        "POST /api/v1/media HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
        "chunked\r\n\r\n3e9\r\n" +
        std::string(1001, 'x') + "\r\n0\r\n\r\n");
    EXPECT_EQ(chunked.read()->status, 413);
    EXPECT_EQ(ask("POST", "/api/v1/media", "", std::string(1000, 'x')).status, 201);
    EXPECT_EQ(ask("PATCH", "/api/v1/media/0190c1d0-0000-7000-8000-000000000001",
                  "Content-Type: application/json\r\n",
                  std::string(static_cast<std::size_t>(settings_.json_limit_bytes) + 1, ' '))
                  .status,
              413);
}

// One piece is written while the next is waited for: what is wrong with the first is told at once.
TEST_F(HttpTest, ARefusedPieceDoesNotWaitForTheNext) {
    settings_.upload_limit_bytes = 1000;
    start();
    RawClient client = connect();
    client.send(
        "POST /api/v1/media HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
        "chunked\r\n\r\n50000\r\n" +
        std::string(0x48000, 'x'));  // the rest never comes
    const auto begun = std::chrono::steady_clock::now();
    const auto refused = client.read();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 413);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, settings_.body_timeout / 2);
}

TEST_F(HttpTest, AClientThatWaitsIsToldToGoOn) {
    start();
    RawClient client = connect();
    client.send(
        "POST /api/v1/media?filename=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: "
        "100-continue\r\n\r\n");
    EXPECT_EQ(client.read()->status, 100);
    client.send("bytes");
    EXPECT_EQ(client.read()->status, 201);
    const Answer magic = ask("POST", "/api/v1/media", "Expect: magic\r\n", "x");
    EXPECT_EQ(magic.status, 417);
    EXPECT_EQ(text(object(magic), "code"), "expectation_failed");
}

TEST_F(HttpTest, MalformedRequestsAreRefusedAndTheConnectionEnds) {
    start();
    struct Case {
        std::string bytes;
        int status;
        std::string code;
    };
    const std::vector<Case> cases{
        {"GARBAGE\r\n\r\n", 400, "bad_request"},
        {"GET / HTTP/1.1\r\n\r\n", 400, "bad_host"},  // no Host
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n", 400, "bad_host"},
        {"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request"},
        {"GET / HTTP/3.7\r\nHost: localhost\r\n\r\n", 400, "bad_request"},
        {"POST /api/v1/media HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
         "5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400, "bad_request"},
        {"POST /api/v1/media HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
         "chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
         400, "bad_request"},
        {"POST /api/v1/media HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: "
         "6\r\n\r\nbytes",
         400, "bad_request"},
        {"POST /api/v1/media HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\nbytes", 400,
         "bad_request"},
        {"POST /api/v1/media HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
         "chunked\r\n\r\nzz\r\n",
         400, "bad_request"},
        {"POST /api/v1/queue/pause HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
         "gzip\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
         400, "bad_request"},
        {"POST /api/v1/queue/pause HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
         "chunked, identity\r\n\r\n0\r\n\r\n",
         400, "bad_request"},
        {"POST /api/v1/media HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
         "identity\r\nContent-Length: 5\r\n\r\nbytes",
         400, "bad_request"},
        {"POST /api/v1/queue/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
         "9223372036854775808\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
         413, "body_too_large"},
        {"GET / HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n", 400, "bad_request"},
        {"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n", 431,
         "header_too_large"},
        {"GET /" + std::string(10'000, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414,
         "uri_too_long"},
        {"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_target"},
    };
    for (const auto& [bytes, status, code] : cases) {
        RawClient client = connect();
        client.send(bytes);
        const auto answer = client.read();
        ASSERT_TRUE(answer) << bytes.substr(0, 200);
        EXPECT_EQ(answer->status, status) << bytes.substr(0, 200);
        EXPECT_EQ(answer->field("content-type"), "application/problem+json");
        EXPECT_EQ(text(object(*answer), "code"), code) << bytes.substr(0, 200);
        if (code == "bad_host") {
            EXPECT_EQ(answer->field("connection"), "close");
        }
    }
    EXPECT_TRUE(store_->list_media({}, {})->rows.empty());
}

TEST_F(HttpTest, WhatGoesWrongInTheServerIsSaidWithoutItsReason) {
    settings_.webhooks_changed = [] { throw std::runtime_error("the reason"); };
    start();
    const Answer broken = ask("POST", "/api/v1/webhooks", "Content-Type: application/json\r\n",
                              R"({"url": "https://app.example/"})");
    EXPECT_EQ(broken.status, 500) << broken.body;
    EXPECT_EQ(text(object(broken), "code"), "internal_error");
    EXPECT_FALSE(broken.body.contains("the reason")) << "that is for the log";
    EXPECT_EQ(ask("GET", "/health/live").status, 200);
}

// Requests with bytes changed, removed and added: whatever comes back, it is not the server's
// fault.
TEST_F(HttpTest, MutatedRequestsNeverGiveAServerError) {
    start();
    const std::string id = text(upload(), "id");
    const std::vector<std::string> seeds{
        kGet,
        "GET /api/v1/media?limit=5&status=completed&search=a%20b HTTP/1.1\r\nHost: "
        "localhost\r\n\r\n",
        "GET /api/v1/media/" + id +
            "/source HTTP/1.1\r\nHost: localhost\r\nRange: bytes=1-3\r\n\r\n",
        "PATCH /api/v1/media/" + id +
            " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
            "15\r\n\r\n{\"title\": \"abc\"}",
        "POST /api/v1/media?filename=x HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
        "multipart/form-data; boundary=B\r\n"
        "Content-Length: 81\r\n\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; "
        "filename=\"a\"\r\n\r\nbytes\r\n--B--\r\n"};
    std::mt19937 random{durascribe::testing::test_seed()};
    int answered = 0;
    for (int round = 0; round < 600; ++round) {
        std::string bytes = seeds[random() % seeds.size()];
        for (auto changes = 1 + random() % 4; changes > 0; --changes) {
            const std::size_t at = random() % bytes.size();
            switch (random() % 4) {
                case 0:
                    bytes[at] = static_cast<char>(random());
                    break;
                case 1:
                    bytes.erase(at, 1 + random() % 4);
                    break;
                case 2:
                    bytes.insert(at, 1 + random() % 4, static_cast<char>(random()));
                    break;
                default:
                    bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 20));
            }
            if (bytes.empty()) {
                bytes = "x";
            }
        }
        RawClient client = connect();
        client.send(bytes);
        client.shut();
        if (const auto answer = client.read(bytes.starts_with("HEAD"))) {
            ++answered;
            EXPECT_TRUE(answer->status < 500) << answer->status << "\n"
                                              << bytes << "\n"
                                              << answer->body;
        }
    }
    EXPECT_GT(answered, 100);
    EXPECT_EQ(ask("GET", "/health/live").status, 200);
}

TEST_F(HttpTest, SlowClientsAreCut) {
    settings_.header_timeout = settings_.body_timeout = settings_.idle_timeout = Millis{200};
    start();
    RawClient silent = connect();
    EXPECT_TRUE(silent.ended());
    RawClient half = connect();
    half.send("GET / HT");
    EXPECT_TRUE(half.ended());
    RawClient body = connect();
    body.send(
        "POST /api/v1/media HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nbytes");
    EXPECT_TRUE(body.ended());
    RawClient idle = connect();
    idle.send(kGet);
    EXPECT_EQ(idle.read()->status, 200);
    EXPECT_TRUE(idle.ended());
    server_->stop(Millis{10'000});
    EXPECT_TRUE(store_->list_media({}, {})->rows.empty());
}

TEST_F(HttpTest, ConnectionsAreCapped) {
    settings_.connections_max = 2;
    start();
    RawClient first = connect();
    RawClient second = connect();
    for (RawClient* client : {&first, &second}) {
        client->send(kGet);
        EXPECT_EQ(client->read()->status, 200);
    }
    RawClient third = connect();
    const auto refused = third.read();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 503);
    EXPECT_EQ(text(object(*refused), "code"), "busy");
    third.shut();
    EXPECT_TRUE(third.ended());
    first.send(kGet);
    EXPECT_EQ(first.read()->status, 200);
}

TEST_F(HttpTest, StopEndsIdleConnectionsAtOnceAndLetsAnUploadFinish) {
    start();
    RawClient idle = connect();
    idle.send(kGet);
    EXPECT_EQ(idle.read()->status, 200);
    RawClient busy = connect();
    busy.send(
        "POST /api/v1/media?filename=a.wav HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
        "10\r\nExpect: 100-continue\r\n\r\n");
    ASSERT_EQ(busy.read()->status, 100);
    std::jthread stopper{[this] { server_->stop(Millis{20'000}); }};
    EXPECT_TRUE(idle.ended());  // the stop has begun
    busy.send("0123456789");
    const auto answer = busy.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(answer->field("connection"), "close");
    busy.close();
    stopper.join();
    EXPECT_EQ(store_->list_media({}, {})->rows.size(), 1U);
}

TEST_F(HttpTest, StopCutsWhatDoesNotEndWithinItsGrace) {
    start();
    RawClient busy = connect();
    busy.send(
        "POST /api/v1/media?filename=a.wav HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
        "10\r\nExpect: 100-continue\r\n\r\n");
    ASSERT_EQ(busy.read()->status, 100);
    const MonoTime before = clock_.mono();
    server_->stop(Millis{50});
    EXPECT_LT((clock_.mono() - before).count(), 5'000);
    EXPECT_TRUE(store_->list_media({}, {})->rows.empty());
}

TEST_F(HttpTest, OldAndClosingClients) {
    start();
    RawClient old = connect();
    old.send("GET /health/live HTTP/1.0\r\n\r\n");
    EXPECT_EQ(old.read()->field("connection"), "close");
    EXPECT_TRUE(old.ended());
    RawClient closing = connect();
    closing.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(closing.read()->status, 200);
    EXPECT_TRUE(closing.ended());
}

}  // namespace
}  // namespace durascribe::api
