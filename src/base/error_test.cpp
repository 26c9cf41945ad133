#include "durascribe/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace durascribe {
namespace {

TEST(Error, ClassNamesRoundTrip) {
    for (int i = 0; i <= static_cast<int>(ErrorClass::internal); ++i) {
        const auto cls = static_cast<ErrorClass>(i);
        EXPECT_EQ(error_class_from(to_string(cls)), cls);
    }
    EXPECT_EQ(error_class_from("nonsense"), std::nullopt);
}

TEST(Error, AFullDiskIsStorageAndNamesTheRemedy) {
    const Error e = system_error(ENOSPC, "write the upload");
    EXPECT_EQ(e.cls, ErrorClass::storage);
    EXPECT_EQ(e.code, "disk_full");
    EXPECT_NE(e.message.find("write the upload"), std::string::npos);
    EXPECT_NE(e.message.find("Free some space"), std::string::npos);
}

}  // namespace
}  // namespace durascribe
