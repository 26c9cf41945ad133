#include "durascribe/api/credentials.h"

#include <gtest/gtest.h>

namespace durascribe::api {
namespace {

const Peer kHere{"127.0.0.1", true};
const Peer kThere{"192.0.2.7", false};

access::Credentials read(Fields headers, const Peer& peer = kHere,
                         const ServerSettings& settings = {}, Method method = Method::get) {
    Request request;
    request.method = method;
    request.headers = std::move(headers);
    return credentials_of(request, peer, true, settings);
}

TEST(Credentials, BearerIsReadWhateverItsCaseAndNothingElseIs) {
    EXPECT_EQ(read({{"authorization", "Bearer ds_abc"}}).bearer, "ds_abc");
    EXPECT_EQ(read({{"authorization", "  bEARER   ds_abc  "}}).bearer, "ds_abc");
    EXPECT_EQ(read({{"authorization", "Basic ds_abc"}}).bearer, std::nullopt);
    EXPECT_EQ(read({{"authorization", "Bearer"}}).bearer, std::nullopt);
    EXPECT_EQ(read({}).bearer, std::nullopt);
}

TEST(Credentials, TheCookieIsFoundAmongOthers) {
    EXPECT_EQ(read({{"cookie", "a=b; durascribe_session=s3cret;c=d"}}).session, "s3cret");
    EXPECT_EQ(read({{"cookie", "a=b"}, {"cookie", "durascribe_session=x=y"}}).session, "x=y");
    EXPECT_EQ(read({{"cookie", "xdurascribe_session=1; durascribe_session2=2"}}).session,
              std::nullopt);
    EXPECT_EQ(read({{"cookie", ";;=;"}}).session, std::nullopt);
}

TEST(Credentials, WhatAProxyPassedOnIsNotFromThisMachine) {
    EXPECT_TRUE(read({}).from_this_machine);
    EXPECT_FALSE(read({}, kThere).from_this_machine);
    EXPECT_FALSE(read({}, kThere).proxied_on_loopback);
    for (const char* name : {"forwarded", "via", "x-forwarded-for", "x-forwarded-host",
                             "x-forwarded-proto", "x-forwarded-port", "x-real-ip"}) {
        const auto credentials = read({{name, "192.0.2.7"}});
        EXPECT_FALSE(credentials.from_this_machine) << name;
        EXPECT_TRUE(credentials.proxied_on_loopback) << name;
    }
    ServerSettings settings;
    settings.trusted_proxies = {"127.0.0.1"};
    EXPECT_FALSE(read({}, kHere, settings).from_this_machine);
    EXPECT_FALSE(read({}, kHere, settings).proxied_on_loopback) << "never, also without tokens";
}

TEST(Credentials, APageWhoseNameWasMadeToLeadHereIsNotFromThisMachine) {
    ServerSettings settings;
    settings.allowed_hosts = {"talks.example"};
    for (const char* host : {"localhost:8000", "127.0.0.1:8000", "[::1]:8000", "talks.example"}) {
        EXPECT_TRUE(read({{"host", host}}, kHere, settings).from_this_machine) << host;
    }
    for (const char* host : {"rebound.example:8000", "127.0.0.1.evil.example", "a b"}) {
        EXPECT_FALSE(read({{"host", host}}, kHere, settings).from_this_machine) << host;
    }
}

TEST(Credentials, WhatChangesSomethingIsMarked) {
    EXPECT_FALSE(read({}, kHere, {}, Method::get).changes_state);
    EXPECT_FALSE(read({}, kHere, {}, Method::head).changes_state);
    for (const Method method : {Method::post, Method::patch, Method::del, Method::put}) {
        EXPECT_TRUE(read({{"x-csrf-token", "c"}}, kHere, {}, method).changes_state);
        EXPECT_EQ(read({{"x-csrf-token", "c"}}, kHere, {}, method).csrf, "c");
    }
}

TEST(Credentials, OnlyATrustedProxySaysThatItWasHttps) {
    Request request;
    request.headers = {{"x-forwarded-proto", "https"}};
    ServerSettings settings;
    EXPECT_FALSE(came_by_https(request, kHere, settings));
    settings.trusted_proxies = {"127.0.0.1"};
    EXPECT_TRUE(came_by_https(request, kHere, settings));
    EXPECT_FALSE(came_by_https(request, kThere, settings));
    request.headers = {{"x-forwarded-proto", "http"}};
    EXPECT_FALSE(came_by_https(request, kHere, settings));
}

TEST(Credentials, TheCookieIsKeptFromScriptsAndOtherSites) {
    EXPECT_EQ(session_cookie("s", 60, false),
              "durascribe_session=s; Path=/; HttpOnly; SameSite=Strict; Max-Age=60");
    EXPECT_EQ(session_cookie("", 0, true),
              "durascribe_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure");
}

}  // namespace
}  // namespace durascribe::api
