// What HTTP itself asks for, beside what the handlers do: methods, negotiation, pages of other
// sites, and clients that are slow on purpose.
#include <thread>

#include "durascribe/api/routes.h"
#include "http_fixture.h"

namespace durascribe::api {
namespace {

class HttpBehaviour : public HttpTest {
  protected:
    // A path that this route has.
    static std::string path_of(const Route& route) {
        std::string path{route.pattern};
        for (std::size_t at = 0; (at = path.find('{')) != std::string::npos;) {
            path.replace(at, path.find('}') - at + 1, "0190c1d0-0000-7000-8000-000000000001");
        }
        return path;
    }
    // Sends byte after byte, slowly; whether the server ends it before the last.
    static bool is_cut_while_it_trickles(RawClient& client, const std::string& bytes) {
        for (const char byte : bytes) {
            if (!client.send({&byte, 1}) || client.ended_within(20)) {
                return true;
            }
        }
        return false;
    }
};

TEST_F(HttpBehaviour, EveryAddressTellsItsMethodsAndRefusesOthers) {
    start();
    for (const Route& route : routes()) {
        const std::string path = path_of(route);
        const Answer options = ask("OPTIONS", path);
        EXPECT_EQ(options.status, 204) << path;
        const std::string allow = options.field("allow");
        EXPECT_TRUE(allow.ends_with("OPTIONS")) << path << ": " << allow;
        if (route.method != Method::options) {
            EXPECT_TRUE(allow.contains(to_string(route.method))) << path << ": " << allow;
        }
        for (const std::string method : {"PUT", "TRACE", "BREW"}) {
            if (allow.contains(method)) {
                continue;
            }
            const Answer refused = ask(method, path);
            EXPECT_EQ(refused.status, 405) << method << " " << path;
            EXPECT_EQ(refused.field("allow"), allow);
            EXPECT_EQ(text(object(refused), route.pattern.starts_with("/v1/") ? "" : "code"),
                      route.pattern.starts_with("/v1/") ? "" : "method_not_allowed");
        }
    }
    EXPECT_EQ(ask("OPTIONS", "*").status, 204);
}

TEST_F(HttpBehaviour, HeadIsGetWithoutTheBody) {
    start();
    const auto media = upload();
    ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
    const std::string base = "/api/v1/media/" + text(media, "id");
    for (const std::string& path :
         {std::string{"/api/v1/media"}, base, base + "/status", base + "/source",
          base + "/transcript.srt", base + "/waveform", std::string{"/api/openapi.json"},
          std::string{"/api/v1/tasks/nobody"}}) {
        RawClient client = connect();
        client.send("HEAD " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n" + "GET " + path +
                    " HTTP/1.1\r\nHost: localhost\r\n\r\n");
        const auto head = client.read(true);
        const auto get = client.read();  // right behind it: no body came
        ASSERT_TRUE(head && get) << path;
        EXPECT_EQ(head->status, get->status) << path;
        EXPECT_EQ(head->field("content-length"), get->field("content-length")) << path;
        EXPECT_EQ(head->field("content-type"), get->field("content-type")) << path;
        EXPECT_FALSE(get->body.empty()) << path;
    }
    EXPECT_EQ(ask("HEAD", "/api/v1/ws").status, 426);
}

TEST_F(HttpBehaviour, WhatNobodyGivesIsNotAcceptable) {
    start();
    const auto media = upload();
    ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
    const std::string base = "/api/v1/media/" + text(media, "id");
    const auto status = [&](const std::string& path, const std::string& accept) {
        return ask("GET", path, "Accept: " + accept + "\r\n").status;
    };
    const Answer refused = ask("GET", base, "Accept: text/html, image/*\r\n");
    EXPECT_EQ(refused.status, 406);
    EXPECT_EQ(text(object(refused), "code"), "not_acceptable");
    EXPECT_TRUE(text(object(refused), "detail").contains("application/json"));
    EXPECT_EQ(status(base, "application/json"), 200);
    EXPECT_EQ(status(base, "text/html, */*;q=0.1"), 200);
    EXPECT_EQ(status(base, "application/json;q=0"), 406);
    EXPECT_EQ(status(base + "/source", "audio/wav"), 200) << "whatever was sent";
    EXPECT_EQ(status(base + "/transcript.srt", "application/x-subrip"), 200);
    EXPECT_EQ(status(base + "/transcript.srt", "application/json"), 406) << "of another format";
    EXPECT_EQ(status(base + "/transcript.json", "application/json"), 200);
    EXPECT_EQ(status(base + "/transcript.vtt", "text/*"), 200);
    EXPECT_EQ(status("/api/v1/events", "application/json"), 406);
    // Before anything is done.
    EXPECT_EQ(ask("POST", "/api/v1/queue/pause", "Accept: text/html\r\n").status, 406);
    EXPECT_FALSE(*store_->paused());
}

TEST_F(HttpBehaviour, AParameterThatAnAddressDoesNotHaveIsNamed) {
    start();
    const Answer misspelt =
        ask("POST", "/api/v1/media?filename=a.wav&lnaguage=de", "Content-Type: audio/wav\r\n", "x");
    EXPECT_EQ(misspelt.status, 400);
    EXPECT_EQ(text(object(misspelt), "code"), "bad_value");
    const std::string detail = text(object(misspelt), "detail");
    EXPECT_TRUE(detail.contains("\"lnaguage\"") && detail.contains("language")) << detail;
    EXPECT_TRUE(store_->list_media({}, {})->rows.empty());
    EXPECT_EQ(ask("GET", "/api/v1/queue?x=1").status, 400);
    EXPECT_EQ(ask("GET", "/api/v1/tasks?active=true&limit=3").status, 200);
    EXPECT_EQ(ask("GET", "/media?x=1").status, 200) << "earlier clients send what they send";
    EXPECT_EQ(ask("GET", "/health/live?x=1").status, 200) << "probes, too";
}

// ---- pages of other sites -----------------------------------------------------------------------

TEST_F(HttpBehaviour, PagesOfTheListMayUseItAndOthersMayNot) {
    settings_.cors_origins = {"https://app.example"};
    start();
    const std::string page = "Origin: https://app.example\r\n";
    const Answer preflight = ask("OPTIONS", "/api/v1/media",
                                 page +
                                     "Access-Control-Request-Method: POST\r\n"
                                     "Access-Control-Request-Headers: idempotency-key\r\n");
    EXPECT_EQ(preflight.status, 204);
    EXPECT_EQ(preflight.field("access-control-allow-origin"), "https://app.example");
    EXPECT_TRUE(preflight.field("access-control-allow-methods").contains("POST"));
    EXPECT_TRUE(preflight.field("access-control-allow-headers").contains("Idempotency-Key"));
    EXPECT_EQ(preflight.field("access-control-max-age"), "600");
    const Answer pieces =
        ask("OPTIONS", "/api/v1/uploads", page + "Access-Control-Request-Method: POST\r\n");
    EXPECT_EQ(pieces.field("access-control-allow-methods"), "POST, OPTIONS");
    EXPECT_EQ(pieces.field("tus-version"), "1.0.0");
    const Answer made =
        ask("POST", "/api/v1/media?filename=a.wav", page + "Content-Type: audio/wav\r\n", "x");
    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(made.field("access-control-allow-origin"), "https://app.example");
    EXPECT_TRUE(made.field("access-control-expose-headers").contains("Location"));
    EXPECT_EQ(made.field("vary"), "Origin");
    EXPECT_EQ(ask("GET", "/api/v1/nothing", page).field("access-control-allow-origin"),
              "https://app.example")
        << "so that it can be read what was wrong";
    EXPECT_EQ(ask("GET", "/api/v1/media").field("vary"), "Origin");

    const std::string other = "Origin: https://evil.example\r\n";
    const Answer foreign =
        ask("POST", "/api/v1/media?filename=a.wav", other + "Content-Type: audio/wav\r\n", "x");
    EXPECT_EQ(foreign.status, 403);
    EXPECT_EQ(foreign.field("access-control-allow-origin"), "");
    EXPECT_EQ(ask("GET", "/api/v1/media", other).field("access-control-allow-origin"), "");
    EXPECT_EQ(ask("OPTIONS", "/api/v1/media", other + "Access-Control-Request-Method: POST\r\n")
                  .field("access-control-allow-methods"),
              "");
    // The Host is still looked at: a name made to resolve here is no page of the list.
    RawClient rebound = connect();
    rebound.send("GET /api/v1/media HTTP/1.1\r\nHost: evil.example\r\n" + page + "\r\n");
    EXPECT_EQ(rebound.read()->status, 403);
}

TEST_F(HttpBehaviour, WithoutAListNothingIsSaidToPages) {
    start();
    const Answer preflight =
        ask("OPTIONS", "/api/v1/media",
            "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n");
    EXPECT_EQ(preflight.status, 204);
    EXPECT_FALSE(preflight.head.contains("access-control"));
    EXPECT_EQ(preflight.field("vary"), "");
}

// ---- clients that are slow on purpose -----------------------------------------------------------

TEST_F(HttpBehaviour, AHeaderThatTricklesIsCut) {
    settings_.header_timeout = Millis{300};
    start();
    RawClient client = connect();
    EXPECT_TRUE(is_cut_while_it_trickles(
        client, "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(500, 'x')));
}

TEST_F(HttpBehaviour, ABodyThatTricklesIsCut) {
    settings_.body_timeout = Millis{300};
    start();
    RawClient client = connect();
    client.send(
        "POST /api/v1/media?filename=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
        "100000\r\n\r\n");
    EXPECT_TRUE(is_cut_while_it_trickles(client, std::string(500, 'x')));
    server_->stop(Millis{10'000});
    EXPECT_TRUE(store_->list_media({}, {})->rows.empty());
}

TEST_F(HttpBehaviour, AnAnswerThatIsNotReadIsCut) {
    settings_.connections_max = 1;
    start();
    const std::string path =
        "/api/v1/media/" + text(upload(std::string(8 << 20, 'x')), "id") + "/source";
    server_.reset();
    settings_.body_timeout = Millis{300};
    start_server_again();
    RawClient client{server_->port(), 4 << 10};
    client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(await_room());
}

TEST_F(HttpBehaviour, RequestsWhoseAnswersAreNotReadAreNotTakenForEver) {
    settings_.body_timeout = Millis{300};
    start();
    RawClient client{server_->port(), 4 << 10};
    const std::string get = "GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int sent = 0;
    while (sent < 200'000 && client.send(get)) {
        ++sent;
    }
    EXPECT_LT(sent, 200'000);
    EXPECT_EQ(ask("GET", "/health/live").status, 200);
}

TEST_F(HttpBehaviour, ADownloadUnderWayIsFinishedAtAStop) {
    start();
    const std::string bytes(8 << 20, 'x');
    const std::string path = "/api/v1/media/" + text(upload(bytes), "id") + "/source";
    RawClient idle = connect();
    idle.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_EQ(idle.read()->status, 200);
    RawClient client{server_->port(), 4 << 10};
    client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const auto head = client.read(true);
    ASSERT_TRUE(head);
    std::jthread stopper{[this] { server_->stop(Millis{20'000}); }};
    EXPECT_TRUE(idle.ended());  // the stop has begun
    EXPECT_EQ(client.read_bytes(bytes.size()), bytes);
    EXPECT_TRUE(client.ended());
    const auto begun = clock_.mono();
    client.close();
    stopper.join();
    EXPECT_LT((clock_.mono() - begun).count(), 15'000) << "it ends with its clients";
}

TEST_F(HttpBehaviour, ADownloadThatTakesLongerThanTheGraceIsCut) {
    start();
    const std::string bytes(8 << 20, 'x');
    const std::string path = "/api/v1/media/" + text(upload(bytes), "id") + "/source";
    RawClient client{server_->port(), 4 << 10};
    client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_TRUE(client.read(true));
    const auto begun = clock_.mono();
    server_->stop(Millis{100});
    EXPECT_LT((clock_.mono() - begun).count(), 5'000);
    EXPECT_LT(client.read_bytes(bytes.size()).size(), bytes.size());
}

TEST_F(HttpBehaviour, AnOldClientIsNotToldToGoOn) {
    start();
    RawClient client = connect();
    client.send(
        "POST /api/v1/media?filename=a HTTP/1.0\r\nContent-Length: 5\r\nExpect: "
        "100-continue\r\n\r\nbytes");
    EXPECT_EQ(client.read()->status, 201);
}

}  // namespace
}  // namespace durascribe::api
