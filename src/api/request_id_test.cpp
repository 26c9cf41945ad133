#include "durascribe/api/request_id.h"

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "durascribe/api/problem.h"
#include "durascribe/base/ids.h"

namespace durascribe::api {
namespace {

std::string id_of(const std::string& given) {
    Request request;
    request.headers = {{"x-request-id", given}};
    return request_id_of(request);
}

TEST(RequestId, IsTheClientsWhereThatIsWellFormed) {
    EXPECT_EQ(id_of("trace-1.2_3"), "trace-1.2_3");
    EXPECT_EQ(id_of(std::string(128, 'a')), std::string(128, 'a'));
    for (const std::string& bad :
         {std::string{}, std::string(129, 'a'), std::string{"a b"}, std::string{"a\"b"},
          std::string{"a,b"}, std::string{"\xc3\xa9"}}) {
        EXPECT_TRUE(is_uuid(id_of(bad))) << bad;
    }
    EXPECT_TRUE(is_uuid(request_id_of({})));
    EXPECT_NE(request_id_of({}), request_id_of({}));
}

TEST(RequestId, IsInTheAnswerAndInAProblem) {
    Response problem = problem_response(not_found("media", "x"), "/api/v1/media/x");
    name_request(problem, "abc");
    const auto body = boost::json::parse(problem.body).as_object();
    EXPECT_EQ(body.at("request_id"), "abc");
    EXPECT_EQ(body.at("code"), "not_found");
    Response plain;
    plain.headers = {{"Content-Type", "application/json"}, {"X-Request-Id", "its own"}};
    plain.body = "{}";
    name_request(plain, "abc");
    EXPECT_EQ(plain.body, "{}");
    EXPECT_EQ(plain.headers.size(), 2U);
}

}  // namespace
}  // namespace durascribe::api
