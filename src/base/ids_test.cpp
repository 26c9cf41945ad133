#include "durascribe/base/ids.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>

namespace durascribe {
namespace {

TEST(Ids, AreVersion7UuidsAndDiffer) {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const std::string id = new_uuid();
        ASSERT_TRUE(is_uuid(id)) << id;
        ASSERT_EQ(id[14], '7');
        ASSERT_TRUE(id[19] == '8' || id[19] == '9' || id[19] == 'a' || id[19] == 'b') << id;
        seen.insert(id);
    }
    EXPECT_EQ(seen.size(), 1000U);
}

TEST(Ids, AForkedChildGivesOthers) {
    (void)new_uuid();  // the random bytes of the next ones are there already
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const std::string id = new_uuid();
        _exit(write(ends[1], id.data(), id.size()) == static_cast<ssize_t>(id.size()) ? 0 : 1);
    }
    std::string its(36, ' ');
    ASSERT_EQ(read(ends[0], its.data(), its.size()), 36);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_NE(new_uuid().substr(15), its.substr(15));  // behind the time
    close(ends[0]);
    close(ends[1]);
}

TEST(Ids, ShapeIsChecked) {
    EXPECT_FALSE(is_uuid(""));
    EXPECT_FALSE(is_uuid("nope"));
    EXPECT_FALSE(is_uuid("01890a5d-ac96-774b-bcce-b302099a805"));
    EXPECT_FALSE(is_uuid("01890a5d-ac96-774b-bcce-b302099a805g"));
    EXPECT_TRUE(is_uuid("01890A5D-ac96-774b-bcce-b302099a8057"));
}

}  // namespace
}  // namespace durascribe
