#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "durascribe/blobs/local/local_blob_store.h"
#include "scratch_directory.h"

namespace durascribe::blobs {
namespace {

namespace fs = std::filesystem;

// printf abc | sha256sum
constexpr std::string_view kAbc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const std::string kName = "0190a1b2-0000-7000-8000-000000000001";

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}

class PartialBlobs : public ::testing::Test {
  protected:
    PartialBlobs() { start(); }
    void start() {
        auto opened = LocalBlobStore::open(directory_.path(), {.reserve_bytes = 0});
        DURASCRIBE_ASSERT(opened.has_value());
        store_ = std::move(*opened);
    }
    std::unique_ptr<ports::PartialBlob> partial(std::int64_t keep) {
        auto blob = store_->open_partial(kName, keep);
        EXPECT_TRUE(blob.has_value()) << blob.error().message;
        return std::move(*blob);
    }
    fs::path file() const { return directory_.path() / "blobs" / "uploads" / kName; }

    testing::ScratchDirectory directory_;
    std::unique_ptr<LocalBlobStore> store_;
};

TEST_F(PartialBlobs, PiecesOverRestartsMakeOneBlob) {
    {
        auto blob = partial(0);
        ASSERT_TRUE(blob->write(bytes("ab")).has_value());
        ASSERT_TRUE(blob->sync().has_value());
        ASSERT_TRUE(blob->write(bytes("?")).has_value()) << "which nobody recorded";
    }
    start();
    auto blob = partial(2);
    EXPECT_EQ(blob->size_bytes(), 2);
    ASSERT_TRUE(blob->write(bytes("c")).has_value());
    ASSERT_TRUE(blob->sync().has_value());
    const auto address = blob->address();
    ASSERT_TRUE(address.has_value());
    EXPECT_EQ(address->sha256, kAbc);
    EXPECT_EQ(address->size_bytes, 3);
    EXPECT_EQ(*blob->address(), *address) << "asked twice";
    blob.reset();
    EXPECT_EQ(store_->remove_leftovers(), 0);
    EXPECT_EQ(*store_->list_partials(), std::vector{kName});
    for (int again = 0; again < 2; ++again) {
        ASSERT_TRUE(store_->place_partial(kName, *address).has_value());
        EXPECT_EQ(store_->exists(*address), true);
        EXPECT_FALSE(fs::exists(file()));
    }
}

TEST_F(PartialBlobs, WhatIsCutIsNotInTheHash) {
    auto blob = partial(0);
    ASSERT_TRUE(blob->write(bytes("ab")).has_value());
    ASSERT_TRUE(blob->write(bytes("wrong")).has_value());
    ASSERT_TRUE(blob->cut(2).has_value());
    EXPECT_EQ(blob->size_bytes(), 2);
    ASSERT_TRUE(blob->write(bytes("c")).has_value());
    EXPECT_EQ(blob->address()->sha256, kAbc);
    // Looked at, and then gone on with.
    ASSERT_TRUE(blob->cut(1).has_value());
    ASSERT_TRUE(blob->write(bytes("bd")).has_value());
    EXPECT_NE(blob->address()->sha256, kAbc);
    ASSERT_TRUE(blob->cut(2).has_value());
    ASSERT_TRUE(blob->write(bytes("c")).has_value());
    EXPECT_EQ(blob->address()->sha256, kAbc);
}

TEST_F(PartialBlobs, TheSameBytesStoredBeforeStayTheOnesThere) {
    auto pending = *store_->create();
    ASSERT_TRUE(pending->write(bytes("abc")).has_value());
    const auto stored = pending->commit();
    ASSERT_TRUE(stored.has_value());
    const auto before = fs::hard_link_count(directory_.path() / "blobs" / "ba" / kAbc.substr(2));
    auto blob = partial(0);
    ASSERT_TRUE(blob->write(bytes("abc")).has_value());
    blob.reset();
    ASSERT_TRUE(store_->place_partial(kName, *stored).has_value());
    EXPECT_FALSE(fs::exists(file()));
    EXPECT_EQ(fs::hard_link_count(directory_.path() / "blobs" / "ba" / kAbc.substr(2)), before);
}

TEST_F(PartialBlobs, WhatIsNotThereIsSaid) {
    const auto placed = store_->place_partial(kName, {std::string{kAbc}, 3});
    ASSERT_FALSE(placed.has_value());
    EXPECT_EQ(placed.error().code, "blob_missing");
    EXPECT_TRUE(store_->remove_partial(kName).has_value());
    auto blob = partial(100);
    EXPECT_EQ(blob->size_bytes(), 0) << "less than was recorded";
}

}  // namespace
}  // namespace durascribe::blobs
