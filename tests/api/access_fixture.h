// A server that asks for a token also on loopback, and tokens to try.
#pragma once

#include "http_fixture.h"

namespace durascribe::api {

class AccessHttpTest : public HttpTest {
  protected:
    void SetUp() override {
        HttpTest::SetUp();
        settings_.access.required_on_loopback = true;
    }

    static std::string bearer(const std::string& token) {
        return "Authorization: Bearer " + token + "\r\n";
    }
    std::string as_command() const { return bearer(server_->command_token()); }

    // A token made over HTTP; `more`: further members of the request.
    json::object make_token(const std::string& name, const std::string& scopes,
                            const std::string& more = "") {
        const Answer answer =
            ask("POST", "/api/v1/tokens", as_command() + "Content-Type: application/json\r\n",
                fmt::format(R"({{"name": "{}", "scopes": [{}]{}}})", name, scopes, more));
        EXPECT_EQ(answer.status, 201) << answer.body;
        return object(answer);
    }
    std::string secret(const std::string& name, const std::string& scopes,
                       const std::string& more = "") {
        return text(make_token(name, scopes, more), "token");
    }

    void expect_refused(const Answer& answer, int status, const std::string& code) {
        EXPECT_EQ(answer.status, status) << answer.body;
        EXPECT_EQ(text(object(answer), "code"), code) << answer.body;
    }
};

}  // namespace durascribe::api
