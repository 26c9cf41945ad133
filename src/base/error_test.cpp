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

TEST(Error, WhatADiskCannotGiveBackIsNotWaitedFor) {
    const Error e = unreadable(EIO, "the media", "Upload the file again.");
    EXPECT_EQ(e.cls, ErrorClass::internal) << "storage would be tried again for ever";
    EXPECT_EQ(e.code, "unreadable");
    EXPECT_NE(e.message.find("the media"), std::string::npos);
    EXPECT_NE(e.message.find("Upload the file again."), std::string::npos);
    EXPECT_EQ(unreadable(ENOMEM, "the media", "").cls, ErrorClass::memory);
    EXPECT_EQ(unreadable(ENOMEM, "the media", "").code, "out_of_memory");
    EXPECT_EQ(system_error(EBADF, "read it").code, "system_error");
}

}  // namespace
}  // namespace durascribe
