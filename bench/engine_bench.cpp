// From a submitted job to the start of its work, where a slot is free: the engine in this process,
// on SQLite at synchronous=FULL, with workers that are warm and do nothing.
//
//   engine_bench <directory on a real disk> [samples=2000]
//
// Each sample is a new task over a media that is there: from the call that submits it, and from the
// return of that call (the job is on disk, the client has its answer), to the call of the worker.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "durascribe/base/log.h"
#include "durascribe/blobs/local/local_blob_store.h"
#include "durascribe/engine/engine.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "must.h"

namespace {

using namespace durascribe;
using bench::must;
using Clock = std::chrono::steady_clock;

// Finds silence in everything, and tells when it was called.
class NoWork final : public ports::WorkerFactory {
  public:
    std::atomic<Clock::rep> called{0};

    Result<std::unique_ptr<ports::Worker>> start(ports::WorkerRole) override {
        return std::make_unique<Worker>(*this);
    }

  private:
    class Worker final : public ports::Worker {
      public:
        explicit Worker(NoWork& owner) : owner_(owner) {}
        Result<ports::ExtractOutcome> extract(const ports::ExtractJob&,
                                              const ports::RunControl&) override {
            owner_.called = Clock::now().time_since_epoch().count();
            ports::ExtractOutcome outcome;
            outcome.info.container = "wav";
            outcome.info.duration = Millis{1'000};
            outcome.silences = {{Millis{0}, Millis{1'000}}};
            return outcome;
        }
        Result<ports::TranscribeOutcome> transcribe(const ports::TranscribeJob&,
                                                    const ports::RunControl&) override {
            return ports::TranscribeOutcome{};
        }
        Result<ports::FetchOutcome> fetch(const ports::FetchJob&,
                                          const ports::RunControl&) override {
            return ports::FetchOutcome{};
        }
        bool alive() override { return true; }
        Result<void> wait_ready(Millis, std::stop_token) override { return {}; }
        int pid() const override { return 0; }
        std::int64_t resident_bytes() const override { return 0; }

      private:
        NoWork& owner_;
    };
};

void await_end(engine::Engine& engine, ports::Store& store, const TaskId& task) {
    std::int64_t seen = 0;
    while (!domain::is_terminal(must(store.task(task)).state)) {
        seen = engine.feed().wait_after(seen, Millis{10'000});
    }
}

void print_quantiles(const char* what, std::vector<double> milliseconds) {
    std::ranges::sort(milliseconds);
    const auto at = [&](double share) {
        return milliseconds[static_cast<std::size_t>(share *
                                                     static_cast<double>(milliseconds.size() - 1))];
    };
    fmt::print("{}: {} samples, p50 {:.2f} ms, p90 {:.2f} ms, p99 {:.2f} ms, most {:.2f} ms\n",
               what, milliseconds.size(), at(0.5), at(0.9), at(0.99), milliseconds.back());
}

double milliseconds_between(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
}

void measure(const std::filesystem::path& directory, int samples) {
    const ports::SystemClock clock;
    auto store = must(store::SqliteStore::open(directory, clock));
    auto blobs = must(blobs::LocalBlobStore::open(directory));
    NoWork workers;
    engine::Engine engine(*store, *blobs, workers, clock, {});
    if (const auto started = engine.start(); !started) {
        fmt::print(stderr, "engine_bench: {}\n", started.error().message);
        std::exit(1);
    }
    auto upload = must(engine.begin_upload(0, 0));
    const std::string bytes = "any";
    if (!upload->write(std::as_bytes(std::span(bytes)))) {
        std::exit(1);
    }
    const auto first = must(upload->finish("talk.wav", "", {}));
    await_end(engine, *store, first.task.id);

    std::vector<double> from_call;
    std::vector<double> from_answer;
    for (int i = 0; i < samples; ++i) {
        const auto begin = Clock::now();
        const auto made = must(engine.submit_task(first.media.id, {}, false));
        const auto answered = Clock::now();
        await_end(engine, *store, made.task.id);
        const Clock::time_point called{Clock::duration{workers.called.load()}};
        from_call.push_back(milliseconds_between(begin, called));
        from_answer.push_back(std::max(0.0, milliseconds_between(answered, called)));
    }
    print_quantiles("submit called to worker called", from_call);
    print_quantiles("submit answered to worker called", from_answer);
    engine.stop();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        fmt::print(stderr, "engine_bench <directory on a real disk> [samples]\n");
        return 2;
    }
    const std::filesystem::path directory = std::filesystem::path(argv[1]) / "engine_bench";
    std::filesystem::remove_all(directory);
    log::set_up(log::Level::warning);
    measure(directory, argc > 2 ? std::atoi(argv[2]) : 2'000);
    std::filesystem::remove_all(directory);
    return 0;
}
