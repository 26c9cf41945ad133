// Files and rows held against each other, on a real SQLite store and real files.
#include "durascribe/engine/reconcile.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <fmt/format.h>

#include "durascribe/blobs/local/local_blob_store.h"
#include "durascribe/engine/upload.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "scratch_directory.h"

namespace durascribe::engine {
namespace {

namespace fs = std::filesystem;

class Reconcile : public ::testing::Test {
  protected:
    Reconcile() {
        auto store = store::SqliteStore::open(directory_.path(), clock_, {});
        DURASCRIBE_ASSERT(store.has_value());
        store_ = std::move(*store);
        auto blobs = blobs::LocalBlobStore::open(
            directory_.path(), {.reserve_bytes = 0, .before_step = [this](std::string_view step) {
                                    if (before_step_) {
                                        before_step_(step);
                                    }
                                    return 0;
                                }});
        DURASCRIBE_ASSERT(blobs.has_value());
        blobs_ = std::move(*blobs);
        guard_ = std::make_unique<BlobGuard>(*store_, *blobs_);
    }

    Result<Upload::Submitted> upload(const std::string& text) {
        auto upload = begin_upload(*store_, *blobs_, *guard_, 0, 0,
                                   [](const auto&, const auto&) { return Result<void>{}; });
        EXPECT_TRUE(upload.has_value());
        EXPECT_TRUE((*upload)->write(std::as_bytes(std::span(text))).has_value());
        return (*upload)->finish("talk.wav", "", {});
    }
    // A whole blob that no row names, as a crash before the row's commit leaves it.
    ports::BlobRef orphan(const std::string& text) {
        auto blob = *blobs_->create();
        EXPECT_TRUE(blob->write(std::as_bytes(std::span(text))).has_value());
        return *blob->commit();
    }
    Reconciled run() {
        const auto done = reconcile(*store_, *blobs_, *guard_, {});
        EXPECT_TRUE(done.has_value()) << done.error().message;
        return done.value_or(Reconciled{});
    }
    int files() const {
        int count = 0;
        for (const auto& entry : fs::recursive_directory_iterator(directory_.path() / "blobs")) {
            count += entry.is_regular_file() ? 1 : 0;
        }
        return count;
    }

    testing::ScratchDirectory directory_;
    ports::SystemClock clock_;
    std::unique_ptr<store::SqliteStore> store_;
    std::function<void(std::string_view)> before_step_;  // of a blob's commit
    std::unique_ptr<blobs::LocalBlobStore> blobs_;
    std::unique_ptr<BlobGuard> guard_;
};

TEST_F(Reconcile, WhatIsNamedWhileItIsHeldStays) {
    const ports::BlobRef blob = orphan("the talk");
    auto hold = guard_->hold(blob);
    EXPECT_EQ(guard_->collect(std::array{blob}), 0);
    ASSERT_TRUE(upload("the talk").has_value());
    hold.release();
    EXPECT_EQ(files(), 1);
}

TEST_F(Reconcile, WhatNothingNamesGoesAndWhatIsNamedStays) {
    const auto kept = upload("kept");
    ASSERT_TRUE(kept.has_value());
    orphan("nobody's");
    std::ofstream(directory_.path() / "blobs" / "tmp" / "of-a-killed-server") << "half";
    const Reconciled done = run();
    EXPECT_TRUE(done.complete);
    EXPECT_EQ(done.leftovers_removed, 1);
    EXPECT_EQ(done.orphans_removed, 1);
    EXPECT_EQ(done.sources_missing, 0);
    EXPECT_EQ(blobs_->exists(kept->media.source), true);
    EXPECT_EQ(files(), 1);
    EXPECT_EQ(run().orphans_removed, 0);
}

// At every step of an upload's way to disk: its temporary file, its blob without a row, and the
// same bytes that nothing names yet.
TEST_F(Reconcile, NothingOfAnUploadUnderWayIsTaken) {
    for (const bool there_before : {false, true}) {
        const std::string text = there_before ? "came before" : "comes now";
        if (there_before) {
            orphan(text);
        }
        int looks = 0;
        before_step_ = [&](std::string_view) {
            EXPECT_EQ(run().orphans_removed, 0);
            ++looks;
        };
        const auto made = upload(text);
        before_step_ = nullptr;
        ASSERT_TRUE(made.has_value()) << made.error().message;
        EXPECT_GE(looks, 6);
        EXPECT_EQ(run().sources_missing, 0);
        EXPECT_EQ(blobs_->exists(made->media.source), true);
    }
}

TEST_F(Reconcile, ABlobIsTakenWhenItsLastHolderHasLetGo) {
    const auto blob = orphan("held");
    auto first = guard_->hold(blob);
    auto second = guard_->hold(blob);
    EXPECT_EQ(run().orphans_removed, 0);
    first.release();
    EXPECT_EQ(files(), 1) << "another holds it";
    second.release();
    EXPECT_EQ(files(), 0);
}

TEST_F(Reconcile, ManyAtOnceLeaveEveryNamedFileAndNoOther) {
    std::atomic<bool> stop = false;
    std::jthread keeping([&] {
        while (!stop) {
            run();
        }
    });
    {
        std::vector<std::jthread> clients;
        for (int client = 0; client < 4; ++client) {
            clients.emplace_back([&, client] {
                for (int i = 0; i < 15; ++i) {
                    const auto made = upload("bytes " + std::to_string(i % 3));
                    ASSERT_TRUE(made.has_value()) << made.error().message;
                    if ((i + client) % 2 == 0) {
                        ASSERT_TRUE(store_->request_cancel(made->task.id).has_value());
                        const auto gone = store_->delete_media(made->media.id);
                        ASSERT_TRUE(gone.has_value()) << gone.error().message;
                        guard_->collect(*gone);
                    }
                }
            });
        }
    }
    stop = true;
    keeping.join();
    const Reconciled done = run();
    EXPECT_EQ(done.sources_missing, 0);
    EXPECT_EQ(files(), 3);
}

TEST_F(Reconcile, RowsWhoseFileIsGoneAreFoundUntilItIsBack) {
    const auto lost = upload("lost");
    ASSERT_TRUE(lost.has_value());
    ASSERT_TRUE(upload("there").has_value());
    const auto unit =
        store_->claim({.node = NodeId{"n"}, .lane = domain::Lane::media, .model = ""});
    ASSERT_TRUE(unit.has_value() && unit->has_value());
    const auto audio = orphan("decoded");
    ports::ExtractResult extracted;
    extracted.info.duration = Millis{1'000};
    extracted.pcm = audio;
    extracted.chunks = {{Millis{0}, Millis{1'000}}};
    ASSERT_TRUE(store_->finish_extract((*unit)->lease, extracted).has_value());
    EXPECT_EQ(run().audio_missing, 0);

    ASSERT_TRUE(blobs_->remove(lost->media.source).has_value());
    ASSERT_TRUE(blobs_->remove(audio).has_value());
    const Reconciled done = run();
    EXPECT_EQ(done.sources_missing, 1);
    EXPECT_EQ(done.audio_missing, 1);
    EXPECT_EQ(run().sources_missing, 1) << "the row stays";
    ASSERT_TRUE(upload("lost").has_value()) << "uploaded again";
    EXPECT_EQ(run().sources_missing, 0);
}

TEST_F(Reconcile, AStopEndsItEarlyAndItSaysSo) {
    std::stop_source stopped;
    stopped.request_stop();
    orphan("nobody's");
    const auto small = reconcile(*store_, *blobs_, *guard_, stopped.get_token());
    ASSERT_TRUE(small.has_value());
    EXPECT_TRUE(small->complete) << "but for a small store";
    EXPECT_EQ(files(), 0);
    const fs::path folder = directory_.path() / "blobs" / "aa";
    fs::create_directory(folder);
    for (int i = 0; i < 1'500; ++i) {
        std::ofstream(folder / fmt::format("{:062x}", i)) << "x";
    }
    const auto large = reconcile(*store_, *blobs_, *guard_, stopped.get_token());
    ASSERT_TRUE(large.has_value());
    EXPECT_FALSE(large->complete);
    EXPECT_EQ(files(), 1'500 - large->orphans_removed);
    EXPECT_GT(files(), 0);
    EXPECT_TRUE(run().complete);
    EXPECT_EQ(files(), 0);
}

}  // namespace
}  // namespace durascribe::engine
