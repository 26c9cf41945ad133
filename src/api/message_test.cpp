#include "durascribe/api/message.h"

#include <gtest/gtest.h>

#include "durascribe/api/admission.h"
#include "durascribe/api/router.h"

namespace durascribe::api {
namespace {

Request request_to(std::string_view target, Method method = Method::get) {
    Request request;
    request.method = method;
    const auto parsed = parse_target(target, request);
    EXPECT_TRUE(parsed) << target;
    return request;
}

TEST(Target, PathAndQueryAreDecoded) {
    const Request r = request_to("/api/v1/media/?search=a+b%26c&status=&x");
    EXPECT_EQ(r.path, "/api/v1/media/");
    EXPECT_EQ(r.segments, (std::vector<std::string>{"api", "v1", "media"}));
    EXPECT_EQ(r.query, (Fields{{"search", "a b&c"}, {"status", ""}, {"x", ""}}));
    EXPECT_EQ(request_to("http://host/x%20y").segments, (std::vector<std::string>{"x y"}));
    EXPECT_EQ(request_to("/").segments, std::vector<std::string>{});
}

TEST(Target, MalformedOnesAreNamedErrors) {
    for (const std::string_view bad :
         {"", "no-slash", "/a b", "/%zz", "/%ff", "/?x=%ff", "/\"", "*"}) {
        Request r;
        r.method = Method::get;
        const auto parsed = parse_target(bad, r);
        ASSERT_FALSE(parsed) << bad;
        EXPECT_EQ(parsed.error().code, "bad_target") << bad;
    }
    Request many;
    std::string query = "/?a=1";
    for (int i = 1; i < 100; ++i) {
        query += "&a=1";
    }
    EXPECT_TRUE(parse_target(query, many));
    many = {};
    const auto refused = parse_target(query + "&a=1", many);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "bad_target");
    EXPECT_TRUE(refused.error().message.contains("more than 100")) << refused.error().message;
    Request r;
    EXPECT_EQ(parse_target("/" + std::string(9000, 'a'), r).error().code, "uri_too_long");
}

TEST(Head, HasWhatEveryAnswerNeeds) {
    Response response;
    response.status = 201;
    response.headers = {{"Location", "/x"}};
    response.body = "12345";
    EXPECT_EQ(
        response_head(response, true, WallTime{Millis{784'111'777'000}}),
        "HTTP/1.1 201 Created\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nLocation: /x\r\n"
        "Content-Length: 5\r\nX-Content-Type-Options: nosniff\r\nConnection: keep-alive\r\n\r\n");
}

TEST(HeadDeathTest, ALineBreakInAFieldIsABrokenInvariant) {
    Response response;
    response.headers = {{"Location", "/x\r\nSet-Cookie: a"}};
    EXPECT_DEATH(response_head(response, true, WallTime{}), "is_one_line");
}

Result<Response> nothing(const Services&, const Request&) {
    return Response{};
}

constexpr Route kRoutes[] = {
    {Method::get, "/", access::Need::read, nothing},
    {Method::get, "/api/v1/media", access::Need::read, nothing},
    {Method::post, "/api/v1/media", access::Need::read, nothing},
    {Method::get, "/api/v1/media/{id}", access::Need::read, nothing},
    {Method::get, "/api/v1/media/{id}/transcript.{format}", access::Need::read, nothing},
};
constexpr PathAlias kAliases[] = {{"/media", "/api/v1/media"}, {"/api/v1/videos", "/api/v1/media"}};

TEST(Router, FindsTheRouteAndNamesItsParts) {
    Request r = request_to("/api/v1/media/abc/transcript.srt");
    const auto match = find_route(kRoutes, kAliases, r);
    EXPECT_EQ(match.route, &kRoutes[4]);
    EXPECT_EQ(r.capture("id"), "abc");
    EXPECT_EQ(r.capture("format"), "srt");
    EXPECT_FALSE(r.legacy_path);
    Request root = request_to("/");
    EXPECT_EQ(find_route(kRoutes, kAliases, root).route, &kRoutes[0]);
    Request bare = request_to("/api/v1/media/abc/transcript.");
    EXPECT_EQ(find_route(kRoutes, kAliases, bare).route, nullptr);
}

TEST(Router, EarlierPathsAreTheSameRoutes) {
    for (const std::string_view target : {"/media/abc", "/api/v1/videos/abc"}) {
        Request r = request_to(target);
        EXPECT_EQ(find_route(kRoutes, kAliases, r).route, &kRoutes[3]) << target;
        EXPECT_EQ(r.capture("id"), "abc");
        EXPECT_TRUE(r.legacy_path);
    }
    Request r = request_to("/mediathek");
    EXPECT_TRUE(find_route(kRoutes, kAliases, r).allow.empty());
}

TEST(Router, AWrongMethodKnowsTheRightOnes) {
    Request r = request_to("/api/v1/media", Method::del);
    const auto match = find_route(kRoutes, kAliases, r);
    EXPECT_EQ(match.route, nullptr);
    EXPECT_EQ(match.allow, "GET, HEAD, POST, OPTIONS");
    Request head = request_to("/api/v1/media", Method::head);
    EXPECT_EQ(find_route(kRoutes, kAliases, head).route, &kRoutes[1]);
}

std::string admitted(Method method, Fields headers, bool loopback = true,
                     const std::vector<std::string>& allowed = {}) {
    Request r;
    r.method = method;
    r.headers = std::move(headers);
    const auto result = check_origin(r, true, loopback, allowed);
    return result ? "" : result.error().code;
}

TEST(Admission, ProgramsAndOwnPagesGetIn) {
    EXPECT_EQ(admitted(Method::post, {{"host", "127.0.0.1:8000"}}), "");
    EXPECT_EQ(
        admitted(Method::post, {{"host", "LOCALHOST:8000"}, {"origin", "http://localhost:8000"}}),
        "");
    EXPECT_EQ(admitted(Method::post, {{"host", "[::1]:80"}, {"origin", "http://[::1]"}}), "");
    EXPECT_EQ(
        admitted(Method::post, {{"host", "a.example"}, {"origin", "https://a.example"}}, false),
        "");
    EXPECT_EQ(admitted(Method::get, {{"host", "localhost"}, {"origin", "https://evil.example"}}),
              "");
}

TEST(Admission, ForeignPagesDoNot) {
    for (const std::string origin :
         {"https://evil.example", "null", "http://localhost:9", "http://u@localhost:8000",
          "http://localhost.evil.example:8000"}) {
        EXPECT_EQ(admitted(Method::post, {{"host", "localhost:8000"}, {"origin", origin}}),
                  "foreign_origin")
            << origin;
    }
    EXPECT_EQ(admitted(Method::del, {{"host", "localhost"}, {"origin", "https://localhost:99"}}),
              "foreign_origin");
    EXPECT_EQ(admitted(Method::get, {{"host", "rebound.example:8000"}}), "foreign_host");
    EXPECT_EQ(admitted(Method::get, {{"host", "127.evil.example"}}), "foreign_host");
    EXPECT_EQ(admitted(Method::get, {{"host", "127.0.0.1.evil.example"}}), "foreign_host");
    EXPECT_EQ(admitted(Method::get, {{"host", "rebound.example"}}, false), "");
}

TEST(Admission, HostsThatTheOperatorNamedGetIn) {
    const std::vector<std::string> allowed{"talks.example"};
    EXPECT_EQ(admitted(Method::get, {{"host", "Talks.Example:8443"}}, true, allowed), "");
    EXPECT_EQ(admitted(Method::get, {{"host", "other.example"}}, true, allowed), "foreign_host");
    EXPECT_EQ(admitted(Method::get, {{"host", "other.example"}}, false, allowed), "foreign_host")
        << "where names are given, no other holds beyond loopback either";
    EXPECT_EQ(admitted(Method::get, {{"host", "192.0.2.7:8000"}}, false, allowed), "");
    // A proxy that passes on the page's Origin and a Host of its own.
    EXPECT_EQ(
        admitted(Method::post, {{"host", "127.0.0.1:8000"}, {"origin", "https://talks.example"}},
                 true, allowed),
        "");
    EXPECT_EQ(
        admitted(Method::post, {{"host", "127.0.0.1:8000"}, {"origin", "https://evil.example"}},
                 true, allowed),
        "foreign_origin");
}

TEST(Admission, ExactlyOneHost) {
    EXPECT_EQ(admitted(Method::get, {}), "bad_host");
    EXPECT_EQ(admitted(Method::get, {{"host", "localhost"}, {"host", "localhost"}}), "bad_host");
    EXPECT_EQ(admitted(Method::get, {{"host", "a b"}}), "bad_host");
    EXPECT_EQ(admitted(Method::get, {{"host", ""}}), "bad_host");
}

}  // namespace
}  // namespace durascribe::api
