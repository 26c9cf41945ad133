// Media that are fetched from a URL, on a real store and real files, by scripted workers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>

#include "durascribe/blobs/local/local_blob_store.h"
#include "durascribe/engine/engine.h"
#include "durascribe/protocol/messages.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "forwarding_blobs.h"
#include "scratch_directory.h"
#include "scripted_workers.h"

namespace durascribe::engine {
namespace {

constexpr const char* kUrl = "https://media.example/talk.wav";

// Into a pipe whose reader may have seen enough; SIGPIPE is ignored here.
void write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EPIPE) {
            return;
        }
        ASSERT_GT(n, 0);
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void send(int fd, const protocol::FetchHead& head, std::string_view bytes) {
    const std::string payload = protocol::encode(head);
    std::string length(4, '\0');
    for (std::size_t i = 0; i < 4; ++i) {
        length[i] = static_cast<char>(payload.size() >> (8 * i));
    }
    write_all(fd, length + payload);
    write_all(fd, bytes);
}

ports::FetchOutcome lost(std::optional<Millis> retry_after = {}) {
    return {.error = Error{ErrorClass::network, "connection_lost", "It broke.", {}},
            .retry_after = retry_after};
}

class ImportTest : public ::testing::Test {
  protected:
    static void SetUpTestSuite() { ::signal(SIGPIPE, SIG_IGN); }
    void SetUp() override {
        open();
        settings_.retry.base = settings_.retry.cap = Millis{1};
        settings_.retry.jitter = 0;
        workers_.on_extract = [this](const ports::ExtractJob& job, const ports::RunControl&) {
            char buffer[1024];
            const ssize_t got = ::pread(job.source_fd, buffer, sizeof buffer, 0);
            extracted_.assign(buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
            ports::ExtractOutcome outcome;  // silent: nothing to recognise
            outcome.info.container = "wav";
            outcome.info.duration = Millis{1'000};
            outcome.silences = {{Millis{0}, Millis{1'000}}};
            return outcome;
        };
    }
    void open() {
        auto store = store::SqliteStore::open(directory_.path(), clock_, {});
        ASSERT_TRUE(store) << store.error().message;
        store_ = std::move(*store);
        auto blobs = blobs::LocalBlobStore::open(directory_.path());
        ASSERT_TRUE(blobs) << blobs.error().message;
        blobs_ = std::move(*blobs);
    }
    void start() {
        engine_ = std::make_unique<Engine>(*store_, *blobs_, workers_, clock_, settings_);
        ASSERT_TRUE(engine_->start());
    }
    void stop() {
        engine_.reset();
        blobs_.reset();
        store_.reset();
    }
    void TearDown() override { engine_.reset(); }

    ports::Submission import() {
        auto made = engine_->import(
            {.url = kUrl, .filename = "talk.wav", .title_until_known = "talk", .options = {}});
        EXPECT_TRUE(made) << made.error().message;
        return *made;
    }
    // One of which five bytes of ten have come, and whose worker waits until it is stopped.
    ports::Submission import_half() {
        workers_.on_fetch = [this](
                                const ports::FetchJob& job,
                                const ports::RunControl& control) -> Result<ports::FetchOutcome> {
            send(job.output_fd, {.total = 10, .etag = "\"v1\""}, "01234");
            std::unique_lock lock(mutex_);
            never_.wait(lock, control.stop, [] { return false; });
            return fail(ErrorClass::lost, "stopped", "Stopped.");
        };
        auto made = import();
        const MonoTime until = clock_.mono() + Millis{20'000};
        while (clock_.mono() < until && !(*store_->import_of(made.media.id))->bytes_total) {
            engine_->feed().wait_after(engine_->feed().newest(), Millis{5});
        }
        return made;
    }
    ports::TaskRow ended(const TaskId& id) {
        const MonoTime until = clock_.mono() + Millis{20'000};
        std::int64_t seen = 0;
        while (clock_.mono() < until) {
            const auto row = store_->task(id);
            if (row && domain::is_terminal(row->state)) {
                return *row;
            }
            seen = engine_->feed().wait_after(seen, Millis{1'000});
        }
        ADD_FAILURE() << "the task has not ended";
        return {};
    }

    testing::ScratchDirectory directory_;
    ports::SystemClock clock_;
    testing::ScriptedWorkers workers_;
    EngineSettings settings_;
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<blobs::LocalBlobStore> blobs_;
    std::unique_ptr<Engine> engine_;
    std::string extracted_;
    std::mutex mutex_;
    std::condition_variable_any never_;
};

// Counts the workers of downloads.
class FetchStarts final : public Observer {
  public:
    void unit_done(const UnitDone&) noexcept override {}
    void attempt_failed(domain::Step, ErrorClass, bool) noexcept override {}
    void leases_expired(int) noexcept override {}
    void worker_started(domain::Lane lane, bool) noexcept override {
        count += lane == domain::Lane::fetch ? 1 : 0;
    }
    std::atomic<int> count{0};
};

TEST_F(ImportTest, EachDownloadsWorkerIsCounted) {
    FetchStarts starts;
    settings_.observer = &starts;
    std::atomic<int> asked{0};
    workers_.on_fetch = [&asked](const ports::FetchJob& job, const ports::RunControl&) {
        if (++asked == 1) {
            return lost();
        }
        send(job.output_fd, {.total = 5}, "hello");
        return ports::FetchOutcome{.bytes = 5};
    };
    start();
    EXPECT_EQ(ended(import().task.id).state, domain::TaskState::completed);
    engine_.reset();
    EXPECT_EQ(starts.count, 2);
}

TEST_F(ImportTest, WhatIsFetchedIsTranscribed) {
    workers_.on_fetch = [](const ports::FetchJob& job, const ports::RunControl&) {
        EXPECT_EQ(job.url, kUrl);
        EXPECT_EQ(job.offset, 0);
        send(job.output_fd, {.total = 5, .etag = "\"v1\"", .filename = "../Real name.wav"},
             "hello");
        return ports::FetchOutcome{.bytes = 5};
    };
    start();
    const auto made = import();
    EXPECT_TRUE(made.media.source.empty());
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_EQ(extracted_, "hello");
    const auto media = *store_->media(made.media.id);
    EXPECT_EQ(media.source.size_bytes, 5);
    EXPECT_EQ(media.filename, "Real name.wav");
    EXPECT_EQ(media.title, "Real name");
    EXPECT_TRUE(blobs_->list_partials()->empty());
}

TEST_F(ImportTest, AnAttemptGoesOnWhereTheOneBeforeEnded) {
    std::vector<std::int64_t> offsets;
    workers_.on_fetch = [&](const ports::FetchJob& job, const ports::RunControl&) {
        offsets.push_back(job.offset);
        if (job.offset == 0) {
            send(job.output_fd, {.total = 10, .etag = "\"v1\""}, "01234");
            return lost();
        }
        EXPECT_EQ(job.etag, "\"v1\"");
        send(job.output_fd, {.offset = job.offset, .total = 10, .etag = "\"v1\""}, "56789");
        return ports::FetchOutcome{.bytes = 5};
    };
    start();
    const auto made = import();
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_THAT(offsets, ::testing::ElementsAre(0, 5));
    EXPECT_EQ(extracted_, "0123456789");
}

TEST_F(ImportTest, WhatHadAllComeWhenItsWorkerDiedIsNotFetchedAgain) {
    int asked = 0;
    workers_.on_fetch = [&](const ports::FetchJob& job,
                            const ports::RunControl&) -> Result<ports::FetchOutcome> {
        ++asked;
        send(job.output_fd, {.total = 10, .etag = "\"v1\""}, "0123456789");
        return fail(ErrorClass::crash, "worker_died", "The worker died.");
    };
    start();
    const auto made = import();
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_EQ(asked, 1);
    EXPECT_EQ(extracted_, "0123456789");
}

// The server died between the two, and the disk has lost the file since.
TEST_F(ImportTest, WhatIsSealedAndGoneIsFetchedAgain) {
    workers_.on_fetch = [](const ports::FetchJob& job, const ports::RunControl&) {
        EXPECT_EQ(job.offset, 0);
        send(job.output_fd, {.total = 5}, "again");
        return ports::FetchOutcome{.bytes = 5};
    };
    settings_.retry.base = settings_.retry.cap = Millis{1};
    ASSERT_TRUE(store_->set_paused(true));
    start();
    const auto made = import();
    engine_.reset();
    ASSERT_TRUE(store_->set_paused(false));
    const auto unit = store_->claim({.node = new_id<NodeId>(), .lane = domain::Lane::fetch});
    ASSERT_TRUE(unit && *unit);
    ports::ImportRow row = **store_->import_of(made.media.id);
    row.bytes_done = 5;
    row.source = {std::string(64, 'e'), 5};
    ASSERT_TRUE(store_->record_import((*unit)->lease, row));
    start();
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_EQ(extracted_, "again");
    std::vector<std::string> codes;
    for (const ports::AttemptRow& attempt : *store_->attempts(made.task.id)) {
        if (attempt.error) {
            codes.push_back(attempt.error->code);
        }
    }
    EXPECT_THAT(codes, ::testing::UnorderedElementsAre("server_restarted", "download_lost"));
}

TEST_F(ImportTest, WithoutAnythingToTellTheFileByItBeginsAnew) {
    std::vector<std::int64_t> offsets;
    workers_.on_fetch = [&](const ports::FetchJob& job, const ports::RunControl&) {
        offsets.push_back(job.offset);
        if (offsets.size() == 1) {
            send(job.output_fd, {}, "01234");
            return lost();
        }
        send(job.output_fd, {}, "whole");
        return ports::FetchOutcome{.bytes = 5};
    };
    start();
    const auto made = import();
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_THAT(offsets, ::testing::ElementsAre(0, 0));
    EXPECT_EQ(extracted_, "whole");
}

TEST_F(ImportTest, AnotherFileUnderTheSameAddressTakesThePlaceOfTheFirst) {
    int asked = 0;
    workers_.on_fetch = [&](const ports::FetchJob& job, const ports::RunControl&) {
        if (++asked == 1) {
            send(job.output_fd, {.total = 10, .etag = "\"v1\""}, "01234");
            return lost();
        }
        send(job.output_fd, {.total = 3, .etag = "\"v2\""}, "new");
        return ports::FetchOutcome{.bytes = 3};
    };
    start();
    const auto made = import();
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_EQ(extracted_, "new");
}

TEST_F(ImportTest, WhatHadComeSurvivesTheServer) {
    start();
    const auto made = import_half();
    const auto view = engine_->view(made.task.id);
    ASSERT_TRUE(view && view->download);
    EXPECT_EQ(view->download->bytes_total, 10);
    EXPECT_EQ(view->stage, "Downloading");
    stop();
    open();
    EXPECT_EQ((*store_->import_of(made.media.id))->bytes_done, 5);
    workers_.on_fetch = [](const ports::FetchJob& job, const ports::RunControl&) {
        EXPECT_EQ(job.offset, 5);
        send(job.output_fd, {.offset = 5, .total = 10, .etag = "\"v1\""}, "56789");
        return ports::FetchOutcome{.bytes = 5};
    };
    start();
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_EQ(extracted_, "0123456789");
}

TEST_F(ImportTest, WhatIsRefusedFailsAtOnceAndWhatIsCutShortDoesNotCount) {
    int asked = 0;
    workers_.on_fetch = [&](const ports::FetchJob&, const ports::RunControl&) {
        ++asked;
        return ports::FetchOutcome{
            .error = Error{ErrorClass::input, "web_page", "It is a web page.", {}}};
    };
    start();
    auto made = import();
    auto task = ended(made.task.id);
    EXPECT_EQ(task.state, domain::TaskState::failed);
    EXPECT_EQ(task.error->code, "web_page");
    EXPECT_EQ(asked, 1);
    EXPECT_TRUE(blobs_->list_partials()->empty()) << "nothing had come";

    workers_.on_fetch = [](const ports::FetchJob& job, const ports::RunControl&) {
        send(job.output_fd, {.total = 10}, "01234");
        return ports::FetchOutcome{.bytes = 5};
    };
    made = import();
    task = ended(made.task.id);
    EXPECT_EQ(task.error->code, "cut_short");
    EXPECT_EQ(task.error->cls, ErrorClass::network);

    workers_.on_fetch = [](const ports::FetchJob& job, const ports::RunControl&) {
        send(job.output_fd, {.total = 0}, "");
        return ports::FetchOutcome{};
    };
    made = import();
    EXPECT_EQ(ended(made.task.id).error->code, "empty_file");
    EXPECT_EQ(blobs_->list_partials()->size(), 1U) << "of the one that was cut short";
    workers_.on_fetch = [](const ports::FetchJob& job, const ports::RunControl&) {
        EXPECT_EQ(job.offset, 0);
        send(job.output_fd, {.total = 5}, "hello");
        return ports::FetchOutcome{.bytes = 5};
    };
    ASSERT_TRUE(engine_->retry(made.task.id));
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::completed) << "from its beginning";
}

TEST_F(ImportTest, ItsLimitsAreSettings) {
    settings_.fetch_stall = Millis{7'000};
    settings_.fetch_timeout = Millis{90'000};
    workers_.on_fetch = [](const ports::FetchJob& job, const ports::RunControl& control) {
        EXPECT_EQ(job.stall, Millis{7'000});
        EXPECT_EQ(control.stall_window, Millis{14'000})
            << "of a worker that does not see it itself";
        EXPECT_EQ(job.timeout, Millis{90'000});
        EXPECT_GT(control.deadline, Millis{95'000}) << "the worker says it itself, before that";
        send(job.output_fd, {.total = 5}, "hello");
        return ports::FetchOutcome{.bytes = 5};
    };
    start();
    EXPECT_EQ(ended(import().task.id).state, domain::TaskState::completed);
}

TEST_F(ImportTest, ARetryOfATaskWhoseFileAnotherTaskHasFetchedGoesOnWithIt) {
    std::atomic<int> asked = 0;
    workers_.on_fetch = [&](const ports::FetchJob& job, const ports::RunControl&) {
        if (++asked == 1) {
            return ports::FetchOutcome{
                .error = Error{ErrorClass::input, "download_refused", "Not now.", {}}};
        }
        send(job.output_fd, {.total = 5, .etag = "\"v1\""}, "hello");
        return ports::FetchOutcome{.bytes = 5};
    };
    start();
    const auto made = import();
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::failed);
    const auto anew = engine_->submit_task(made.media.id, {}, false);
    ASSERT_TRUE(anew) << anew.error().message;
    EXPECT_EQ(ended(anew->task.id).state, domain::TaskState::completed);
    ASSERT_TRUE(engine_->retry(made.task.id));
    const auto retried = ended(made.task.id);
    EXPECT_EQ(retried.state, domain::TaskState::completed)
        << (retried.error ? retried.error->message : "");
    EXPECT_EQ(asked, 2) << "what is there is not fetched again";
}

// A disk that is as full as the test says.
class SmallDisk final : public testing::ForwardingBlobs {
  public:
    using ForwardingBlobs::ForwardingBlobs;
    Result<std::int64_t> free_bytes() override { return free.load(); }
    std::atomic<std::int64_t> free{4};
};

TEST_F(ImportTest, WhatDoesNotFitIsAskedForOnceAndAgainWhenThereIsRoom) {
    SmallDisk disk(*blobs_);
    std::atomic<int> asked = 0;
    workers_.on_fetch = [&](const ports::FetchJob& job, const ports::RunControl&) {
        ++asked;
        const std::string_view whole = "0123456789";
        send(job.output_fd, {.offset = job.offset, .total = 10, .etag = "\"v1\""},
             asked == 1 ? "" : whole.substr(static_cast<std::size_t>(job.offset)));
        return asked == 1 ? lost() : ports::FetchOutcome{.bytes = 10};
    };
    engine_ = std::make_unique<Engine>(*store_, disk, workers_, clock_, settings_);
    ASSERT_TRUE(engine_->start());
    const auto made = import();
    std::int64_t seen = 0;
    while (store_->task(made.task.id)->state != domain::TaskState::retrying) {
        const std::int64_t news = engine_->feed().wait_after(seen, Millis{20'000});
        ASSERT_NE(news, seen) << "it does not wait";
        seen = news;
    }
    const auto waiting = store_->task(made.task.id);
    EXPECT_EQ(waiting->error->code, "no_room_for_file");
    EXPECT_EQ(waiting->error->message,
              "What is to be downloaded needs 1 MiB, and 0 MiB are free. Free some space, and it "
              "goes on by itself.");
    EXPECT_EQ((*store_->import_of(made.media.id))->bytes_done, 0);
    disk.free = 10;
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::completed);
    EXPECT_EQ(asked, 2);
    EXPECT_EQ(extracted_, "0123456789");
    for (const ports::UnitRow& unit : *store_->units(made.task.id)) {
        EXPECT_EQ(unit.attempts, 1);
    }
    engine_.reset();
}

TEST_F(ImportTest, ALyingWorkerIsACrash) {
    workers_.on_fetch = [](const ports::FetchJob& job, const ports::RunControl&) {
        send(job.output_fd, {.offset = 5, .total = 10}, "56789");
        return ports::FetchOutcome{.bytes = 5};
    };
    start();
    EXPECT_EQ(ended(import().task.id).error->code, "protocol_error");
    workers_.on_fetch = [](const ports::FetchJob& job, const ports::RunControl&) {
        write_all(job.output_fd, "\xff\xff\xff\x7f and more");
        return ports::FetchOutcome{.bytes = 5};
    };
    EXPECT_EQ(ended(import().task.id).error->code, "protocol_error");
}

TEST_F(ImportTest, TheOtherSidesWaitIsKept) {
    int asked = 0;
    workers_.on_fetch = [&](const ports::FetchJob& job, const ports::RunControl&) {
        if (++asked == 1) {
            return lost(Millis{50});
        }
        send(job.output_fd, {.total = 1}, "x");
        return ports::FetchOutcome{.bytes = 1};
    };
    start();
    const auto made = import();
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::completed);
    const auto attempts = *store_->attempts(made.task.id);
    ASSERT_GE(attempts.size(), 2U);
    EXPECT_GE(attempts[1].started_at - *attempts[0].ended_at, Millis{49});
}

// Both would write into the file of the media, and a byte that the old one writes last would leave
// a hole before it.
TEST_F(ImportTest, WhatTakesAnothersPlaceWaitsUntilThatOneHasLetGoOfTheFile) {
    std::mutex mutex;
    std::condition_variable_any changed;
    int asked = 0;
    bool second_came = false;
    bool beside = true;
    workers_.on_fetch = [&](const ports::FetchJob& job,
                            const ports::RunControl& control) -> Result<ports::FetchOutcome> {
        std::unique_lock lock(mutex);
        if (++asked == 1) {
            send(job.output_fd, {.total = 10, .etag = "\"v1\""}, "01234");
            changed.wait(lock, control.stop, [] { return false; });
            beside = changed.wait_for(lock, Millis{300}, [&] { return second_came; });
            write_all(job.output_fd, "56");  // what lay on its way comes late
            return fail(ErrorClass::lost, "stopped", "Stopped.");
        }
        second_came = true;
        changed.notify_all();
        const std::string whole = "0123456789";
        const std::string rest = whole.substr(static_cast<std::size_t>(job.offset));
        send(job.output_fd, {.offset = job.offset, .total = 10, .etag = "\"v1\""}, rest);
        return ports::FetchOutcome{.bytes = static_cast<std::int64_t>(rest.size())};
    };
    start();
    const auto made = import();
    const MonoTime until = clock_.mono() + Millis{20'000};
    while (clock_.mono() < until && !(*store_->import_of(made.media.id))->bytes_total) {
        engine_->feed().wait_after(engine_->feed().newest(), Millis{5});
    }
    const auto anew = engine_->submit_task(made.media.id, {}, true);
    ASSERT_TRUE(anew) << anew.error().message;
    EXPECT_EQ(ended(anew->task.id).state, domain::TaskState::completed);
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::cancelled);
    const std::scoped_lock lock(mutex);
    EXPECT_FALSE(beside) << "two wrote into one file";
}

TEST_F(ImportTest, ACancelStopsIt) {
    start();
    const auto made = import_half();
    ASSERT_TRUE(engine_->cancel(made.task.id));
    EXPECT_EQ(ended(made.task.id).state, domain::TaskState::cancelled);
    EXPECT_EQ((*store_->import_of(made.media.id))->bytes_done, 5) << "kept for a retry";
}

}  // namespace
}  // namespace durascribe::engine
