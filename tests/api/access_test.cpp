// Who may do what over HTTP: every route, every way of asking, every refusal of docs/access.md.
#include <algorithm>
#include <string>

#include "access_fixture.h"
#include "durascribe/api/routes.h"
#include "websocket_client.h"

namespace durascribe::api {
namespace {

using testing::WebSocketClient;

constexpr const char* kId = "0190c1d0-0000-7000-8000-000000000001";

std::string path_of(const Route& route) {
    std::string path{route.pattern};
    for (std::size_t at = 0; (at = path.find('{')) != std::string::npos;) {
        const std::size_t end = path.find('}', at);
        path.replace(at, end - at + 1, path.substr(at, end - at + 1) == "{format}" ? "srt" : kId);
    }
    return path;
}

std::string method_of(const Route& route) {
    return std::string{to_string(route.method)};
}

class Access : public AccessHttpTest {
  protected:
    Answer ask_route(const Route& route, const std::string& path, const std::string& fields) {
        return ask(method_of(route), path, fields);
    }
};

TEST_F(Access, NoRouteThatNeedsATokenAnswersWithoutOne) {
    start();
    int guarded = 0;
    for (const Route& route : routes()) {
        const Answer answer = ask_route(route, path_of(route), "");
        if (route.need == access::Need::open) {
            EXPECT_TRUE(answer.status != 401 && answer.status != 403)
                << route.pattern << " " << answer.status;
            continue;
        }
        ++guarded;
        EXPECT_EQ(answer.status, 401) << method_of(route) << " " << route.pattern;
        EXPECT_EQ(answer.field("www-authenticate"), R"(Bearer realm="durascribe")");
    }
    EXPECT_GT(guarded, 25);
    for (const char* path : {"/media", "/api/v1/videos", "/media/x", "/api/v1/videos/x/status"}) {
        expect_refused(ask("GET", path), 401, "token_required");
        expect_refused(ask("GET", path, bearer("ds_wrong")), 401, "invalid_token");
    }
    expect_refused(ask("POST", "/media?filename=a.wav", "", "bytes"), 401, "token_required");
    EXPECT_EQ(ask("HEAD", "/api/v1/media").status, 401);
    EXPECT_EQ(ask("OPTIONS", "/api/v1/media").status, 204);
    EXPECT_EQ(ask("GET", "/nothing/here").status, 404);
}

TEST_F(Access, NoRouteTakesATokenWithoutItsScope) {
    start();
    const std::string none_of_write = secret("reads", R"("read")");
    const std::string none_of_read = secret("writes", R"("write")");
    for (const Route& route : routes()) {
        const bool reads = route.need == access::Need::read || route.need == access::Need::metrics;
        const std::string& token = reads ? none_of_read : none_of_write;
        if (route.need == access::Need::open || route.need == access::Need::known) {
            continue;
        }
        const Answer answer = ask_route(route, path_of(route), bearer(token));
        EXPECT_EQ(answer.status, 403) << method_of(route) << " " << route.pattern;
        const std::string scope = route.need == access::Need::write   ? "write"
                                  : route.need == access::Need::admin ? "admin"
                                                                      : "read";
        EXPECT_EQ(
            answer.field("www-authenticate"),
            fmt::format(R"(Bearer realm="durascribe", error="insufficient_scope", scope="{}")",
                        scope));
        if (!route.pattern.starts_with("/v1/")) {
            EXPECT_EQ(text(object(answer), "code"), "insufficient_scope") << route.pattern;
            EXPECT_EQ(text(object(answer), "required_scope"), scope) << route.pattern;
        }
    }
}

TEST_F(Access, TheRightTokenDoesTheWork) {
    start();
    const std::string writer = secret("works", R"("read", "write")");
    const Answer created = ask("POST", "/api/v1/media?filename=a.wav",
                               bearer(writer) + "Content-Type: audio/wav\r\n", "media bytes");
    ASSERT_EQ(created.status, 201) << created.body;
    ASSERT_TRUE(await(text(object(created), "task_id"), domain::TaskState::completed));
    const std::string media = text(object(created), "media_url");
    EXPECT_EQ(ask("GET", media + "/transcript.srt", bearer(writer)).status, 200);
    EXPECT_EQ(ask("GET", "/media", bearer(writer)).status, 200);
    EXPECT_EQ(ask("DELETE", media, bearer(writer)).status, 204);
    expect_refused(ask("POST", "/api/v1/queue/pause", bearer(writer)), 403, "insufficient_scope");
    const std::string admin = secret("admin", R"("admin")");
    EXPECT_EQ(ask("POST", "/api/v1/queue/pause", bearer(admin)).status, 200);
    EXPECT_EQ(ask("GET", "/api/v1/media", bearer(admin)).status, 200);
}

TEST_F(Access, ClientsOfOpenAiSendItAsTheirKey) {
    start();
    const Answer refused = ask("GET", "/v1/models", bearer("sk-something"));
    EXPECT_EQ(refused.status, 401);
    const json::object error = object(refused).at("error").as_object();
    EXPECT_EQ(text(error, "type"), "invalid_request_error");
    EXPECT_EQ(text(error, "code"), "invalid_token");
    EXPECT_EQ(ask("GET", "/v1/models", bearer(secret("reads", R"("read")"))).status, 200);
}

TEST_F(Access, OnLoopbackNoneIsNeededUnlessAProxyPassedItOn) {
    settings_.access.required_on_loopback = false;
    start();
    EXPECT_EQ(ask("GET", "/api/v1/media").status, 200);
    EXPECT_EQ(ask("GET", "/api/v1/media", "X-Forwarded-For: 192.0.2.7\r\n").status, 200)
        << "there is no token yet";
    const std::string token = secret("reads", R"("read")");
    EXPECT_EQ(ask("GET", "/api/v1/media").status, 200);
    EXPECT_EQ(ask("GET", "/v1/models", bearer("sk-for-another-service")).status, 200);
    expect_refused(ask("GET", "/api/v1/media", "X-Forwarded-For: 192.0.2.7\r\n"), 401,
                   "token_required");
    expect_refused(ask("GET", "/api/v1/media", bearer("ds_" + std::string(43, 'A'))), 401,
                   "invalid_token");
    expect_refused(ask("POST", "/api/v1/queue/pause", bearer(token)), 403, "insufficient_scope");
}

TEST_F(Access, HealthTellsAStrangerLittle) {
    start();
    EXPECT_EQ(ask("GET", "/health/live").status, 200);
    const Answer stranger = ask("GET", "/health/ready");
    EXPECT_EQ(stranger.status, 200);
    EXPECT_EQ(object(stranger).size(), 1U) << stranger.body;
    EXPECT_EQ(text(object(stranger), "status"), "ready");
    EXPECT_TRUE(object(ask("GET", "/health/ready", bearer(secret("reads", R"("read")"))))
                    .contains("version"));
}

TEST_F(Access, TokensAreMadeListedAndRevoked) {
    start();
    const json::object made =
        make_token("nightly", R"("read", "write")", R"(, "expires_in": "90d", "jobs_max": 3)");
    EXPECT_TRUE(text(made, "token").starts_with("ds_"));
    EXPECT_EQ(made.at("jobs_max"), 3);
    EXPECT_NE(text(made, "expires_at"), "");
    ask("GET", "/api/v1/media", bearer(text(made, "token")));

    const Answer list = ask("GET", "/api/v1/tokens", as_command());
    EXPECT_EQ(list.body.find(text(made, "token")), std::string::npos) << "shown once only";
    EXPECT_EQ(list.field("cache-control"), "no-store");
    const json::array items = object(list).at("items").as_array();
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(text(items[0].as_object(), "name"), "nightly");
    EXPECT_NE(text(items[0].as_object(), "last_used_at"), "");

    const std::string path = "/api/v1/tokens/" + text(made, "id");
    EXPECT_EQ(ask("DELETE", path, as_command()).status, 204);
    expect_refused(ask("GET", "/api/v1/media", bearer(text(made, "token"))), 401, "invalid_token");
    expect_refused(ask("DELETE", path, as_command()), 404, "not_found");
    expect_refused(ask("DELETE", "/api/v1/tokens/nightly", as_command()), 404, "not_found");
}

TEST_F(Access, ATokenWhoseAnswerWasLostIsNamed) {
    start();
    const auto create = [this](const std::string& name, const std::string& key) {
        return ask(
            "POST", "/api/v1/tokens",
            as_command() + "Content-Type: application/json\r\nIdempotency-Key: " + key + "\r\n",
            R"({"name": ")" + name + "\"}");
    };
    const json::object made = object(create("nightly", "k"));
    ASSERT_TRUE(text(made, "token").starts_with("ds_"));
    const Answer again = create("nightly", "k");
    expect_refused(again, 409, "token_secret_gone");
    EXPECT_TRUE(text(object(again), "detail").contains(text(made, "id"))) << again.body;
    EXPECT_FALSE(again.body.contains(text(made, "token")));
    expect_refused(create("other", "k"), 422, "idempotency_key_reused");
    expect_refused(create("nightly", "k2"), 409, "token_name_taken");
    // As the answer says.
    EXPECT_EQ(ask("DELETE", "/api/v1/tokens/" + text(made, "id"), as_command()).status, 204);
    expect_refused(create("nightly", "k"), 409, "token_secret_gone");
    EXPECT_EQ(create("nightly", "k3").status, 201);
    expect_refused(create("nightly", std::string(256, 'k')), 400, "bad_value");
}

TEST_F(Access, AWrongRequestForATokenNamesWhatWasExpected) {
    start();
    make_token("taken", R"("read")");
    const auto create = [this](const std::string& body) {
        return ask("POST", "/api/v1/tokens", as_command() + "Content-Type: application/json\r\n",
                   body);
    };
    expect_refused(create(R"({"name": "taken"})"), 409, "token_name_taken");
    for (const char* body :
         {R"({})", R"({"name": ""})", R"({"name": 7})", R"({"name": "a b"})",
          R"({"name": "x", "scopes": []})", R"({"name": "x", "scopes": ["all"]})",
          R"({"name": "x", "scopes": "read"})", R"({"name": "x", "expires_in": "soon"})",
          R"({"name": "x", "expires_in": 90})", R"({"name": "x", "jobs_max": -1})",
          R"({"name": "x", "requests_per_second": 1.5})",
          R"({"name": "x", "requests_per_second": 2000000})",
          R"({"name": "x", "storage_bytes_max": "1GB"})", R"({"name": "x", "unknown": 1})"}) {
        expect_refused(create(body), 400, "bad_value");
    }
    const Answer unknown = create(R"({"name": "x", "jobs": 1})");
    EXPECT_TRUE(text(object(unknown), "detail").contains("\"jobs\"")) << unknown.body;
    expect_refused(create("{"), 400, "malformed_json");
    expect_refused(
        ask("POST", "/api/v1/tokens", as_command() + "Content-Type: text/plain\r\n", "x"), 415,
        "unsupported_content_type");
}

TEST_F(Access, ABrowserOpensASessionAndEndsIt) {
    start();
    const std::string token = secret("page", R"("read", "write")");
    const auto open = [this](const std::string& body) {
        return ask("POST", "/api/v1/session", "Content-Type: application/json\r\n", body);
    };
    expect_refused(open(R"({"token": "ds_wrong"})"), 401, "invalid_token");
    expect_refused(open(R"({"token": 1})"), 400, "bad_value");
    expect_refused(open(R"({})"), 400, "bad_value");
    const Answer opened = open(fmt::format(R"({{"token": "{}"}})", token));
    ASSERT_EQ(opened.status, 201) << opened.body;
    const std::string set_cookie = opened.field("set-cookie");
    EXPECT_NE(set_cookie.find("; HttpOnly; SameSite=Strict"), std::string::npos) << set_cookie;
    EXPECT_EQ(set_cookie.find("Secure"), std::string::npos) << "it came by plain http";
    EXPECT_EQ(set_cookie.find(token), std::string::npos);
    const std::string cookie = "Cookie: " + set_cookie.substr(0, set_cookie.find(';')) + "\r\n";
    const std::string csrf = "X-CSRF-Token: " + text(object(opened), "csrf_token") + "\r\n";

    const json::object who = object(ask("GET", "/api/v1/session", cookie));
    EXPECT_EQ(text(who, "kind"), "session");
    EXPECT_EQ(text(who, "name"), "page");
    EXPECT_EQ(text(who, "csrf_token"), text(object(opened), "csrf_token"));
    EXPECT_EQ(who.at("scopes"), json::array({"read", "write"}));
    EXPECT_EQ(ask("GET", "/api/v1/media", cookie).status, 200);

    const std::string upload_fields = cookie + "Content-Type: audio/wav\r\n";
    expect_refused(ask("POST", "/api/v1/media?filename=a.wav", upload_fields, "bytes"), 403,
                   "bad_csrf_token");
    expect_refused(ask("POST", "/api/v1/media?filename=a.wav",
                       upload_fields + "X-CSRF-Token: guessed\r\n", "bytes"),
                   403, "bad_csrf_token");
    EXPECT_EQ(ask("POST", "/api/v1/media?filename=a.wav", upload_fields + csrf, "bytes").status,
              201);
    expect_refused(ask("POST", "/api/v1/media?filename=a.wav",
                       upload_fields + csrf + "Origin: https://evil.example\r\n", "bytes"),
                   403, "foreign_origin");
    expect_refused(ask("GET", "/api/v1/tokens", cookie), 403, "insufficient_scope");

    expect_refused(ask("DELETE", "/api/v1/session", cookie), 403, "bad_csrf_token");
    const Answer ended = ask("DELETE", "/api/v1/session", cookie + csrf);
    EXPECT_EQ(ended.status, 204);
    EXPECT_NE(ended.field("set-cookie").find("Max-Age=0"), std::string::npos);
    expect_refused(ask("GET", "/api/v1/session", cookie), 401, "token_required");
    EXPECT_EQ(ask("GET", "/api/v1/media", bearer(token)).status, 200) << "the token stays";
    EXPECT_EQ(text(object(ask("GET", "/api/v1/session", bearer(token))), "kind"), "token");
    EXPECT_EQ(text(object(ask("GET", "/api/v1/session", as_command())), "kind"), "command");
}

TEST_F(Access, TheCookieIsSecureBehindAProxyThatSpokeHttps) {
    settings_.trusted_proxies = {"127.0.0.1"};
    settings_.allowed_hosts = {"talks.example"};
    start();
    const std::string body = fmt::format(R"({{"token": "{}"}})", secret("page", R"("read")"));
    const std::string fields =
        "Content-Type: application/json\r\nOrigin: https://talks.example\r\n";
    const Answer by_https =
        ask("POST", "/api/v1/session", fields + "X-Forwarded-Proto: https\r\n", body);
    EXPECT_EQ(by_https.status, 201) << by_https.body;
    EXPECT_NE(by_https.field("set-cookie").find("; Secure"), std::string::npos);
    const Answer by_http = ask("POST", "/api/v1/session", fields, body);
    EXPECT_EQ(by_http.field("set-cookie").find("; Secure"), std::string::npos);
}

TEST_F(Access, ARevokedTokenIsHungUpOn) {
    start();
    const json::object made = make_token("listens", R"("read", "write")");
    const std::string fields = bearer(text(made, "token"));
    const std::string other = bearer(secret("stays", R"("read")"));

    RawClient stream = connect();
    stream.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n");
    ASSERT_EQ(stream.read(true)->status, 200);
    ASSERT_NE(stream.read_until("data: "), "");
    WebSocketClient socket{server_->port()};
    ASSERT_EQ(socket.open("/api/v1/ws", fields), 101);
    ASSERT_TRUE(socket.read());
    WebSocketClient stays{server_->port()};
    ASSERT_EQ(stays.open("/api/v1/ws", other), 101);
    ASSERT_TRUE(stays.read());
    RawClient sends = connect();
    sends.send("POST /api/v1/media?filename=a.wav HTTP/1.1\r\nHost: localhost\r\n" + fields +
               "Content-Type: audio/wav\r\nContent-Length: 100000\r\n"
               "Expect: 100-continue\r\n\r\n");
    ASSERT_EQ(sends.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    sends.send("the first bytes");

    EXPECT_EQ(ask("DELETE", "/api/v1/tokens/" + text(made, "id"), as_command()).status, 204);
    auto frame = socket.read();
    while (frame && frame->opcode != testing::kClose) {
        frame = socket.read();
    }
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->close_code(), 1008);
    stream.read_until("never sent: it ends");
    EXPECT_TRUE(stream.ended());
    EXPECT_TRUE(sends.ended());
    // The other one's goes on.
    const json::object created = object(ask("POST", "/api/v1/media?filename=a.wav",
                                            as_command() + "Content-Type: audio/wav\r\n", "bytes"));
    auto told = stays.read();
    ASSERT_TRUE(told);
    EXPECT_EQ(told->opcode, testing::kText);
}

TEST_F(Access, ARequestOfARevokedTokenWhoseBodyStillComesIsNotServed) {
    start();
    const json::object made = make_token("leaked", R"("admin")");
    const std::string body = R"({"name": "kept", "scopes": ["admin"]})";
    RawClient late = connect();
    late.send("POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\n" + bearer(text(made, "token")) +
              "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\nExpect: 100-continue\r\n\r\n");
    ASSERT_EQ(late.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    late.send(body.substr(0, 5));
    EXPECT_EQ(ask("DELETE", "/api/v1/tokens/" + text(made, "id"), as_command()).status, 204);
    EXPECT_TRUE(late.ended());
    EXPECT_TRUE(object(ask("GET", "/api/v1/tokens", as_command())).at("items").as_array().empty());
}

TEST_F(Access, ATokenThatRunsOutIsHungUpOn) {
    start();
    const std::string fields = bearer(secret("short", R"("read")", R"(, "expires_in": "1s")"));
    WebSocketClient socket{server_->port()};
    ASSERT_EQ(socket.open("/api/v1/ws", fields), 101);
    auto frame = socket.read();
    while (frame && frame->opcode != testing::kClose) {
        frame = socket.read();
    }
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->close_code(), 1008);
    expect_refused(ask("GET", "/api/v1/media", fields), 401, "invalid_token");
}

TEST_F(Access, ASessionThatEndsIsHungUpOn) {
    start();
    const Answer opened = ask("POST", "/api/v1/session", "Content-Type: application/json\r\n",
                              fmt::format(R"({{"token": "{}"}})", secret("page", R"("read")")));
    const std::string set_cookie = opened.field("set-cookie");
    const std::string cookie = "Cookie: " + set_cookie.substr(0, set_cookie.find(';')) + "\r\n";
    WebSocketClient socket{server_->port()};
    ASSERT_EQ(socket.open("/api/v1/ws", cookie), 101);
    EXPECT_EQ(ask("DELETE", "/api/v1/session",
                  cookie + "X-CSRF-Token: " + text(object(opened), "csrf_token") + "\r\n")
                  .status,
              204);
    auto frame = socket.read();
    while (frame && frame->opcode != testing::kClose) {
        frame = socket.read();
    }
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->close_code(), 1008);
}

}  // namespace
}  // namespace durascribe::api
