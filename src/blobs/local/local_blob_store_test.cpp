#include "durascribe/blobs/local/local_blob_store.h"
#include "scratch_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <thread>

namespace durascribe::blobs {
namespace {

namespace fs = std::filesystem;

// printf abc | sha256sum
constexpr std::string_view kAbc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::string_view kSteps[] = {"sync_file", "make_folder", "sync_root",
                                       "link",      "sync_folder", "drop_temporary"};

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}

std::string read_all(int fd) {
    std::string text(1 << 16, '\0');
    const ssize_t n = pread(fd, text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
}

class LocalBlobs : public ::testing::Test {
  protected:
    std::unique_ptr<LocalBlobStore> open(LocalBlobOptions options = {.reserve_bytes = 0}) {
        auto store = LocalBlobStore::open(dir_, std::move(options));
        EXPECT_TRUE(store.has_value()) << store.error().message;
        return std::move(*store);
    }

    static Result<ports::BlobRef> put(LocalBlobStore& store, std::string_view text) {
        auto blob = store.create();
        if (!blob) {
            return std::unexpected(blob.error());
        }
        if (auto written = (*blob)->write(bytes(text)); !written) {
            return std::unexpected(written.error());
        }
        return (*blob)->commit();
    }

    std::multiset<std::string> files() const {
        std::multiset<std::string> found;
        for (const auto& e : fs::recursive_directory_iterator(dir_)) {
            if (e.is_regular_file()) {
                found.insert(e.path().lexically_relative(dir_).string());
            }
        }
        return found;
    }

    durascribe::testing::ScratchDirectory scratch_;
    const std::filesystem::path dir_ = scratch_.path();
};

TEST_F(LocalBlobs, StoresUnderTheHashOfItsBytesAndGivesThemBack) {
    auto store = open();
    const auto blob = put(*store, "abc");
    ASSERT_TRUE(blob.has_value()) << blob.error().message;
    EXPECT_EQ(blob->sha256, kAbc);
    EXPECT_EQ(blob->size_bytes, 3);
    const auto fd = store->open(*blob);
    ASSERT_TRUE(fd.has_value());
    EXPECT_EQ(read_all(fd->get()), "abc");
    const std::string path = "blobs/ba/" + std::string(kAbc.substr(2));
    EXPECT_THAT(files(), ::testing::ElementsAre(path));
    struct stat s{};
    ASSERT_EQ(stat((dir_ / path).c_str(), &s), 0);
    EXPECT_EQ(s.st_mode & 0777U, 0600U);
}

TEST_F(LocalBlobs, HashesWhatAWorkerWroteThroughTheDescriptor) {
    auto store = open();
    auto blob = store->create();
    ASSERT_TRUE(blob.has_value());
    ASSERT_EQ(::write((*blob)->fd(), "abc", 3), 3);
    EXPECT_EQ((*blob)->size_bytes(), 3);
    const auto ref = (*blob)->commit();
    ASSERT_TRUE(ref.has_value());
    EXPECT_EQ(*ref, (ports::BlobRef{std::string(kAbc), 3}));
}

TEST_F(LocalBlobs, KeepsTheSameBytesOnce) {
    auto store = open();
    const auto first = put(*store, "abc");
    const auto open_before = store->open(*first);
    const auto second = put(*store, "abc");
    ASSERT_TRUE(second.has_value());
    EXPECT_EQ(*first, *second);
    EXPECT_EQ(files().size(), 1U);
    EXPECT_EQ(read_all(open_before->get()), "abc");
}

TEST(LocalBlobReserve, IsAShareOfASmallDisk) {
    constexpr std::int64_t kMiB = 1024 * 1024;
    EXPECT_EQ(reserve_of(1024 * 1024 * kMiB), 64 * kMiB);
    EXPECT_EQ(reserve_of(1280 * kMiB), 64 * kMiB);
    EXPECT_EQ(reserve_of(20 * kMiB), kMiB);
}

TEST_F(LocalBlobs, ASmallDiskIsUsableButForItsReserve) {
    const fs::path small = dir_ / "small";
    fs::create_directory(small);
    if (mount("none", small.c_str(), "tmpfs", 0, "size=16m") != 0) {
        GTEST_SKIP() << "mounting a small tmpfs needs root: " << std::strerror(errno);
    }
    {
        const auto store = LocalBlobStore::open(small);
        ASSERT_TRUE(store.has_value());
        EXPECT_GT(*(*store)->free_bytes(), 15'000'000);
        EXPECT_EQ(*(*store)->capacity_bytes(), (16 << 20) - reserve_of(16 << 20));
        EXPECT_TRUE(put(**store, "abc").has_value());
        const auto refused = (*store)->create(16'100'000);  // the reserve would be taken
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().code, "disk_full");
    }
    EXPECT_EQ(umount(small.c_str()), 0);
}

TEST_F(LocalBlobs, DroppedWithoutCommitLeavesNothing) {
    auto store = open();
    {
        ASSERT_TRUE((*store->create())->write(bytes("abc")).has_value());
    }
    EXPECT_THAT(files(), ::testing::IsEmpty());
}

TEST_F(LocalBlobs, ManyWritersOfTheSameBytesAllSucceed) {
    auto store = open();
    std::vector<std::thread> threads;
    std::array<Result<ports::BlobRef>, 16> results;
    for (auto& result : results) {
        threads.emplace_back([&] { result = put(*store, "abc"); });
    }
    for (std::thread& t : threads) {
        t.join();
    }
    for (const auto& result : results) {
        ASSERT_TRUE(result.has_value()) << result.error().message;
        EXPECT_EQ(result->sha256, kAbc);
    }
    EXPECT_EQ(files().size(), 1U);
}

TEST_F(LocalBlobs, MissingAndRemovedBlobsAreToldApartFromErrors) {
    auto store = open();
    const auto blob = put(*store, "abc");
    EXPECT_EQ(store->exists(*blob), true);
    EXPECT_TRUE(store->remove(*blob).has_value());
    EXPECT_TRUE(store->remove(*blob).has_value());
    EXPECT_EQ(store->exists(*blob), false);
    EXPECT_EQ(store->open(*blob).error().code, "blob_missing");
    EXPECT_EQ(store->open({"../../etc/passwd", 0}).error().code, "blob_missing");
}

TEST_F(LocalBlobs, LeftoversAreThoseOfEarlierRunsAndNotWhatIsBeingWritten) {
    {
        auto killed = open();
        auto blob = killed->create();
        ASSERT_TRUE((*blob)->write(bytes("half")).has_value());
        static_cast<void>(blob->release());  // as a kill leaves it: nothing cleans up
    }
    auto store = open();
    auto writing = store->create();
    ASSERT_TRUE((*writing)->write(bytes("abc")).has_value());
    EXPECT_EQ(files().size(), 2U);
    EXPECT_EQ(store->remove_leftovers(), 1);
    EXPECT_EQ(store->remove_leftovers(), 0);
    EXPECT_EQ((*writing)->commit()->sha256, kAbc);
    EXPECT_EQ(files().size(), 1U);
}

TEST_F(LocalBlobs, AreListedInTheirOrderPageByPage) {
    auto store = open();
    std::set<std::string> stored;
    for (int i = 0; i < 40; ++i) {
        stored.insert(put(*store, std::to_string(i))->sha256);
    }
    std::ofstream(dir_ / "blobs" / "notes.txt") << "of someone else";
    std::ofstream(dir_ / "blobs" / stored.begin()->substr(0, 2) / "README") << "of someone else";
    for (const int limit : {1, 7, 39, 40, 1'000}) {
        std::vector<std::string> listed;
        for (std::string after;;) {
            const auto page = store->list(after, limit);
            ASSERT_TRUE(page.has_value()) << page.error().message;
            ASSERT_LE(page->size(), static_cast<std::size_t>(limit));
            if (page->empty()) {
                break;
            }
            listed.insert(listed.end(), page->begin(), page->end());
            after = page->back();
        }
        EXPECT_EQ(listed, std::vector<std::string>(stored.begin(), stored.end())) << limit;
    }
}

TEST_F(LocalBlobs, AnAddressIsKnownBeforeItIsTaken) {
    auto store = open();
    auto written = store->create();
    ASSERT_TRUE((*written)->write(bytes("abc")).has_value());
    EXPECT_EQ((*written)->address()->sha256, kAbc);
    EXPECT_EQ((*written)->address()->size_bytes, 3);
    EXPECT_EQ(store->exists(*(*written)->address()), false);
    EXPECT_EQ((*written)->commit()->sha256, kAbc);

    auto through_fd = store->create();
    ASSERT_EQ(::write((*through_fd)->fd(), "abcd", 4), 4);
    const auto address = (*through_fd)->address();
    EXPECT_EQ(store->exists(*address), false);
    EXPECT_EQ((*through_fd)->commit(), *address);
    EXPECT_EQ(store->exists(*address), true);
}

// Wherever the process dies, the next start finds a whole blob or none, and every file that is left
// is a leftover or listed.
TEST_F(LocalBlobs, ADeathBeforeAnyStepLeavesAWholeBlobOrNone) {
    for (const std::string_view step : kSteps) {
        SCOPED_TRACE(step);
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            auto store = open({.reserve_bytes = 0, .before_step = [&](std::string_view s) {
                                   if (s == step) {
                                       _exit(7);
                                   }
                                   return 0;
                               }});
            (void)put(*store, "abc");
            _exit(0);
        }
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);

        auto store = open();
        const ports::BlobRef abc{std::string(kAbc), 3};
        if (*store->exists(abc)) {
            EXPECT_EQ(read_all(store->open(abc)->get()), "abc");
        }
        ASSERT_TRUE(store->remove_leftovers().has_value());
        const auto listed = store->list("", 10);
        ASSERT_TRUE(listed.has_value());
        for (const std::string& sha256 : *listed) {
            ASSERT_TRUE(store->remove({sha256, 0}).has_value());
        }
        EXPECT_THAT(files(), ::testing::IsEmpty());
        EXPECT_EQ(put(*store, "abc")->sha256, kAbc);
        ASSERT_TRUE(store->remove(abc).has_value());
    }
}

TEST_F(LocalBlobs, AFailureOfAnyStepIsToldAndLeavesNoTemporaryFile) {
    for (const std::string_view step : kSteps) {
        SCOPED_TRACE(step);
        auto store = open({.reserve_bytes = 0, .before_step = [&](std::string_view s) {
                               return s == step ? ENOSPC : 0;
                           }});
        const auto blob = put(*store, "abc");
        ASSERT_FALSE(blob.has_value());
        EXPECT_EQ(blob.error().cls, ErrorClass::storage);
        EXPECT_THAT(blob.error().message, ::testing::HasSubstr("MiB are free"));
        EXPECT_TRUE(fs::is_empty(dir_ / "blobs" / "tmp"));
    }
}

TEST_F(LocalBlobs, RefusesBeforeTheFirstByteWhatDoesNotFit) {
    auto store = open();
    const auto refused = store->create(std::int64_t{1} << 60);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().cls, ErrorClass::storage);
    EXPECT_EQ(refused.error().code, "disk_full");
    EXPECT_THAT(files(), ::testing::IsEmpty());
}

TEST_F(LocalBlobs, AFullDiskIsStorageAndGoesOnWhenThereIsRoom) {
    if (mount("none", dir_.c_str(), "tmpfs", 0, "size=1m") != 0) {
        GTEST_SKIP() << "mounting a small tmpfs needs root: " << std::strerror(errno);
    }
    {
        auto store = open();
        const auto small = put(*store, std::string(400'000, 'a'));
        ASSERT_TRUE(small.has_value());
        const auto large = put(*store, std::string(900'000, 'b'));
        EXPECT_FALSE(large.has_value());
        if (!large) {
            EXPECT_EQ(large.error().cls, ErrorClass::storage);
            EXPECT_THAT(large.error().message, ::testing::HasSubstr("free"));
        }
        EXPECT_EQ(files().size(), 1U);
        EXPECT_TRUE(store->remove(*small).has_value());
        EXPECT_TRUE(put(*store, std::string(900'000, 'b')).has_value());
    }
    EXPECT_EQ(umount(dir_.c_str()), 0);
}

}  // namespace
}  // namespace durascribe::blobs
