// What the page is served as, and the requests that only it makes.
#include "durascribe/api/page.h"

#include <gmock/gmock.h>

#include "http_fixture.h"

namespace durascribe::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const PageFile* script() {
    for (const PageFile& file : page_files()) {
        if (file.path.ends_with(".js") && !file.brotli.empty()) {
            return &file;
        }
    }
    return nullptr;
}

TEST_F(HttpTest, ThePageLetsNothingInThatIsNotItsOwn) {
    start();
    const Answer page = ask("GET", "/");
    ASSERT_EQ(page.status, 200);
    EXPECT_EQ(page.field("content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(page.field("cache-control"), "no-cache");
    const std::string policy = page.field("content-security-policy");
    EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
    EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
    EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
    if (page_files().empty()) {
        EXPECT_THAT(page.body, HasSubstr("Node.js"));
        GTEST_SKIP() << "built without the page";
    }
    EXPECT_THAT(policy, HasSubstr("script-src 'self';"));
    EXPECT_THAT(page.body, Not(HasSubstr("<style")));
    EXPECT_THAT(page.body, Not(HasSubstr("://"))) << "nothing from elsewhere";
    // Scripts are files: each has a source.
    std::size_t scripts = 0;
    for (std::size_t at = page.body.find("<script"); at != std::string::npos;
         at = page.body.find("<script", at + 1)) {
        const std::string tag = page.body.substr(at, page.body.find('>', at) - at);
        EXPECT_THAT(tag, HasSubstr("src=\"/assets/"));
        ++scripts;
    }
    EXPECT_GT(scripts, 0U);
}

TEST_F(HttpTest, FilesOfThePageAreCompressedAndKeptForEver) {
    start();
    const PageFile* file = script();
    if (file == nullptr) {
        GTEST_SKIP() << "built without the page";
    }
    const std::string path{file->path};
    const Answer plain = ask("GET", path);
    EXPECT_EQ(plain.status, 200);
    EXPECT_EQ(plain.body, file->plain);
    EXPECT_EQ(plain.field("content-type"), "text/javascript; charset=utf-8");
    EXPECT_EQ(plain.field("content-encoding"), "");
    EXPECT_EQ(plain.field("vary"), "Accept-Encoding");
    EXPECT_THAT(plain.field("cache-control"), HasSubstr("immutable"));

    const Answer brotli = ask("GET", path, "Accept-Encoding: gzip, deflate, br\r\n");
    EXPECT_EQ(brotli.field("content-encoding"), "br");
    EXPECT_EQ(brotli.body, file->brotli);
    const Answer gzip = ask("GET", path, "Accept-Encoding: gzip, br;q=0\r\n");
    EXPECT_EQ(gzip.field("content-encoding"), "gzip");
    EXPECT_EQ(gzip.body, file->gzip);

    const std::string tag = brotli.field("etag");
    EXPECT_NE(tag, gzip.field("etag"));
    const Answer known =
        ask("GET", path, "Accept-Encoding: br\r\nIf-None-Match: \"x\", " + tag + "\r\n");
    EXPECT_EQ(known.status, 304);
    EXPECT_EQ(known.field("etag"), tag);
    EXPECT_EQ(known.body, "");
    EXPECT_EQ(ask("GET", path, "If-None-Match: " + tag + "\r\n").status, 200)
        << "those bytes are another representation";
    const Answer head = ask("HEAD", path, "Accept-Encoding: br\r\n");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.field("content-length"), std::to_string(file->brotli.size()));
}

TEST_F(HttpTest, WhatThePageHasNotIsNotThere) {
    start();
    for (const char* path :
         {"/assets/none.js", "/assets/..%2Findex.html", "/assets/%2E%2E", "/assets/", "/assets"}) {
        EXPECT_EQ(ask("GET", path).status, 404) << path;
    }
    EXPECT_EQ(ask("POST", "/assets/none.js").status, 405);
    EXPECT_EQ(ask("DELETE", "/").status, 405);
}

TEST_F(HttpTest, TheUnitsOfATaskTellWhereInTheAudioTheyAre) {
    start();
    const auto made = upload();
    const std::string task = text(made, "task_id");
    ASSERT_TRUE(await(task, domain::TaskState::completed));
    const auto units = ask_json("GET", "/api/v1/tasks/" + task + "/units");
    EXPECT_EQ(text(units, "task_id"), task);
    std::vector<std::string> steps;
    for (const json::value& unit : units.at("items").as_array()) {
        steps.push_back(text(unit.as_object(), "step"));
        EXPECT_EQ(text(unit.as_object(), "status"), "completed");
        EXPECT_EQ(unit.at("attempts"), 1);
        EXPECT_TRUE(unit.at("error").is_null());
    }
    EXPECT_EQ(steps, (std::vector<std::string>{"extract", "transcribe", "finalize"}));
    EXPECT_EQ(units.at("items").at(1).at("start").to_number<double>(), 0.0);
    EXPECT_EQ(units.at("items").at(1).at("end").to_number<double>(), 20.0);
    EXPECT_EQ(ask("GET", "/api/v1/tasks/00000000-0000-7000-8000-000000000000/units").status, 404);
    EXPECT_EQ(ask("GET", "/api/v1/tasks/nonsense/units").status, 404);
}

TEST_F(HttpTest, TheLogOfATaskIsWhatHappenedToIt) {
    start();
    const auto made = upload();
    const std::string task = text(made, "task_id");
    ASSERT_TRUE(await(task, domain::TaskState::completed));
    const auto log = ask_json("GET", "/api/v1/tasks/" + task + "/log");
    const auto& items = log.at("items").as_array();
    ASSERT_GE(items.size(), 3U);
    EXPECT_EQ(text(items.front().as_object(), "type"), "task.created");
    EXPECT_EQ(text(items.back().as_object(), "type"), "task.state");
    EXPECT_EQ(items.back().at("data").at("state"), "completed");
    for (const json::value& item : items) {
        EXPECT_NE(text(item.as_object(), "type"), "task.progress");
    }
    const auto last = ask_json("GET", "/api/v1/tasks/" + task + "/log?limit=1");
    ASSERT_EQ(last.at("items").as_array().size(), 1U);
    EXPECT_EQ(last.at("items").at(0).at("seq"), items.back().at("seq")) << "the newest";
    for (const char* bad : {"0", "501", "x"}) {
        EXPECT_EQ(ask("GET", "/api/v1/tasks/" + task + "/log?limit=" + bad).status, 400) << bad;
    }
    EXPECT_EQ(ask("GET", "/api/v1/tasks/00000000-0000-7000-8000-000000000000/log").status, 404);
}

TEST_F(HttpTest, ThePriorityOfAWaitingTaskCanBeChanged) {
    start();
    ASSERT_EQ(ask("POST", "/api/v1/queue/pause").status, 200);
    const std::string first = text(upload("one", "one.wav"), "task_id");
    const std::string second = text(upload("two", "two.wav"), "task_id");
    const auto change = [this](const std::string& task, const std::string& body) {
        return ask("PATCH", "/api/v1/tasks/" + task, "Content-Type: application/json\r\n", body);
    };
    const Answer changed = change(second, R"({"priority": 10})");
    EXPECT_EQ(changed.status, 200) << changed.body;
    EXPECT_EQ(object(changed).at("options").at("priority"), 10);
    const auto queue = ask_json("GET", "/api/v1/queue");
    EXPECT_EQ(text(queue.at("waiting").at(0).as_object(), "task_id"), second);
    EXPECT_EQ(queue.at("waiting").at(0).at("priority"), 10);

    for (const char* bad : {"{}", R"({"priority": 101})", R"({"priority": "high"})",
                            R"({"priority": 1.5})", R"({"priority": 1, "model": "x"})", "[]"}) {
        EXPECT_EQ(change(first, bad).status, 400) << bad;
    }
    EXPECT_EQ(change("00000000-0000-7000-8000-000000000000", R"({"priority": 1})").status, 404);
    ASSERT_EQ(ask("POST", "/api/v1/tasks/" + first + "/cancel").status, 200);
    const Answer ended = change(first, R"({"priority": 1})");
    EXPECT_EQ(ended.status, 409);
    EXPECT_EQ(text(object(ended), "code"), "task_ended");
}

TEST_F(HttpTest, TheSystemTellsWhatWasLearned) {
    start();
    EXPECT_EQ(ask_json("GET", "/api/v1/system").at("speeds").as_array().size(), 0U);
    ASSERT_TRUE(store_->learn(domain::Step::transcribe, "scripted", "none", NodeId{"n"}, 0.25));
    const auto system = ask_json("GET", "/api/v1/system");
    EXPECT_EQ(text(system, "version"), "1.2.3");
    EXPECT_EQ(text(system, "sandbox"), "full");
    const auto& speed = system.at("speeds").at(0);
    EXPECT_EQ(speed.at("step"), "transcribe");
    EXPECT_EQ(speed.at("model"), "none");
    EXPECT_DOUBLE_EQ(speed.at("seconds_per_audio_second").to_number<double>(), 0.25);
}

}  // namespace
}  // namespace durascribe::api
