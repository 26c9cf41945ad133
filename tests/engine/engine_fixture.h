// An engine on a real SQLite store and real files, with scripted workers.
#pragma once

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include <fmt/format.h>

#include "durascribe/blobs/local/local_blob_store.h"
#include "durascribe/engine/engine.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "gate.h"
#include "scratch_directory.h"
#include "scripted_workers.h"

namespace durascribe::engine {

using testing::Gate;

inline constexpr Millis kPatience{20'000};
inline constexpr Millis kChunk{20'000};

// The machine's clock, on a machine that can be put to sleep: CLOCK_BOOTTIME goes on meanwhile.
class SleeperClock final : public ports::Clock {
  public:
    WallTime wall() const override { return machine_.wall() + slept_.load(); }
    MonoTime mono() const override { return machine_.mono() + slept_.load(); }
    void sleep(Millis how_long) { slept_ = slept_.load() + how_long; }

  private:
    ports::SystemClock machine_;
    std::atomic<Millis> slept_{Millis{0}};
};

inline std::string said_in(const domain::AudioSpan& span) {
    return fmt::format("at {}", span.start.count());
}

class EngineTest : public ::testing::Test {
  protected:
    void SetUp() override {
        auto store = store::SqliteStore::open(directory_.path(), clock_, {});
        ASSERT_TRUE(store) << store.error().message;
        store_ = std::move(*store);
        auto blobs = blobs::LocalBlobStore::open(directory_.path());
        ASSERT_TRUE(blobs) << blobs.error().message;
        blobs_ = std::move(*blobs);
        settings_.retry.base = Millis{1};
        settings_.retry.cap = Millis{1};
        workers_.on_extract = [this](const ports::ExtractJob& job, const ports::RunControl&) {
            return extract(job);
        };
        workers_.on_transcribe = [](const ports::TranscribeJob& job,
                                    const ports::RunControl& control) {
            control.on_progress(job.span.length());
            return transcribe(job);
        };
    }

    void TearDown() override { engine_.reset(); }

    // `chunks_` stretches of sound with silences between, and real bytes for the decoded audio.
    Result<ports::ExtractOutcome> extract(const ports::ExtractJob& job) const {
        const char sample[2] = {1, 0};
        if (::write(job.pcm_fd, sample, sizeof sample) != sizeof sample) {
            return std::unexpected(system_error(errno, "write the audio"));
        }
        ports::ExtractOutcome outcome;
        outcome.info.container = "wav";
        outcome.info.duration = kChunk * chunks_;
        for (int i = 1; i < chunks_; ++i) {
            outcome.silences.push_back({kChunk * i - Millis{300}, kChunk * i + Millis{300}});
        }
        return outcome;
    }

    static Result<ports::TranscribeOutcome> transcribe(const ports::TranscribeJob& job) {
        ports::TranscribeOutcome outcome{.segments = {}, .engine = "scripted", .model = "none"};
        outcome.segments.push_back({.span = job.span, .text = said_in(job.span)});
        return outcome;
    }

    void start() {
        engine_ = std::make_unique<Engine>(*store_, *blobs_, workers_, clock_, settings_);
        const auto started = engine_->start();
        ASSERT_TRUE(started) << started.error().message;
    }

    Upload::Submitted upload(const std::string& bytes = "media bytes") {
        auto upload = engine_->begin_upload(0, 0);
        EXPECT_TRUE(upload);
        EXPECT_TRUE((*upload)->write(std::as_bytes(std::span(bytes))));
        auto submitted = (*upload)->finish("talk.wav", "", {});
        EXPECT_TRUE(submitted) << submitted.error().message;
        return *submitted;
    }

    // Awaits the state; what the task is when patience ends otherwise.
    domain::TaskState await(const TaskId& task, domain::TaskState wanted) {
        const MonoTime until = clock_.mono() + kPatience;
        std::int64_t seen = 0;
        while (true) {
            const auto row = store_->task(task);
            EXPECT_TRUE(row);
            if (row->state == wanted || clock_.mono() > until) {
                return row->state;
            }
            seen = engine_->feed().wait_after(seen, until - clock_.mono());
        }
    }

    // Awaits its end; the row as it is when patience ends otherwise.
    ports::TaskRow wait_until_ended(const TaskId& task) {
        const MonoTime until = clock_.mono() + kPatience;
        std::int64_t seen = 0;
        while (true) {
            const auto row = store_->task(task);
            EXPECT_TRUE(row);
            if (domain::is_terminal(row->state) || clock_.mono() > until) {
                return *row;
            }
            seen = engine_->feed().wait_after(seen, until - clock_.mono());
        }
    }

    testing::ScratchDirectory directory_;
    SleeperClock clock_;
    EngineSettings settings_;
    testing::ScriptedWorkers workers_;
    int chunks_ = 4;
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<blobs::LocalBlobStore> blobs_;
    std::unique_ptr<Engine> engine_;
};

}  // namespace durascribe::engine
