#include "durascribe/backup/backup.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <thread>

extern "C" {  // missing in the header of glibc 2.36
#include <sys/pidfd.h>
}

#include "durascribe/blobs/local/local_blob_store.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "scratch_directory.h"

namespace durascribe::backup {
namespace {

namespace fs = std::filesystem;

class BackupTest : public ::testing::Test {
  protected:
    void open() {
        auto store = store::SqliteStore::open(data_, clock_, {});
        ASSERT_TRUE(store) << store.error().message;
        store_ = std::move(*store);
        auto blobs = blobs::LocalBlobStore::open(data_);
        ASSERT_TRUE(blobs) << blobs.error().message;
        blobs_ = std::move(*blobs);
    }
    ports::MediaRow submit(const std::string& bytes) {
        auto blob = *blobs_->create();
        EXPECT_TRUE(blob->write(std::as_bytes(std::span(bytes))));
        const auto ref = blob->commit();
        EXPECT_TRUE(ref);
        const auto made = store_->submit({.id = new_id<MediaId>(),
                                          .task_id = new_id<TaskId>(),
                                          .title = "t",
                                          .filename = "f",
                                          .source = *ref,
                                          .options = {}});
        EXPECT_TRUE(made) << made.error().message;
        return made->media;
    }
    std::string code(const Result<Summary>& result) {
        return result ? "done" : result.error().code;
    }

    durascribe::testing::ScratchDirectory scratch_;
    const fs::path data_ = scratch_.path() / "data";
    const fs::path copy_ = scratch_.path() / "copy";
    const fs::path back_ = scratch_.path() / "back";
    ports::SystemClock clock_;
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<blobs::LocalBlobStore> blobs_;
};

TEST_F(BackupTest, WhatWasAcknowledgedBeforeIsThereAfterwardsWhileTheServerWorks) {
    open();
    std::vector<ports::MediaRow> before;
    for (int i = 0; i < 20; ++i) {
        before.push_back(submit("bytes " + std::to_string(i)));
    }
    std::atomic<bool> stop = false;
    std::thread work([&] {
        for (int i = 0; !stop; ++i) {
            submit("meanwhile " + std::to_string(i));
        }
    });
    const auto made = back_up(data_, copy_, "1.2.3");
    stop = true;
    work.join();
    ASSERT_TRUE(made) << made.error().message << made.error().detail;
    EXPECT_GE(made->media, 20);
    EXPECT_EQ(made->blobs, made->media);

    const auto restored = restore(copy_, back_);
    ASSERT_TRUE(restored) << restored.error().message << restored.error().detail;
    EXPECT_EQ(restored->media, made->media);
    auto store = store::SqliteStore::open(back_, clock_, {});
    ASSERT_TRUE(store) << store.error().message;
    auto blobs = blobs::LocalBlobStore::open(back_);
    for (const ports::MediaRow& media : before) {
        const auto row = (*store)->media(media.id);
        ASSERT_TRUE(row) << row.error().message;
        EXPECT_EQ((*blobs)->exists(row->source), true);
    }
    EXPECT_EQ((*store)->counts()->pending, made->tasks) << "and waits to be worked on";
}

TEST_F(BackupTest, AFileThatWasGoneBeforeKeepsNothingElseFromBeingCopied) {
    open();
    const auto whole = submit("is there");
    const auto lost = submit("was lost");
    ASSERT_TRUE(blobs_->remove(lost.source));
    const auto made = back_up(data_, copy_, "1.2.3");
    ASSERT_TRUE(made) << made.error().message << made.error().detail;
    EXPECT_EQ(made->media, 2);
    EXPECT_EQ(made->blobs, 1);
    EXPECT_EQ(made->missing, 1);
    const auto restored = restore(copy_, back_);
    ASSERT_TRUE(restored) << restored.error().message << restored.error().detail;
    EXPECT_EQ(restored->missing, 1);
    auto store = store::SqliteStore::open(back_, clock_, {});
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_TRUE((*store)->media(lost.id));
    auto blobs = blobs::LocalBlobStore::open(back_);
    EXPECT_EQ((*blobs)->exists(whole.source), true);
    EXPECT_EQ((*blobs)->exists(lost.source), false);
}

TEST_F(BackupTest, NothingIsOverwritten) {
    open();
    submit("x");
    fs::create_directory(copy_);
    EXPECT_EQ(code(back_up(data_, copy_, "")), "destination_exists");
    EXPECT_EQ(code(back_up(scratch_.path() / "none", scratch_.path() / "c", "")), "no_database");
    ASSERT_EQ(code(back_up(data_, scratch_.path() / "c", "")), "done");
    EXPECT_EQ(code(restore(scratch_.path() / "c", data_)), "data_directory_in_use");
    store_.reset();
    EXPECT_EQ(code(restore(scratch_.path() / "c", data_)), "database_exists");
    EXPECT_EQ(code(restore(copy_, back_)), "not_a_backup");
}

TEST_F(BackupTest, ADamagedBackupIsNotRestored) {
    open();
    submit("some bytes");
    ASSERT_EQ(code(back_up(data_, copy_, "")), "done");
    for (const auto& entry : fs::recursive_directory_iterator(copy_ / "blobs")) {
        if (entry.is_regular_file()) {
            fs::permissions(entry.path(), fs::perms::owner_all);
            std::ofstream(entry.path(), std::ios::binary) << "other byte";
        }
    }
    EXPECT_EQ(code(restore(copy_, back_)), "backup_damaged");
    EXPECT_FALSE(fs::exists(back_ / "durascribe.db"));
    fs::remove_all(copy_ / "blobs");
    EXPECT_EQ(code(restore(copy_, back_)), "backup_damaged");
}

// Runs `work` in a process that is killed after this time, or ends before.
void killed_after(std::chrono::microseconds time, const std::function<void()>& work) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        work();
        _exit(0);
    }
    const UniqueFd process(pidfd_open(child, 0));
    ASSERT_TRUE(process.valid());
    pollfd ended{process.get(), POLLIN, 0};
    const timespec wait{.tv_sec = time.count() / 1'000'000,
                        .tv_nsec = time.count() % 1'000'000 * 1'000};
    ASSERT_GE(ppoll(&ended, 1, &wait, nullptr), 0);
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
}

TEST_F(BackupTest, AKillInTheMiddleLeavesNothingThatLooksWhole) {
    open();
    for (int i = 0; i < 8; ++i) {
        submit(std::string(200'000, static_cast<char>('a' + i % 26)) + std::to_string(i));
    }
    store_.reset();  // its thread would not be there in a child
    int cut_short = 0;
    // Longer each time, so that every part of it is met, until one ends by itself. The first are
    // too short for any machine.
    for (std::chrono::microseconds time{50}; !fs::exists(copy_); time *= 2) {
        killed_after(time, [&] { static_cast<void>(back_up(data_, copy_, "1.2.3")); });
        if (fs::exists(copy_)) {
            break;
        }
        ++cut_short;
        const fs::path partial = copy_.string() + ".partial";
        if (!fs::exists(partial / "manifest.json")) {
            EXPECT_EQ(code(restore(partial, back_)), "not_a_backup");
            EXPECT_FALSE(fs::exists(back_ / "durascribe.db"));
        }
    }
    EXPECT_GT(cut_short, 1);

    // And the way back: a restore that was killed is done again.
    cut_short = 0;
    for (std::chrono::microseconds time{50}; !fs::exists(back_ / "durascribe.db"); time *= 2) {
        killed_after(time, [&] { static_cast<void>(restore(copy_, back_)); });
        cut_short += fs::exists(back_ / "durascribe.db") ? 0 : 1;
    }
    EXPECT_GT(cut_short, 1);
    auto store = store::SqliteStore::open(back_, clock_, {});
    ASSERT_TRUE(store) << store.error().message;
    auto blobs = blobs::LocalBlobStore::open(back_);
    const auto all = (*store)->list_media({}, {.limit = 200, .cursor = ""});
    ASSERT_EQ(all->rows.size(), 8U);
    for (const ports::MediaRow& media : all->rows) {
        EXPECT_EQ((*blobs)->exists(media.source), true);
    }
}

}  // namespace
}  // namespace durascribe::backup
