// A server that was built without the page (DURASCRIBE_WEB=OFF, or no Node.js): this program has
// the list of files that web/page.cmake makes then.
#include <gmock/gmock.h>

#include "durascribe/api/page.h"
#include "http_fixture.h"

namespace durascribe::api {
namespace {

using ::testing::HasSubstr;

TEST_F(HttpTest, WithoutThePageItSaysHowToGetItAndWhatElseThereIs) {
    ASSERT_TRUE(page_files().empty());
    start();
    const Answer page = ask("GET", "/");
    ASSERT_EQ(page.status, 200);
    EXPECT_EQ(page.field("content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(page.field("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    EXPECT_EQ(page.field("cache-control"), "no-cache");
    EXPECT_THAT(page.body, HasSubstr("It was built without its page"));
    EXPECT_THAT(page.body, HasSubstr("Node.js"));
    const Answer head = ask("HEAD", "/");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.field("content-length"), std::to_string(page.body.size()));
    // Each address that it names is there.
    const std::string link = "<a href=\"";
    int links = 0;
    for (std::size_t at = page.body.find(link); at != std::string::npos;
         at = page.body.find(link, at + 1)) {
        const std::size_t from = at + link.size();
        const std::string path = page.body.substr(from, page.body.find('"', from) - from);
        EXPECT_EQ(ask("GET", path).status, 200) << path;
        ++links;
    }
    EXPECT_EQ(links, 3);
}

TEST_F(HttpTest, WithoutThePageItsFilesAreNotThereAndTheRestIs) {
    start();
    const Answer script = ask("GET", "/assets/index-0123abcd.js");
    EXPECT_EQ(script.status, 404);
    EXPECT_EQ(text(object(script), "code"), "not_found");
    const json::object media = upload();
    EXPECT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
}

}  // namespace
}  // namespace durascribe::api
