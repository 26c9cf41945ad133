// The real yt-dlp, where it is installed, with names whose addresses the test decides.
#include "durascribe/worker/site_fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <map>
#include <string>

#include "loopback_server.h"
#include "scripted_names.h"

namespace durascribe::worker {
namespace {

using durascribe::testing::http_answer;
using durascribe::testing::LoopbackServer;
using durascribe::testing::ScriptedNames;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kYtDlp = "/usr/bin/yt-dlp";
constexpr const char* kPython = "/usr/bin/python3";

// Pages by path; what is not there is 404.
std::string page_with(const std::string& source) {
    return http_answer(200, "Content-Type: text/html\r\n",
                       "<html><head><title>A talk: one/two</title></head><body><video src=\"" +
                           source + "\"></video></body></html>");
}

class SiteFetchTest : public ::testing::Test {
  protected:
    // nullptr: this kernel has no room, or there is no such program.
    std::unique_ptr<SiteProgram> room(const char* program) {
        if (::access(program, X_OK) != 0) {
            return nullptr;
        }
        auto made = SiteProgram::prepare(program);
        if (!made) {
            why_not_ = made.error().detail;
            return nullptr;
        }
        return std::move(*made);
    }
    std::optional<Error> fetch(const std::string& path, std::int64_t limit_bytes = 0) {
        body_.clear();
        filename_.clear();
        auto program = room(kYtDlp);
        EXPECT_TRUE(program) << why_not_;
        ScriptedNames names(names_);
        const SiteSink sink{.begin = [this](const std::string& filename) -> Result<void> {
                                filename_ = filename;
                                return {};
                            },
                            .body = [this](std::string_view bytes) -> Result<void> {
                                body_ += bytes;
                                return {};
                            },
                            .progress = [this](std::int64_t bytes) { progress_ = bytes; }};
        return fetch_from_site(
            *program, names, *net::AddressPolicy::parse("127.0.0.1/32"),
            {.url = "http://site.example:" + std::to_string(server_.port()) + path,
             .limit_bytes = limit_bytes,
             .timeout = Millis{120'000},
             .stall = Millis{60'000}},
            sink);
    }
    std::string port() const { return std::to_string(server_.port()); }

    std::map<std::string, std::vector<std::string>> names_{{"site.example", {"127.0.0.1"}},
                                                           {"inside.example", {"127.0.0.2"}}};
    const std::string media_ = "RIFF" + std::string(200'000, 'x');
    LoopbackServer server_{[this](const std::string& request) {
        const std::string path = request.substr(4, request.find(' ', 4) - 4);
        if (path == "/page") {
            return page_with("/talk.wav");
        }
        if (path == "/inside") {
            return page_with("http://inside.example:" + port() + "/talk.wav");
        }
        if (path == "/metadata") {
            return http_answer(302, "Location: http://169.254.169.254/latest/meta-data/\r\n", "");
        }
        if (path == "/empty") {
            return http_answer(200, "Content-Type: text/html\r\n", "<html>nothing</html>");
        }
        return path == "/talk.wav" ? http_answer(200, "Content-Type: audio/wav\r\n", media_)
                                   : http_answer(404, "", "");
    }};
    std::string why_not_;
    std::string body_;
    std::string filename_;
    std::int64_t progress_ = 0;
};

TEST_F(SiteFetchTest, TheRoomHasNothingOfThisMachine) {
    auto program = room(kPython);
    if (!program) {
        GTEST_SKIP() << "no room here: " << why_not_;
    }
    const std::string script = R"(
import os, socket
print(sorted(os.listdir("/etc")), os.path.exists("/home"), os.path.exists("/proc"), os.getuid())
def refused(what):
    try:
        what()
        return False
    except OSError:
        return True
print(refused(lambda: open("/usr/written", "w")),
      refused(lambda: socket.create_connection(("8.8.8.8", 53), 2)),
      refused(lambda: socket.create_connection(("127.0.0.1", )" +
                               port() + R"(), 2)),
      refused(lambda: os.listdir("/proc/1")))
open("/tmp/scratch", "w").write("x")
)";
    ASSERT_TRUE(program->run({"-c", script}));
    std::string said;
    std::array<char, 4096> buffer{};
    for (const int fd : {program->output(), program->messages()}) {
        for (ssize_t got = 0; (got = ::read(fd, buffer.data(), buffer.size())) > 0;) {
            said.append(buffer.data(), static_cast<std::size_t>(got));
        }
    }
    EXPECT_EQ(program->exit_code(), 0) << said;
    EXPECT_THAT(said, HasSubstr("False False 65534\nTrue True True True\n"));
    EXPECT_THAT(said, ::testing::Not(HasSubstr("passwd")));
    EXPECT_TRUE(server_.requests().empty());
}

TEST_F(SiteFetchTest, AVideoOfAPageComesWithItsName) {
    if (!room(kYtDlp)) {
        GTEST_SKIP() << "no yt-dlp, or no room for it: " << why_not_;
    }
    const auto error = fetch("/page");
    ASSERT_FALSE(error) << error->message << error->detail;
    EXPECT_EQ(body_.size(), media_.size());
    EXPECT_EQ(body_, media_);
    EXPECT_THAT(filename_, StartsWith("A talk: one-two"));
    EXPECT_THAT(filename_, ::testing::EndsWith(".wav"));
    EXPECT_GE(progress_, static_cast<std::int64_t>(media_.size()));
}

TEST_F(SiteFetchTest, WhatAPageLeadsToIsCheckedAsAllElse) {
    if (!room(kYtDlp)) {
        GTEST_SKIP() << "no yt-dlp, or no room for it: " << why_not_;
    }
    for (const char* path : {"/inside", "/metadata"}) {
        const auto error = fetch(path);
        ASSERT_TRUE(error) << path;
        EXPECT_EQ(error->code, "address_refused") << path << error->message;
        EXPECT_EQ(body_, "");
    }
    for (const std::string& request : server_.requests()) {
        EXPECT_THAT(request, ::testing::Not(HasSubstr("talk.wav")));
    }
}

TEST_F(SiteFetchTest, WhatCannotBeIsTold) {
    if (!room(kYtDlp)) {
        GTEST_SKIP() << "no yt-dlp, or no room for it: " << why_not_;
    }
    EXPECT_EQ(fetch("/empty")->code, "no_media_found");
    EXPECT_EQ(fetch("/page", 1'000)->code, "too_large");
}

TEST(SiteError, SaysWhatFollows) {
    const Error busy = site_error("site.example",
                                  "ERROR: [x] 1: Unable to download webpage: HTTP Error 503: Busy");
    EXPECT_EQ(busy.cls, ErrorClass::network);
    EXPECT_EQ(busy.code, "site_unreachable");
    const Error closed = site_error("site.example", "ERROR: [x] 1: Sign in to confirm your age");
    EXPECT_EQ(closed.cls, ErrorClass::input);
    EXPECT_EQ(closed.code, "site_refused");
    EXPECT_THAT(closed.message, HasSubstr("Sign in to confirm your age"));
    EXPECT_EQ(site_error("site.example", "").code, "no_media_found");
    EXPECT_LE(site_error("site.example", "ERROR: " + std::string(5'000, 'x')).message.size(), 400U);
}

}  // namespace
}  // namespace durascribe::worker
