#include "durascribe/api/cors.h"

#include <array>

#include <gtest/gtest.h>

namespace durascribe::api {
namespace {

const std::array<std::string, 2> kOrigins{"https://a.example", "http://localhost:5173"};

Request of(const std::string& origin, Method method = Method::get, Fields more = {}) {
    Request request;
    request.method = method;
    request.headers = std::move(more);
    request.headers.emplace_back("origin", origin);
    return request;
}

std::string field(const Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
        if (key == name) {
            return value;
        }
    }
    return {};
}

TEST(Cors, NoneIsTheDefault) {
    Response response;
    add_cors_fields(foreign_page_of(of("https://a.example"), {}), response);
    EXPECT_TRUE(response.headers.empty());
}

TEST(Cors, OnlyThoseOfTheListMayRead) {
    Response good;
    add_cors_fields(foreign_page_of(of("http://localhost:5173"), kOrigins), good);
    EXPECT_EQ(field(good, "Access-Control-Allow-Origin"), "http://localhost:5173");
    EXPECT_EQ(field(good, "Vary"), "Origin");
    EXPECT_TRUE(field(good, "Access-Control-Expose-Headers").contains("Upload-Offset"));
    EXPECT_EQ(field(good, "Access-Control-Allow-Credentials"), "");
    for (const char* other : {"https://a.example.evil", "http://a.example", "null", "",
                              "https://a.example:444", "https://A.example"}) {
        Response bad;
        add_cors_fields(foreign_page_of(of(other), kOrigins), bad);
        EXPECT_EQ(field(bad, "Access-Control-Allow-Origin"), "") << other;
        EXPECT_EQ(field(bad, "Vary"), "Origin");
    }
}

TEST(Cors, APreflightIsToldWhatMayBeSent) {
    Response response;
    response.headers.emplace_back("Allow", "GET, PATCH, OPTIONS");
    add_cors_fields(foreign_page_of(of("https://a.example", Method::options,
                                       {{"access-control-request-method", "PATCH"},
                                        {"access-control-request-private-network", "true"}}),
                                    kOrigins),
                    response);
    EXPECT_EQ(field(response, "Access-Control-Allow-Methods"), "GET, PATCH, OPTIONS");
    EXPECT_TRUE(field(response, "Access-Control-Allow-Headers").contains("Authorization"));
    EXPECT_EQ(field(response, "Access-Control-Max-Age"), "600");
    EXPECT_EQ(field(response, "Access-Control-Allow-Private-Network"), "true");
}

std::string may_send(const std::string& origin, const std::string& asked) {
    Response response;
    add_cors_fields(foreign_page_of(of(origin, Method::options,
                                       {{"access-control-request-method", "POST"},
                                        {"access-control-request-headers", asked}}),
                                    kOrigins),
                    response);
    return field(response, "Access-Control-Allow-Headers");
}

// As OpenAI's own client asks from a page.
TEST(Cors, APageOfTheListMaySendWhateverFieldsItsLibraryHas) {
    const std::string known = may_send("https://a.example", "");
    EXPECT_TRUE(known.ends_with("X-Requested-With"));
    EXPECT_EQ(may_send("https://a.example",
                       "authorization,content-type,x-stainless-lang,\tx-stainless-os ,"),
              known + ", authorization, content-type, x-stainless-lang, x-stainless-os");
    EXPECT_EQ(may_send("https://evil.example", "x-stainless-lang"), "");
}

TEST(Cors, WhatIsNoNameOfAFieldIsNotRepeated) {
    EXPECT_EQ(may_send("https://a.example", "x y, \"q\", a:b, x\x80, , (c), x-good"),
              may_send("https://a.example", "x-good"));
}

TEST(Cors, ItMayReadWhetherToAskAgain) {
    Response response;
    add_cors_fields(foreign_page_of(of("https://a.example"), kOrigins), response);
    EXPECT_TRUE(field(response, "Access-Control-Expose-Headers").contains("X-Should-Retry"));
}

}  // namespace
}  // namespace durascribe::api
