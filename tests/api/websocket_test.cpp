// The WebSockets over real sockets, with well-behaved clients and with others.
#include <string>
#include <thread>

#include <boost/json.hpp>

#include "http_fixture.h"
#include "websocket_client.h"

namespace durascribe::api {
namespace {

using testing::Frame;
using testing::kBinary;
using testing::kClose;
using testing::kPing;
using testing::kPong;
using testing::kText;
using testing::WebSocketClient;

class WebSocketTest : public HttpTest {
  protected:
    WebSocketClient socket() { return WebSocketClient{server_->port()}; }
    WebSocketClient opened(const std::string& target = "/api/v1/ws") {
        WebSocketClient client = socket();
        EXPECT_EQ(client.open(target), 101);
        return client;
    }
    // The next text message.
    static json::object next(WebSocketClient& client) {
        const auto frame = client.read();
        if (!frame || frame->opcode != kText) {
            ADD_FAILURE() << "no text came, but " << (frame ? frame->opcode : -1);
            return {};
        }
        return json::parse(frame->payload).get_object();
    }
    // The code with which the server closes.
    static int close_code(WebSocketClient& client) {
        for (;;) {
            const auto frame = client.read();
            if (!frame) {
                return -1;
            }
            if (frame->opcode == kClose) {
                return frame->close_code();
            }
        }
    }
};

TEST_F(WebSocketTest, BeginsWithASnapshotThenEventsThenOtherFilters) {
    start();
    WebSocketClient client = opened();
    EXPECT_EQ(text(next(client), "type"), "snapshot");
    ASSERT_TRUE(store_->set_paused(true));
    const auto event = next(client);
    EXPECT_EQ(text(event, "type"), "queue.paused");
    client.send(kText, R"({"type":"subscribe","event":["queue.resumed"]})");
    EXPECT_EQ(text(next(client), "type"), "subscribed");
    EXPECT_EQ(text(next(client), "type"), "snapshot");
    ASSERT_TRUE(store_->set_paused(false));
    ASSERT_TRUE(store_->set_paused(true));
    ASSERT_TRUE(store_->set_paused(false));
    EXPECT_EQ(text(next(client), "type"), "queue.resumed");
    EXPECT_EQ(text(next(client), "type"), "queue.resumed");
    client.send(kText, R"({"type":"subscribe","after":)" +
                           std::to_string(event.at("seq").to_number<std::int64_t>()) + "}");
    EXPECT_EQ(text(next(client), "type"), "subscribed");
    EXPECT_EQ(text(next(client), "type"), "queue.resumed");
    EXPECT_EQ(text(next(client), "type"), "queue.paused");
}

TEST_F(WebSocketTest, ReplaysOrSaysReset) {
    start();
    ASSERT_TRUE(await(text(upload(), "task_id"), domain::TaskState::completed));
    WebSocketClient client = opened("/api/v1/ws?after=0&type=media.created");
    EXPECT_EQ(text(next(client), "type"), "media.created");
    WebSocketClient other = opened("/api/v1/ws?after=99999");
    EXPECT_EQ(text(next(other), "type"), "reset");
    EXPECT_EQ(text(next(other), "type"), "snapshot");
}

TEST_F(WebSocketTest, AnswersPingsOfBothKinds) {
    start();
    WebSocketClient client = opened();
    EXPECT_EQ(text(next(client), "type"), "snapshot");
    client.send(kText, R"({"type":"ping"})");
    EXPECT_EQ(text(next(client), "type"), "pong");
    client.send(kPing, "are you there");
    EXPECT_EQ(client.read(), (Frame{kPong, "are you there"}));
}

TEST_F(WebSocketTest, PingsAndCutsAPeerThatDoesNotAnswer) {
    settings_.socket_idle_timeout = Millis{600};
    start();
    WebSocketClient dead = opened();
    WebSocketClient alive = opened();
    EXPECT_EQ(text(next(dead), "type"), "snapshot");
    EXPECT_EQ(text(next(alive), "type"), "snapshot");
    for (int i = 0; i < 4; ++i) {
        const auto frame = alive.read();
        ASSERT_TRUE(frame);
        ASSERT_EQ(frame->opcode, kPing);
        alive.send(kPong, frame->payload);
    }
    EXPECT_EQ(dead.read().value_or(Frame{}).opcode, kPing);
    EXPECT_FALSE(dead.read());  // cut
}

TEST_F(WebSocketTest, RefusesAtTheHandshake) {
    start();
    WebSocketClient foreign = socket();
    EXPECT_EQ(foreign.open("/api/v1/ws", "Origin: http://evil.example\r\n"), 403);
    EXPECT_EQ(text(object(*foreign.answer), "code"), "foreign_origin");
    WebSocketClient own = socket();
    EXPECT_EQ(own.open("/api/v1/ws", "Origin: http://localhost\r\n"), 101);
    EXPECT_EQ(socket().open("/api/v1/ws?type=nothing"), 400);
    EXPECT_EQ(socket().open("/api/v1/ws?after=x"), 400);
    EXPECT_EQ(socket().open("/api/v1/wss"), 404);
    const Answer plain = ask("GET", "/api/v1/ws");
    EXPECT_EQ(plain.status, 426);
    EXPECT_EQ(plain.field("upgrade"), "websocket");
    EXPECT_EQ(text(object(plain), "code"), "upgrade_required");
    EXPECT_EQ(plain.field("connection"), "upgrade, keep-alive");
    EXPECT_EQ(plain.field("sec-websocket-version"), "13");
    // What else a handshake can lack: said as all else is.
    const std::string_view begin = "GET /api/v1/ws HTTP/1.1\r\nHost: localhost\r\n";
    const std::string_view key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (const auto& [status, code, fields] :
         {std::tuple{426, "upgrade_required",
                     "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"},
          std::tuple{426, "upgrade_required", "Connection: Upgrade\r\nUpgrade: websocket\r\n"},
          std::tuple{426, "upgrade_required",
                     "Connection: close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"},
          std::tuple{426, "upgrade_required", "Connection: Upgrade\r\nUpgrade: h2c\r\n"}}) {
        RawClient client = connect();
        client.send(std::string{begin}.append(fields).append(key).append("\r\n"));
        const auto refused = client.read();
        ASSERT_TRUE(refused) << fields;
        EXPECT_EQ(refused->status, status) << fields;
        EXPECT_EQ(text(object(*refused), "code"), code) << fields;
        EXPECT_EQ(refused->field("sec-websocket-version"), "13") << fields;
    }
    for (const std::string_view bad : {"", "Sec-WebSocket-Key: short\r\n"}) {
        RawClient client = connect();
        client.send(std::string{begin}
                        .append("Connection: Upgrade\r\nUpgrade: websocket\r\n"
                                "Sec-WebSocket-Version: 13\r\n")
                        .append(bad)
                        .append("\r\n"));
        const auto refused = client.read();
        ASSERT_TRUE(refused) << bad;
        EXPECT_EQ(refused->status, 400) << bad;
        EXPECT_TRUE(text(object(*refused), "detail").starts_with("Sec-WebSocket-Key"));
    }
    EXPECT_EQ(socket().open("/api/v1/ws", "Content-Length: 3\r\n"), 400);
    EXPECT_EQ(socket().open("/api/transcription/3/progress"), 404);
    EXPECT_EQ(socket().open("/api/transcription/0190f7d2-0000-7000-8000-000000000001/progress"),
              404);
}

TEST_F(WebSocketTest, CanBeTurnedOff) {
    settings_.websockets = false;
    start();
    WebSocketClient client = socket();
    EXPECT_EQ(client.open("/api/v1/ws"), 404);
    EXPECT_EQ(text(object(*client.answer), "code"), "websocket_off");
}

TEST_F(WebSocketTest, ClosesWithTheCodeThatSaysWhy) {
    start();
    const auto code_after = [this](auto misbehave) {
        WebSocketClient client = opened();
        misbehave(client);
        return close_code(client);
    };
    EXPECT_EQ(code_after([](auto& c) { c.send(kPing, "half", false); }), 1002);
    EXPECT_EQ(code_after([](auto& c) { c.send(kPing, std::string(126, 'x')); }), 1002);
    EXPECT_EQ(code_after([](auto& c) { c.send(3, "reserved opcode"); }), 1002);
    EXPECT_EQ(code_after([](auto& c) { c.send(0, "goes on with nothing"); }), 1002);
    EXPECT_EQ(code_after([](auto& c) { c.raw().send(std::string{"\x81\x01x", 3}); }), 1002);
    EXPECT_EQ(code_after([](auto& c) { c.send(kText, "\xff\xfe"); }), 1007);
    EXPECT_EQ(code_after([](auto& c) {
                  c.send(kText, "\xc3", false);
                  c.send(0, "(");
              }),
              1007);
    EXPECT_EQ(code_after([](auto& c) { c.send(kBinary, "bytes"); }), 1003);
    EXPECT_EQ(code_after([](auto& c) { c.send(kText, std::string(17 << 10, ' ')); }), 1009);
    EXPECT_EQ(code_after([](auto& c) {
                  c.send(kText, std::string(15 << 10, ' '), false);
                  c.send(0, std::string(15 << 10, ' '));
              }),
              1009);
    EXPECT_EQ(code_after([](auto& c) { c.send(kClose, std::string{"\x03\xe8", 2}); }), 1000);
}

TEST_F(WebSocketTest, SaysWhatIsWrongWithAMessageAndGoesOn) {
    start();
    WebSocketClient client = opened();
    EXPECT_EQ(text(next(client), "type"), "snapshot");
    for (const char* bad :
         {"{", "[]", "{}", R"({"type":"nothing"})", R"({"type":"subscribe","media_id":"3"})",
          R"({"type":"subscribe","event":7})", R"({"type":"subscribe","after":-1})",
          R"({"type":"subscribe","wrong":1})"}) {
        client.send(kText, bad);
        const auto answer = next(client);
        EXPECT_EQ(text(answer, "type"), "error") << bad;
        EXPECT_NE(text(answer, "detail"), "") << bad;
    }
    ASSERT_TRUE(store_->set_paused(true));
    EXPECT_EQ(text(next(client), "type"), "queue.paused");
}

// Its answers pile up nowhere: it is not read any more, and is cut like any dead peer.
TEST_F(WebSocketTest, CutsAClientThatTalksAndDoesNotRead) {
    settings_.socket_idle_timeout = Millis{1'000};
    start();
    WebSocketClient client = opened();
    constexpr int kMany = 1'000'000;
    int sent = 0;
    while (sent < kMany && client.send(kText, R"({"type":"nothing"})")) {
        ++sent;
    }
    EXPECT_LT(sent, kMany);
    EXPECT_EQ(ask("GET", "/health/live").status, 200);
}

// It says that it will send no more, and does not read what is being sent: nobody will ever.
TEST_F(WebSocketTest, CutsAPeerThatHasHalfClosedAndDoesNotRead) {
    settings_.connections_max = 1;
    start();
    for (int i = 0; i < 2'500; ++i) {
        ASSERT_TRUE(store_->set_paused(i % 2 == 0));
    }
    WebSocketClient client{RawClient{server_->port(), 4 << 10}};
    ASSERT_EQ(client.open("/api/v1/ws?after=0"), 101);
    client.raw().shut();
    const auto begun = clock_.mono();
    EXPECT_TRUE(await_room());
    EXPECT_LT((clock_.mono() - begun).count(), 10'000) << "long before it would be idle";
}

TEST_F(WebSocketTest, AnswersABurstOfMessagesInFull) {
    start();
    WebSocketClient client = opened();
    EXPECT_EQ(text(next(client), "type"), "snapshot");
    for (int i = 0; i < 500; ++i) {
        client.send(kText, R"({"type":"ping"})");
    }
    for (int i = 0; i < 500; ++i) {
        ASSERT_EQ(text(next(client), "type"), "pong");
    }
}

TEST_F(WebSocketTest, ClosesWith1001WhenTheServerStops) {
    start();
    WebSocketClient client = opened();
    WebSocketClient deaf = opened();
    EXPECT_EQ(text(next(client), "type"), "snapshot");
    std::jthread stopping{[this] { server_->stop(Millis{40'000}); }};
    const auto frame = client.read();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->opcode, kClose);
    EXPECT_EQ(frame->close_code(), 1001);
    client.send(kClose, frame->payload);
    const auto begun = clock_.mono();
    stopping.join();  // `deaf` never answers the close, and is cut long before the grace is over
    EXPECT_LT((clock_.mono() - begun).count(), 30'000);
}

TEST_F(WebSocketTest, OfEarlierClientsTellsHowOneMediaStands) {
    start();
    shut_gate();
    const auto media = upload();
    ASSERT_TRUE(await_inside());
    for (const char* key : {"id", "task_id"}) {
        WebSocketClient client = opened("/api/transcription/" + text(media, key) + "/progress");
        const auto first = next(client);
        for (const char* field : {"type", "task_id", "media_id", "status", "step", "stage",
                                  "message", "progress", "eta", "data"}) {
            EXPECT_TRUE(first.contains(field)) << field;
        }
        EXPECT_EQ(text(first, "type"), "progress");
        EXPECT_EQ(text(first, "media_id"), text(media, "id"));
        EXPECT_EQ(text(first, "status"), "processing");
    }
    WebSocketClient client = opened("/api/transcription/" + text(media, "id") + "/progress");
    EXPECT_EQ(text(next(client), "status"), "processing");
    open_gate();
    json::object last;
    while (text(last, "status") != "completed") {
        last = next(client);
        ASSERT_FALSE(last.empty());
    }
    EXPECT_EQ(last.at("progress").to_number<double>(), 100.0);
}

}  // namespace
}  // namespace durascribe::api
