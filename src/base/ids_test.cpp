#include "durascribe/base/ids.h"

#include <gtest/gtest.h>

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

TEST(Ids, ShapeIsChecked) {
    EXPECT_FALSE(is_uuid(""));
    EXPECT_FALSE(is_uuid("nope"));
    EXPECT_FALSE(is_uuid("01890a5d-ac96-774b-bcce-b302099a805"));
    EXPECT_FALSE(is_uuid("01890a5d-ac96-774b-bcce-b302099a805g"));
    EXPECT_TRUE(is_uuid("01890A5D-ac96-774b-bcce-b302099a8057"));
}

}  // namespace
}  // namespace durascribe
