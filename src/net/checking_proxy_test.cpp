// Against servers of the test's own, with names whose addresses the test decides.
#include "durascribe/net/checking_proxy.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "loopback_server.h"
#include "scripted_names.h"

namespace durascribe::net {
namespace {

using durascribe::testing::http_answer;
using durascribe::testing::LoopbackServer;
using durascribe::testing::ScriptedNames;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CheckingProxyTest : public ::testing::Test {
  protected:
    void start(const std::string& allowed, std::map<std::string, std::vector<std::string>> names,
               CheckingProxyLimits limits = {}) {
        names_ = std::make_unique<ScriptedNames>(std::move(names));
        UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
        ASSERT_EQ(::listen(listener.get(), 16), 0);
        ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        proxy_ = std::make_unique<CheckingProxy>(std::move(listener), *names_,
                                                 *AddressPolicy::parse(allowed), limits);
        thread_ = std::jthread([this](std::stop_token stop) {
            while (!stop.stop_requested()) {
                std::vector<pollfd> fds;
                proxy_->add_descriptors(fds);
                ::poll(fds.data(), fds.size(), 20);
                proxy_->process(fds);
            }
        });
    }
    // Ends it: what it has seen can be read.
    void stop() { thread_ = {}; }

    // What comes back for these bytes, until the end.
    std::string ask(const std::string& bytes) const {
        const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port_);
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
        std::string answer;
        char buffer[4096];
        for (ssize_t got = 0; (got = ::read(fd.get(), buffer, sizeof buffer)) > 0;) {
            answer.append(buffer, static_cast<std::size_t>(got));
        }
        return answer;
    }
    static std::string get(const std::string& url) {
        return "GET " + url + " HTTP/1.1\r\nHost: x\r\nProxy-Connection: keep-alive\r\n\r\n";
    }
    std::string connect(const std::string& authority, const std::string& then) const {
        return ask("CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n" + then);
    }

    std::unique_ptr<ScriptedNames> names_;
    std::unique_ptr<CheckingProxy> proxy_;
    std::uint16_t port_ = 0;
    std::jthread thread_;
};

TEST_F(CheckingProxyTest, PassesOnWhatMayBe) {
    LoopbackServer server([](const std::string&) { return http_answer(200, "", "hello"); });
    start("127.0.0.1/32", {{"media.example", {"127.0.0.1"}}});
    const std::string port = std::to_string(server.port());
    EXPECT_THAT(ask(get("http://media.example:" + port + "/a?b=c")), HasSubstr("\r\n\r\nhello"));
    EXPECT_THAT(ask(get("http://media.example:" + port)), HasSubstr("hello"));
    const std::string tunnelled =
        connect("media.example:" + port, "GET /through HTTP/1.1\r\nHost: y\r\n\r\n");
    EXPECT_THAT(tunnelled, StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(tunnelled, HasSubstr("\r\n\r\nhello"));
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 3U);
    EXPECT_EQ(requests[0], "GET /a?b=c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(requests[1], StartsWith("GET / HTTP/1.1\r\n"));
    EXPECT_THAT(requests[2], StartsWith("GET /through HTTP/1.1\r\n"));
    stop();
    EXPECT_FALSE(proxy_->refused());
    EXPECT_GT(proxy_->bytes(), 100);
}

TEST_F(CheckingProxyTest, NeverConnectsToWhatIsRefused) {
    LoopbackServer server([](const std::string&) { return http_answer(200, "", "secret"); });
    start("", {{"inside.example", {"127.0.0.1"}},
               {"both.example", {"8.8.8.8,127.0.0.1"}},
               {"mapped.example", {"::ffff:127.0.0.1"}},
               {"six.example", {"2002:7f00:1::1"}},
               {"nat.example", {"64:ff9b::7f00:1"}},
               {"metadata.example", {"169.254.169.254"}}});
    const std::string port = ":" + std::to_string(server.port());
    for (const std::string host :
         {"127.0.0.1", "inside.example", "both.example", "mapped.example", "six.example",
          "nat.example", "metadata.example", "[::1]", "10.0.0.1"}) {
        EXPECT_THAT(ask(get("http://" + host + port + "/")), StartsWith("HTTP/1.1 403 ")) << host;
        EXPECT_THAT(connect(host + port, "GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 403 "))
            << host;
    }
    for (const std::string host : {"2130706433", "0x7f.1", "0177.0.0.1"}) {
        EXPECT_THAT(connect(host + port, ""), StartsWith("HTTP/1.1 400 ")) << host;
    }
    EXPECT_TRUE(server.requests().empty());
    stop();
    ASSERT_TRUE(proxy_->refused());
    EXPECT_EQ(proxy_->refused()->code, "address_refused");
    EXPECT_THAT(proxy_->refused()->message, StartsWith("127.0.0.1 leads to "));
}

// The name is asked for once: what it is at the second look is nobody's business.
TEST_F(CheckingProxyTest, ANameThatChangesBetweenTwoLooksGainsNothing) {
    LoopbackServer server([](const std::string&) { return http_answer(200, "", "secret"); });
    start("127.0.0.2/32", {{"changing.example", {"127.0.0.2", "127.0.0.1"}}});
    const std::string url = "http://changing.example:" + std::to_string(server.port()) + "/";
    EXPECT_THAT(ask(get(url)), StartsWith("HTTP/1.1 502 ")) << "nobody listens at the first";
    EXPECT_THAT(ask(get(url)), StartsWith("HTTP/1.1 403 "));
    EXPECT_TRUE(server.requests().empty());
}

TEST_F(CheckingProxyTest, WhatIsNoSuchRequestIsTold) {
    start("127.0.0.1/32", {});
    for (const std::string bytes :
         {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET https://a.example/ HTTP/1.1\r\n\r\n",
          "GET ftp://a.example/ HTTP/1.1\r\n\r\n", "CONNECT a.example:443\r\n\r\n",
          "CONNECT user@a.example:443 HTTP/1.1\r\n\r\n"}) {
        EXPECT_THAT(ask(bytes), StartsWith("HTTP/1.1 400 ")) << bytes;
    }
    EXPECT_THAT(ask("GET http://a.example/ HTTP/1.1\r\nX: " + std::string(40'000, 'x')),
                StartsWith("HTTP/1.1 431 "));
    EXPECT_THAT(connect("nowhere.example:443", ""), StartsWith("HTTP/1.1 502 "));
}

TEST_F(CheckingProxyTest, ManyAtOnceWaitTheirTurn) {
    LoopbackServer server(
        [](const std::string&) { return http_answer(200, "", std::string(300'000, 'x')); });
    start("127.0.0.1/32", {}, {.connections_max = 2});
    std::atomic<int> whole{0};
    {
        std::vector<std::jthread> clients;
        for (int i = 0; i < 8; ++i) {
            clients.emplace_back(
                [&] { whole += ask(get(server.url("/"))).size() > 300'000 ? 1 : 0; });
        }
    }
    EXPECT_EQ(whole, 8);
}

}  // namespace
}  // namespace durascribe::net
