// Against servers of the test's own, with names whose addresses the test decides.
#include "durascribe/net/transfers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "loopback_server.h"
#include "scripted_names.h"
#include "self_signed_server.h"

namespace durascribe::net {
namespace {

using durascribe::testing::http_answer;
using durascribe::testing::LoopbackServer;
using durascribe::testing::ScriptedNames;

class TransfersTest : public ::testing::Test {
  protected:
    Transfers& transfers(const std::string& allowed = "127.0.0.1/32",
                         std::map<std::string, std::vector<std::string>> names = {}) {
        transfers_ =
            std::make_unique<Transfers>(std::make_unique<ScriptedNames>(std::move(names)),
                                        TransferSettings{.policy = *AddressPolicy::parse(allowed)});
        return *transfers_;
    }
    TransferEnd run(TransferRequest request) {
        std::optional<TransferEnd> end;
        body_.clear();
        if (!request.on_body) {
            request.on_body = [this](std::string_view part) -> Result<void> {
                body_ += part;
                return {};
            };
        }
        transfers_->start(std::move(request), [&](TransferEnd e) { end = std::move(e); });
        while (!end) {
            transfers_->run_once(Millis{1'000});
        }
        return *end;
    }
    static std::string code(const TransferEnd& end) { return end.error ? end.error->code : ""; }
    std::string at(const LoopbackServer& server, const std::string& host,
                   const std::string& path = "/") {
        return "http://" + host + ":" + std::to_string(server.port()) + path;
    }

    std::unique_ptr<Transfers> transfers_;
    std::string body_;
};

TEST_F(TransfersTest, GetsAndPosts) {
    LoopbackServer server(
        [](const std::string&) { return http_answer(200, "X-Said: yes\r\n", "hello"); });
    transfers("127.0.0.1/32", {{"media.example", {"127.0.0.1"}}});
    auto end = run({.url = at(server, "media.example", "/a"), .headers = {"Range: bytes=5-"}});
    EXPECT_EQ(code(end), "");
    EXPECT_EQ(end.head.status, 200);
    EXPECT_EQ(end.head.header("x-SAID"), "yes");
    EXPECT_EQ(body_, "hello");
    end = run({.url = server.url("/hook"),
               .post = true,
               .body = "{}",
               .headers = {"Content-Type: application/json"}});
    EXPECT_EQ(end.head.status, 200);
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_THAT(requests[0], ::testing::HasSubstr("GET /a HTTP/1.1\r\nHost: media.example:"));
    EXPECT_THAT(requests[0], ::testing::HasSubstr("\r\nRange: bytes=5-\r\n"));
    EXPECT_THAT(requests[1], ::testing::StartsWith("POST /hook HTTP/1.1\r\n"));
    EXPECT_THAT(requests[1], ::testing::EndsWith("\r\n\r\n{}"));
}

TEST_F(TransfersTest, TrustsNoCertificateThatNobodyKnows) {
    const testing::SelfSignedServer server;
    transfers();
    const auto end = run({.url = server.url()});
    ASSERT_TRUE(end.error);
    EXPECT_EQ(end.error->code, "tls_failed");
    EXPECT_EQ(end.error->cls, ErrorClass::network);
    EXPECT_THAT(end.error->message, ::testing::HasSubstr("127.0.0.1 could not be trusted"));
    EXPECT_EQ(body_, "");
}

TEST_F(TransfersTest, NeverConnectsToWhatIsRefused) {
    LoopbackServer server([](const std::string&) { return http_answer(200, "", "secret"); });
    transfers("", {{"inside.example", {"127.0.0.1"}},
                   {"both.example", {"8.8.8.8,127.0.0.1"}},
                   {"mapped.example", {"::ffff:127.0.0.1"}},
                   {"metadata.example", {"169.254.169.254"}}});
    for (const std::string& url :
         {server.url(), at(server, "inside.example"), at(server, "both.example"),
          at(server, "mapped.example"), at(server, "metadata.example"),
          "http://[::1]:" + std::to_string(server.port()) + "/"}) {
        const auto end = run({.url = url});
        EXPECT_EQ(code(end), "address_refused") << url;
        EXPECT_EQ(end.error->cls, ErrorClass::input);
    }
    EXPECT_EQ(code(run({.url = at(server, "2130706433")})), "bad_url");
    EXPECT_EQ(code(run({.url = at(server, "0x7f.1")})), "bad_url");
    EXPECT_EQ(code(run({.url = "file:///etc/passwd"})), "bad_url");
    EXPECT_TRUE(server.requests().empty());
}

// The name leads to an allowed address when it is checked, and elsewhere when it is asked again.
TEST_F(TransfersTest, ANameThatChangesIsCheckedEachTime) {
    LoopbackServer server([](const std::string&) { return http_answer(200, "", "x"); });
    transfers("127.0.0.1/32", {{"rebind.example", {"127.0.0.1", "127.0.0.2"}}});
    EXPECT_EQ(code(run({.url = at(server, "rebind.example")})), "");
    EXPECT_EQ(code(run({.url = at(server, "rebind.example")})), "address_refused");
    EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(TransfersTest, RedirectsAreFollowedOneByOneAndCheckedAnew) {
    std::string to;
    LoopbackServer server([&](const std::string& request) {
        if (request.starts_with("GET /start")) {
            return http_answer(302, "Location: " + to + "\r\n", "ignored");
        }
        return http_answer(200, "", "arrived");
    });
    transfers("127.0.0.1/32",
              {{"media.example", {"127.0.0.1"}}, {"inside.example", {"127.0.0.2"}}});
    to = "/end?x=1";
    auto end = run({.url = at(server, "media.example", "/start"), .redirects_max = 2});
    EXPECT_EQ(code(end), "");
    EXPECT_EQ(body_, "arrived");
    EXPECT_EQ(end.head.url, at(server, "media.example", "/end?x=1"));
    for (const std::string& bad : {at(server, "inside.example"), std::string("http://10.0.0.1/"),
                                   std::string("http://[::ffff:7f00:1]/")}) {
        to = bad;
        EXPECT_EQ(code(run({.url = server.url("/start"), .redirects_max = 2})), "address_refused")
            << bad;
    }
    for (const char* bad : {"file:///etc/passwd", "http://2130706433/", "gopher://127.0.0.1/"}) {
        to = bad;
        EXPECT_EQ(code(run({.url = server.url("/start"), .redirects_max = 2})), "bad_url") << bad;
    }
    to = "/start";
    EXPECT_EQ(code(run({.url = server.url("/start"), .redirects_max = 3})), "too_many_redirects");
    end = run({.url = server.url("/start")});
    EXPECT_EQ(code(end), "");
    EXPECT_EQ(end.head.status, 302);
}

TEST_F(TransfersTest, WhatFailsIsNamed) {
    std::uint16_t closed = 0;
    {
        const LoopbackServer gone([](const std::string&) { return ""; });
        closed = gone.port();
    }
    LoopbackServer short_one([](const std::string&) {
        return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nonly this";
    });
    transfers();
    EXPECT_EQ(code(run({.url = "http://127.0.0.1:" + std::to_string(closed) + "/"})),
              "connect_failed");
    EXPECT_EQ(code(run({.url = short_one.url()})), "connection_lost");
    EXPECT_EQ(body_, "only this");
    EXPECT_EQ(code(run({.url = "http://nowhere.example/"})), "name_not_resolved");
    const auto stopped = run({.url = short_one.url(), .on_body = [](std::string_view) {
                                  return fail(ErrorClass::input, "enough", "Enough.");
                              }});
    EXPECT_EQ(code(stopped), "enough");
}

TEST_F(TransfersTest, ASlowOneEndsAtItsLimitAndHoldsUpNoOther) {
    std::mutex held;
    held.lock();
    LoopbackServer slow([&](const std::string&) {
        const std::scoped_lock wait(held);
        return std::string{};
    });
    LoopbackServer quick([](const std::string&) { return http_answer(200, "", "x"); });
    Transfers& all = transfers();
    std::vector<std::string> order;
    all.start({.url = slow.url(), .timeout = Millis{300}},
              [&](TransferEnd end) { order.push_back("slow " + code(end)); });
    all.start({.url = quick.url()},
              [&](TransferEnd end) { order.push_back("quick " + code(end)); });
    while (all.active() > 0) {
        all.run_once(Millis{1'000});
    }
    held.unlock();
    EXPECT_THAT(order, ::testing::ElementsAre("quick ", "slow timed_out"));
}

TEST(RetryAfter, IsReadAsSecondsOrADate) {
    const WallTime at{Millis{1'800'000'000'000}};  // Fri, 15 Jan 2027 08:00:00 GMT
    EXPECT_EQ(retry_after("120", at), Millis{120'000});
    EXPECT_EQ(retry_after(" 0 ", at), Millis{0});
    EXPECT_EQ(retry_after("Fri, 15 Jan 2027 08:01:00 GMT", at), Millis{60'000});
    EXPECT_EQ(retry_after("Fri, 15 Jan 2027 07:00:00 GMT", at), Millis{0});
    EXPECT_EQ(retry_after("soon", at), std::nullopt);
    EXPECT_EQ(retry_after("-5", at), std::nullopt);
}

}  // namespace
}  // namespace durascribe::net
