// Webhooks over HTTP. That they are sent: src/webhooks/sender_test.cpp, tests/e2e/webhooks_test.sh.
#include <gmock/gmock.h>

#include "durascribe/ports/webhook_store.h"
#include "http_fixture.h"

namespace durascribe::api {
namespace {

class WebhooksApi : public HttpTest {
  protected:
    void SetUp() override {
        HttpTest::SetUp();
        settings_.webhooks_changed = [this] { ++changes_; };
        start();
    }
    Answer send(const std::string& method, const std::string& path, const std::string& body = "") {
        return ask(method, "/api/v1/webhooks" + path, "Content-Type: application/json\r\n", body);
    }
    json::object add(const std::string& more = "") {
        const Answer made = send("POST", "", R"({"url": "https://app.example/hooks")" + more + "}");
        EXPECT_EQ(made.status, 201) << made.body;
        return object(made);
    }
    std::string code(const Answer& answer) { return text(object(answer), "code"); }

    std::atomic<int> changes_{0};
};

// A name is looked at when it is connected to (src/net/transfers_test.cpp).
TEST_F(WebhooksApi, AnAddressThatIsWrittenOutAndNotOpenIsRefusedAtOnce) {
    const auto to = [](const char* host) {
        return fmt::format(R"({{"url": "http://{}/hook"}})", host);
    };
    const std::string id = "/" + text(add(), "id");
    for (const char* host : {"127.0.0.1:9", "10.0.0.5", "169.254.169.254", "[::1]", "[fd00::1]",
                             "[::ffff:192.168.0.1]", "0.0.0.0"}) {
        for (const Answer& refused : {send("POST", "", to(host)), send("PATCH", id, to(host))}) {
            EXPECT_EQ(refused.status, 422) << host;
            EXPECT_EQ(code(refused), "address_refused") << host;
            EXPECT_THAT(text(object(refused), "detail"),
                        ::testing::HasSubstr("ALLOW_PRIVATE_ADDRESSES"));
        }
    }
    EXPECT_EQ(object(send("GET", "")).at("items").as_array().size(), 1U);
    EXPECT_EQ(text(object(send("GET", id)), "url"), "https://app.example/hooks");
    EXPECT_EQ(send("POST", "", to("93.184.216.34")).status, 201);
    settings_.webhook_addresses = net::AddressPolicy::parse("10.0.0.0/8").value();
    server_.reset();
    start_server_again();
    EXPECT_EQ(send("POST", "", to("10.0.0.5")).status, 201);
    EXPECT_EQ(send("PATCH", id, to("10.0.0.6")).status, 200);
    EXPECT_EQ(send("POST", "", to("192.168.0.5")).status, 422);
}

TEST_F(WebhooksApi, AreMadeShownChangedAndRemoved) {
    const json::object made =
        add(R"(, "types": ["task.state", "media.*"], "states": ["failed"], "description": "mine")");
    EXPECT_TRUE(text(made, "secret").starts_with("whsec_"));
    EXPECT_EQ(changes_, 1);
    const std::string id = "/" + text(made, "id");
    json::object shown = object(send("GET", id));
    EXPECT_FALSE(shown.contains("secret")) << "shown once";
    EXPECT_EQ(text(shown, "status"), "active");
    EXPECT_EQ(json::serialize(shown["types"]), R"(["task.state","media.*"])");
    EXPECT_EQ(object(send("GET", "")).at("items").as_array().size(), 1U);
    shown = object(send("PATCH", id, R"({"types": [], "url": "https://other.example/x"})"));
    EXPECT_EQ(text(shown, "url"), "https://other.example/x");
    EXPECT_EQ(text(shown, "description"), "mine");
    EXPECT_EQ(json::serialize(shown["types"]), "[]");
    const json::object rotated = object(send("POST", id + "/rotate_secret"));
    EXPECT_TRUE(text(rotated, "secret").starts_with("whsec_"));
    EXPECT_NE(text(rotated, "secret"), text(made, "secret"));
    EXPECT_NE(text(rotated, "old_secret_until"), "");
    EXPECT_EQ(text(object(send("POST", id + "/pause")), "status"), "paused");
    EXPECT_EQ(text(object(send("POST", id + "/resume")), "status"), "active");
    EXPECT_EQ(send("DELETE", id).status, 204);
    for (const auto& [method, path] : {std::pair{"GET", ""},
                                       {"DELETE", ""},
                                       {"POST", "/pause"},
                                       {"POST", "/resume"},
                                       {"POST", "/ping"},
                                       {"POST", "/rotate_secret"},
                                       {"GET", "/deliveries"}}) {
        EXPECT_EQ(send(method, id + path).status, 404) << method << path;
        EXPECT_EQ(send(method, std::string("/nonsense") + path).status, 404) << method << path;
    }
}

TEST_F(WebhooksApi, AskedTwiceWithOneKeyThereIsOne) {
    const auto make = [this](const std::string& body) {
        return ask("POST", "/api/v1/webhooks",
                   "Content-Type: application/json\r\nIdempotency-Key: once\r\n", body);
    };
    const Answer made = make(R"({"url": "https://app.example/hooks"})");
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.field("idempotency-replayed"), "");
    const Answer again = make(R"({"url": "https://app.example/hooks"})");
    EXPECT_EQ(again.status, 201);
    EXPECT_EQ(again.field("idempotency-replayed"), "true");
    EXPECT_EQ(again.body, made.body) << "with its secret";
    const Answer other = make(R"({"url": "https://other.example/"})");
    EXPECT_EQ(other.status, 422);
    EXPECT_EQ(code(other), "idempotency_key_reused");
    EXPECT_EQ(object(send("GET", "")).at("items").as_array().size(), 1U);
}

TEST_F(WebhooksApi, WhatIsWrongIsNamed) {
    for (const auto& [body, field] : {
             std::pair{R"({})", "url"},
             {R"({"url": 5})", "url"},
             {R"({"url": "ftp://app.example/"})", "url"},
             {R"({"url": "http://2130706433/"})", "url"},
             {R"({"url": "https://me:word@app.example/"})", "url"},
             {R"({"url": "https://app.example/", "types": "task.state"})", "types"},
             {R"({"url": "https://app.example/", "types": ["task.*", "nonsense"]})", "types[1]"},
             {R"({"url": "https://app.example/", "types": [1]})", "types"},
             {R"({"url": "https://app.example/", "states": ["done"]})", "states"},
             {R"({"url": "https://app.example/", "description": {}})", "description"},
             {R"({"url": "https://app.example/", "secret": "x"})",
              "\"secret\" is no field of a webhook"},
         }) {
        const Answer refused = send("POST", "", body);
        EXPECT_EQ(refused.status, 400) << body;
        EXPECT_EQ(code(refused), "bad_value") << refused.body;
        EXPECT_THAT(text(object(refused), "detail"), ::testing::HasSubstr(field)) << body;
    }
    const std::string id = "/" + text(add(), "id");
    for (const char* body : {"{}", R"({"since": "yesterday"})", R"({"after": -1})",
                             R"({"after": 1, "since": "2026-11-22T08:00:00.000Z"})"}) {
        EXPECT_EQ(code(send("POST", id + "/replay", body)), "bad_value") << body;
    }
    EXPECT_EQ(send("GET", id + "/deliveries?status=lost").status, 400);
    EXPECT_EQ(send("GET", id + "/deliveries?cursor=x").status, 400);
    EXPECT_EQ(send("GET", id + "/deliveries/00000000-0000-7000-8000-000000000000").status, 404);
    EXPECT_EQ(send("POST", id + "/deliveries/x/replay").status, 404);
    EXPECT_EQ(ask("POST", "/api/v1/webhooks", "Content-Type: text/plain\r\n", "{}").status, 415);
    for (int i = 1; i < ports::kWebhooksMax; ++i) {
        add();
    }
    const Answer refused = send("POST", "", R"({"url": "https://app.example/"})");
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(code(refused), "too_many_webhooks");
}

TEST_F(WebhooksApi, DeliveriesAreShownAndSentAgain) {
    const json::object webhook = add(R"(, "types": ["task.created"])");
    const std::string id = "/" + text(webhook, "id");
    const Answer ping = send("POST", id + "/ping");
    EXPECT_EQ(ping.status, 202);
    const std::string delivery = id + "/deliveries/" + text(object(ping), "id");
    json::object whole = object(send("GET", delivery));
    EXPECT_EQ(text(whole, "type"), "webhook.ping");
    EXPECT_THAT(text(whole, "body"), ::testing::HasSubstr("webhook.ping"));
    EXPECT_TRUE(whole["log"].as_array().empty());

    upload();
    auto& hooks = store_->webhooks();
    ASSERT_TRUE(hooks.fan_out(1'000));
    const auto due = hooks.due_deliveries(10, Millis{1'000});
    ASSERT_TRUE(due);
    std::vector<ports::AttemptEnd> ends;
    for (const auto& d : due->due) {
        ends.push_back({.delivery = d.delivery.id,
                        .attempt = {.started_at = clock_.wall(),
                                    .duration = Millis{7},
                                    .status = 204,
                                    .excerpt = "taken"},
                        .taken = true});
    }
    ASSERT_EQ(ends.size(), 2U);
    ASSERT_TRUE(hooks.record_attempts(ends));
    const json::object page = object(send("GET", id + "/deliveries?status=delivered&limit=1"));
    ASSERT_EQ(page.at("items").as_array().size(), 1U);
    const json::object first = page.at("items").as_array().at(0).as_object();
    EXPECT_EQ(text(first, "type"), "task.created");
    EXPECT_NE(text(page, "next_cursor"), "");
    whole = object(send("GET", id + "/deliveries/" + text(first, "id")));
    const json::object attempt = whole["log"].as_array().at(0).as_object();
    EXPECT_EQ(attempt.at("status").as_int64(), 204);
    EXPECT_EQ(attempt.at("duration_ms").as_int64(), 7);
    EXPECT_EQ(text(attempt, "response_excerpt"), "taken");

    const Answer again = send("POST", id + "/deliveries/" + text(first, "id") + "/replay");
    EXPECT_EQ(again.status, 202);
    EXPECT_EQ(text(object(again), "message_id"), text(first, "message_id"));
    const Answer all = send("POST", id + "/replay", R"({"after": 0})");
    EXPECT_EQ(all.status, 202);
    EXPECT_EQ(object(all).at("queued").as_int64(), 1);
    EXPECT_FALSE(object(all).at("more").as_bool());
    EXPECT_EQ(object(send("GET", id)).at("waiting").as_int64(), 2);
    for (const std::string since : {"2100-01-01T00:00:00.000Z", "2100-01-01T00:00:00Z",
                                    "2100-01-01T00:00:00.5Z", "2100-01-01T02:00:00+02:00"}) {
        const Answer none = send("POST", id + "/replay", R"({"since": ")" + since + "\"}");
        ASSERT_EQ(none.status, 202) << since << none.body;
        EXPECT_EQ(object(none).at("queued").as_int64(), 0) << since;
    }
    EXPECT_GE(changes_, 5);
}

}  // namespace
}  // namespace durascribe::api
