#include "durascribe/api/tus.h"

#include <gtest/gtest.h>

namespace durascribe::api {
namespace {

Request with(const std::string& name, const std::string& value) {
    Request request;
    request.headers = {{name, value}};
    return request;
}

std::string code_of(const auto& result) {
    return result ? "" : result.error().code;
}

TEST(Tus, Base64) {
    EXPECT_EQ(decode_base64(""), "");
    EXPECT_EQ(decode_base64("YQ=="), "a");
    EXPECT_EQ(decode_base64("YWI="), "ab");
    EXPECT_EQ(decode_base64("YWJj"), "abc");
    EXPECT_EQ(decode_base64("+/+/")->size(), 3U);
    for (const char* bad :
         {"Y", "YQ=", "YQ", "Y===", "====", "YQ==YQ==", "YWJ\n", "YW-_", " YWJ"}) {
        EXPECT_EQ(decode_base64(bad), std::nullopt) << bad;
    }
}

TEST(Tus, MetadataCarriesNameAndOptionsAndLeavesTheRestAlone) {
    // filename "talk (ü).mp4", language "de", priority "5", and keys of a client's own
    const auto metadata = parse_metadata(with(
        "upload-metadata",
        "filename dGFsayAow7wpLm1wNA==,language ZGU=, priority NQ==,relativePath bnVsbA==,empty"));
    ASSERT_TRUE(metadata.has_value()) << metadata.error().message;
    EXPECT_EQ(metadata->filename, "talk (ü).mp4");
    const auto options = metadata->fields.over({});
    EXPECT_EQ(options.language, "de");
    EXPECT_EQ(options.priority, 5);
    EXPECT_EQ(parse_metadata({})->filename, "recording");
}

TEST(Tus, MetadataThatIsMalformedIsRefused) {
    for (const char* bad : {"filename t.lk", "filename dA==,filename dA==", ",",
                            "a dA==,,b dA==", "priority bWFueQ==", "title Cg=="}) {
        EXPECT_EQ(code_of(parse_metadata(with("upload-metadata", bad))), "bad_value") << bad;
    }
}

TEST(Tus, Lengths) {
    EXPECT_EQ(*announced_length(with("upload-length", "12")), 12);
    EXPECT_EQ(*announced_length(with("upload-defer-length", "1")), std::nullopt);
    EXPECT_EQ(code_of(announced_length(with("upload-length", "0"))), "empty_file");
    EXPECT_EQ(code_of(announced_length({})), "bad_value");
    const auto part = announced_length(with("upload-concat", "partial"));
    ASSERT_FALSE(part.has_value());
    EXPECT_EQ(part.error().code, "bad_value");
    EXPECT_TRUE(part.error().message.contains("Upload-Concat")) << part.error().message;
    EXPECT_EQ(code_of(announced_length(with("upload-defer-length", "2"))), "bad_value");
    for (const char* bad : {"-1", "1x", "", "9223372036854775808", "0x10"}) {
        EXPECT_EQ(code_of(announced_length(with("upload-length", bad))), "bad_value") << bad;
    }
}

TEST(Tus, Checksums) {
    // printf abc | openssl dgst -sha1 -binary | base64, and so on
    for (const char* good : {"sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", "md5 kAFQmDzST7DWlj99KOF/cg==",
                             "sha256 ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="}) {
        auto checksum = Checksum::of(with("upload-checksum", good));
        ASSERT_TRUE(checksum.has_value() && *checksum) << good;
        (*checksum)->add("a");
        (*checksum)->add("bc");
        EXPECT_TRUE((*checksum)->matches()) << good;
        auto other = Checksum::of(with("upload-checksum", good));
        (*other)->add("abd");
        EXPECT_FALSE((*other)->matches()) << good;
    }
    for (const char* bad : {"crc32 qZk+Ng==", "sha1", "sha1 qZk+Ng==", "sha1 ?"}) {
        EXPECT_EQ(code_of(Checksum::of(with("upload-checksum", bad))), "bad_value") << bad;
    }
    EXPECT_EQ(*Checksum::of({}), nullptr);
}

}  // namespace
}  // namespace durascribe::api
