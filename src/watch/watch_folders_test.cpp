// On a real engine, store and file system, with scripted workers.
#include "durascribe/watch/watch_folders.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>

#include "durascribe/blobs/local/local_blob_store.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "scratch_directory.h"
#include "scripted_workers.h"

namespace durascribe::watch {
namespace {

namespace fs = std::filesystem;

class WatchTest : public ::testing::Test {
  protected:
    void SetUp() override {
        auto store = store::SqliteStore::open(scratch_.path() / "data", clock_, {});
        ASSERT_TRUE(store) << store.error().message;
        store_ = std::move(*store);
        auto blobs = blobs::LocalBlobStore::open(scratch_.path() / "data");
        ASSERT_TRUE(blobs) << blobs.error().message;
        blobs_ = std::move(*blobs);
        fs::create_directory(folder());
        workers_.on_extract = [](const ports::ExtractJob&, const ports::RunControl&) {
            ports::ExtractOutcome outcome;  // silent
            outcome.info.duration = Millis{1'000};
            outcome.silences = {{Millis{0}, Millis{1'000}}};
            return outcome;
        };
        engine_ = std::make_unique<engine::Engine>(*store_, *blobs_, workers_, clock_,
                                                   engine::EngineSettings{});
        ASSERT_TRUE(engine_->start());
        settings_.folders = {folder()};
        settings_.settle = Millis{50};
        settings_.write = [this](const fs::path& path, const std::string& content) -> Result<void> {
            const std::scoped_lock lock(mutex_);
            written_[path.filename().string()] = content;
            changed_.notify_all();
            return {};
        };
    }
    void TearDown() override {
        watch_.reset();
        engine_.reset();
    }
    void start() {
        auto watch = WatchFolders::start(*engine_, *store_, clock_, settings_);
        ASSERT_TRUE(watch) << watch.error().message;
        watch_ = std::move(*watch);
    }
    fs::path folder() const { return scratch_.path() / "in"; }
    void put(const std::string& name, const std::string& bytes) {
        std::ofstream(folder() / name, std::ios::binary) << bytes;
    }
    std::vector<std::string> taken() {
        std::vector<std::string> names;
        const auto page = store_->list_media({}, {.limit = 200});
        for (const auto& media : page->rows) {
            names.insert(names.begin(), media.filename);
        }
        return names;
    }
    bool await_taken(std::size_t count) {
        const MonoTime until = clock_.mono() + Millis{20'000};
        for (std::int64_t seen = 0; clock_.mono() < until;) {
            if (taken().size() >= count) {
                return true;
            }
            seen = engine_->feed().wait_after(seen, Millis{100});
        }
        return false;
    }

    testing::ScratchDirectory scratch_;
    ports::SystemClock clock_;
    testing::ScriptedWorkers workers_;
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<blobs::LocalBlobStore> blobs_;
    std::unique_ptr<engine::Engine> engine_;
    WatchSettings settings_;
    std::unique_ptr<WatchFolders> watch_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, std::string> written_;
    bool asked_ = false;  // whether the watching thread has asked for the models
};

TEST_F(WatchTest, WhatIsThereAndWhatComesIsTakenOnceOverRestarts) {
    put("before.wav", "one");
    start();
    ASSERT_TRUE(await_taken(1));
    put("after.wav", "two");
    ASSERT_TRUE(await_taken(2));
    watch_.reset();
    start();
    put("third.wav", "three");
    ASSERT_TRUE(await_taken(3));
    EXPECT_EQ(taken(), (std::vector<std::string>{"before.wav", "after.wav", "third.wav"}));
}

// As if time went by.
class ClockAhead final : public ports::Clock {
  public:
    WallTime wall() const override { return clock_.wall() + Millis{ahead_}; }
    MonoTime mono() const override { return clock_.mono() + Millis{ahead_}; }
    void advance(Millis by) { ahead_ += by.count(); }

  private:
    ports::SystemClock clock_;
    std::atomic<std::int64_t> ahead_{0};
};

int count_of(const std::string& what, const std::string& text) {
    int count = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
        ++count;
    }
    return count;
}

TEST_F(WatchTest, WhatIsRefusedWaitsUntilItIsChanged) {
    ClockAhead clock;
    settings_.limit_bytes = 5;
    put("a large one.wav", "bytes!");
    put("b.wav", "b");
    ::testing::internal::CaptureStderr();
    auto watch = WatchFolders::start(*engine_, *store_, clock, settings_);
    ASSERT_TRUE(watch) << watch.error().message;
    EXPECT_TRUE(await_taken(1));  // what comes before it was tried then
    for (int i = 0; i < 3; ++i) {
        clock.advance(Millis{61'000});
        put("c" + std::to_string(i) + ".wav", "c");
        EXPECT_TRUE(await_taken(static_cast<std::size_t>(i) + 2));
    }
    put("a large one.wav", "more bytes");
    put("d.wav", "d");
    EXPECT_TRUE(await_taken(5));
    put("a large one.wav", "less");
    EXPECT_TRUE(await_taken(6));
    watch->reset();
    const std::string lines = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(count_of("a large one.wav was not taken: The file is larger", lines), 2) << lines;
    EXPECT_EQ(count_of("a large one.wav was taken", lines), 1) << lines;
}

// It has more bytes than there is room, and nothing in it.
TEST_F(WatchTest, WhatCanNotBeTranscribedIsRefusedBeforeItIsCopied) {
    engine_.reset();
    engine::EngineSettings engine_settings;
    engine_settings.models = [this] {
        std::array<char, 16> thread{};  // the engine's own ask, too
        pthread_getname_np(pthread_self(), thread.data(), thread.size());
        const std::scoped_lock lock(mutex_);
        asked_ = asked_ || std::string_view{thread.data()} == "ds-watch";
        changed_.notify_all();
        return std::vector<domain::ModelCandidate>{
            {.engine = "scripted", .model = "none", .languages = {"en"}}};
    };
    engine_ = std::make_unique<engine::Engine>(*store_, *blobs_, workers_, clock_, engine_settings);
    ASSERT_TRUE(engine_->start());
    settings_.options.engine = "absent";
    put("talk.wav", "x");
    fs::resize_file(folder() / "talk.wav",
                    static_cast<std::uintmax_t>(*blobs_->free_bytes()) + (1U << 20));
    ::testing::internal::CaptureStderr();
    start();
    {
        std::unique_lock lock(mutex_);
        EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds{20}, [this] { return asked_; }));
    }
    watch_.reset();
    const std::string lines = ::testing::internal::GetCapturedStderr();
    EXPECT_NE(lines.find("There is no engine \"absent\" here."), std::string::npos) << lines;
}

TEST_F(WatchTest, AFileThatGrowsIsTakenWhenItHasStopped) {
    settings_.settle = Millis{400};
    start();
    std::condition_variable never;
    std::mutex mutex;
    std::unique_lock lock(mutex);
    // Where this machine holds the writer up for as long, it is taken rightly: another one is.
    for (int tried = 0; tried < 20; ++tried) {
        const std::string name = "growing " + std::to_string(tried) + ".wav";
        std::ofstream file(folder() / name, std::ios::binary);
        bool in_time = true;
        MonoTime last = clock_.mono();  // before the write before this one
        for (int i = 0; i < 10 && in_time; ++i) {
            const MonoTime before = clock_.mono();
            file << "more" << std::flush;
            never.wait_for(lock, Millis{100});  // between two writes of its writer
            const bool is_taken = std::ranges::count(taken(), name) > 0;
            in_time = clock_.mono() - std::exchange(last, before) < settings_.settle;
            EXPECT_TRUE(!in_time || !is_taken) << i;
        }
        if (!in_time) {
            continue;
        }
        file.close();
        const MonoTime until = clock_.mono() + Millis{20'000};
        while (std::ranges::count(taken(), name) == 0 && clock_.mono() < until) {
            never.wait_for(lock, Millis{20});  // between two looks
        }
        EXPECT_EQ(store_->list_media({}, {.limit = 200})->rows.at(0).filename, name);
        EXPECT_EQ(store_->list_media({}, {.limit = 200})->rows.at(0).source.size_bytes, 40);
        return;
    }
    GTEST_SKIP() << "this machine has too much other work";
}

TEST_F(WatchTest, ARenamedOneIsTakenUnderItsNewNameAndAChangedOneAgain) {
    settings_.settle = Millis{300};
    start();
    put("talk.wav.part", "whole");
    put("gone.wav", "gone");
    fs::rename(folder() / "talk.wav.part", folder() / "talk.wav");
    fs::remove(folder() / "gone.wav");
    ASSERT_TRUE(await_taken(1));
    put("talk.wav", "another");
    ASSERT_TRUE(await_taken(2));
    EXPECT_EQ(taken(), (std::vector<std::string>{"talk.wav", "talk.wav"}));
}

// Through a link that is set anew, so that no notice comes: only a look finds the file.
TEST_F(WatchTest, AFolderThatIsGoneHidesNoneOfTheOthers) {
    const fs::path first = scratch_.path() / "first";
    const fs::path here = scratch_.path() / "here";
    const fs::path there = scratch_.path() / "there";
    const fs::path link = scratch_.path() / "link";
    for (const fs::path& made : {first, here, there}) {
        fs::create_directory(made);
    }
    fs::create_directory_symlink(here, link);
    settings_.folders = {first, link};
    settings_.look_again = Millis{50};
    start();
    fs::remove(first);
    std::ofstream(there / "talk.wav", std::ios::binary) << "x";
    fs::remove(link);
    fs::create_directory_symlink(there, link);
    ASSERT_TRUE(await_taken(1));
    EXPECT_EQ(taken(), std::vector<std::string>{"talk.wav"});
}

TEST_F(WatchTest, WhatIsNoFileOfItsOwnIsLeftAlone) {
    put(".hidden.wav", "x");
    put("talk.srt", "x");
    put("empty.wav", "");
    fs::create_directory(folder() / "below.wav");
    put("below.wav/inside.wav", "x");
    std::ofstream(scratch_.path() / "secret") << "secret";
    fs::create_symlink(scratch_.path() / "secret", folder() / "link.wav");
    ASSERT_EQ(::mkfifo((folder() / "pipe.wav").c_str(), 0600), 0);
    start();
    put("real.wav", "x");
    ASSERT_TRUE(await_taken(1));
    EXPECT_EQ(taken(), std::vector<std::string>{"real.wav"});
}

TEST_F(WatchTest, FoldersBelowAreWatchedWhereThatIsWanted) {
    settings_.subfolders = true;
    settings_.look_again = Millis{3'600'000};  // all is noticed
    fs::create_directories(folder() / "2026" / "11");
    fs::create_directory(folder() / ".hidden");
    fs::create_directory(scratch_.path() / "elsewhere");
    fs::create_directory_symlink(scratch_.path() / "elsewhere", folder() / "link");
    put("2026/11/before.wav", "one");
    put(".hidden/never.wav", "x");
    put("link/never.wav", "x");
    start();
    ASSERT_TRUE(await_taken(1));
    put("2026/11/after.wav", "two");
    ASSERT_TRUE(await_taken(2));
    fs::create_directories(folder() / "new" / "deep");
    put("new/deep/third.wav", "three");
    ASSERT_TRUE(await_taken(3));
    fs::rename(folder() / "new", folder() / "renamed");
    put("renamed/deep/fourth.wav", "four");
    fs::create_directory(scratch_.path() / "filled");
    std::ofstream(scratch_.path() / "filled" / "fifth.wav") << "five";
    fs::rename(scratch_.path() / "filled", folder() / "filled");
    ASSERT_TRUE(await_taken(6)) << "what has another path is another file";
    fs::remove_all(folder() / "renamed");
    put("last.wav", "six");
    ASSERT_TRUE(await_taken(7));
    std::vector<std::string> names = taken();
    std::ranges::sort(names);
    EXPECT_EQ(names, (std::vector<std::string>{"after.wav", "before.wav", "fifth.wav", "fourth.wav",
                                               "last.wav", "third.wav", "third.wav"}));
}

TEST_F(WatchTest, ItsTranscriptIsPutBesideItOnce) {
    settings_.outputs = {domain::DocumentFormat::srt, domain::DocumentFormat::txt};
    start();
    put("talk.wav", "x");
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(
        changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return written_.size() == 2; }));
    EXPECT_TRUE(written_.contains("talk.srt"));
    EXPECT_TRUE(written_.contains("talk.txt"));
    written_.clear();
    lock.unlock();
    watch_.reset();
    EXPECT_TRUE(store_->unwritten_files(10)->empty());
    start();
    put("other.wav", "x");
    lock.lock();
    ASSERT_TRUE(
        changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return written_.size() == 2; }));
    EXPECT_TRUE(written_.contains("other.srt"));
}

TEST_F(WatchTest, ATranscriptThatCouldNotBeWrittenIsWrittenLater) {
    settings_.outputs = {domain::DocumentFormat::srt};
    settings_.look_again = Millis{50};
    const auto refused = std::make_shared<int>(0);  // guarded by mutex_
    settings_.write = [this, refused, write = settings_.write](
                          const fs::path& path, const std::string& content) -> Result<void> {
        {
            const std::scoped_lock lock(mutex_);
            if (*refused < 2) {
                ++*refused;
                return std::unexpected(system_error(ENOSPC, "write a transcript"));
            }
        }
        return write(path, content);
    };
    start();
    put("talk.wav", "x");
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds{20},
                                  [&] { return written_.contains("talk.srt"); }));
    EXPECT_EQ(*refused, 2);
}

TEST_F(WatchTest, WhatFailedFirstAndIsRetriedGetsItsTranscript) {
    settings_.outputs = {domain::DocumentFormat::srt};
    const auto broken = std::make_shared<std::atomic<bool>>(true);
    workers_.on_extract = [broken, extract = workers_.on_extract](
                              const ports::ExtractJob& job,
                              const ports::RunControl& control) -> Result<ports::ExtractOutcome> {
        if (*broken) {
            return fail(ErrorClass::input, "not_media", "Not now.");
        }
        return extract(job, control);
    };
    start();
    put("talk.wav", "x");
    ASSERT_TRUE(await_taken(1));
    const TaskId task = store_->list_tasks({}, {.limit = 1})->rows.at(0).id;
    const MonoTime until = clock_.mono() + Millis{20'000};
    for (std::int64_t seen = 0;
         store_->task(task)->state != domain::TaskState::failed && clock_.mono() < until;) {
        seen = engine_->feed().wait_after(seen, Millis{100});
    }
    *broken = false;
    put("other.wav", "y");  // whose transcript tells that the first one's failure was seen
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds{20},
                                  [&] { return written_.contains("other.srt"); }));
    lock.unlock();
    ASSERT_TRUE(engine_->retry(task));
    lock.lock();
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds{20},
                                  [&] { return written_.contains("talk.srt"); }));
}

TEST_F(WatchTest, AFolderThatIsNotThereIsNamed) {
    settings_.folders.push_back(scratch_.path() / "nowhere");
    const auto refused = WatchFolders::start(*engine_, *store_, clock_, settings_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "folder_not_readable");
    EXPECT_NE(refused.error().message.find("nowhere"), std::string::npos);
}

}  // namespace
}  // namespace durascribe::watch
