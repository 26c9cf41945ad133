// What sharing commits gives: whole lives of small tasks through the store's verbs, at
// synchronous=FULL, with a commit shared by all callers that wait against a commit for each verb.
//
//   store_bench <directory on a real disk> [callers=64] [seconds for each run=2] [runs=5]
//
// One life is five verbs, each a commit's worth: submit, claim, finish_extract of silence, claim,
// finish_final. The two modes alternate; medians are printed.
//
//   store_bench --one-unit <directory> [callers=64] [seconds for each run=2] [runs=5]
//
// Whole lives of tasks of one unit, worked on by the callers themselves with nothing to do:
// submit_task from finalize on (over media that are known to be silent), claim, finish_final.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "durascribe/store/sqlite/sqlite_store.h"
#include "must.h"

namespace {

using namespace durascribe;
using bench::must;
using Clock = std::chrono::steady_clock;

// Every caller submits one task before it claims, so that a claim always finds one; whose it is
// does not matter.
void live(ports::Store& store, const NodeId& node) {
    must(store.submit({.id = new_id<MediaId>(),
                       .task_id = new_id<TaskId>(),
                       .title = "A talk",
                       .filename = "talk.mp4",
                       .source = {std::string(64, 'a'), 1'000},
                       .options = {}}));
    const auto extract =
        must(store.claim({.node = node, .lane = domain::Lane::media, .model = {}}));
    ports::ExtractResult extracted;
    extracted.info.container = "mov,mp4";
    extracted.info.duration = Millis{60'000};
    extracted.peaks.min_max.assign(1'200, 0);
    must(store.finish_extract(extract.value().lease, extracted));
    const auto finalize =
        must(store.claim({.node = node, .lane = domain::Lane::local, .model = {}}));
    must(store.finish_final(finalize.value().lease,
                            {.segments = {}, .documents = {{domain::DocumentFormat::txt, ""}}}));
}

// A silent media with its empty transcript, over which tasks of one unit can be made.
MediaId transcribe(ports::Store& store, const NodeId& node) {
    const MediaId id = new_id<MediaId>();
    must(store.submit({.id = id,
                       .task_id = new_id<TaskId>(),
                       .title = "A talk",
                       .filename = "talk.mp4",
                       .source = {std::string(64, 'a'), 1'000},
                       .options = {}}));
    const auto extract =
        must(store.claim({.node = node, .lane = domain::Lane::media, .model = {}}));
    ports::ExtractResult extracted;
    extracted.info.container = "mov,mp4";
    extracted.info.duration = Millis{30'000};
    must(store.finish_extract(extract.value().lease, extracted));
    const auto finalize =
        must(store.claim({.node = node, .lane = domain::Lane::local, .model = {}}));
    must(store.finish_final(finalize.value().lease,
                            {.segments = {}, .documents = {{domain::DocumentFormat::txt, ""}}}));
    return id;
}

double one_unit_lives_per_second(const std::filesystem::path& directory, int callers,
                                 double seconds) {
    std::filesystem::remove_all(directory);
    const ports::SystemClock clock;
    auto store = must(store::SqliteStore::open(directory, clock, {}));
    const NodeId node = new_id<NodeId>();
    // So many that the last task of a media has ended long before its next one.
    std::vector<MediaId> media(static_cast<std::size_t>(callers) * 32);
    std::vector<std::thread> threads;
    std::atomic<std::size_t> made = 0;
    for (int i = 0; i < callers; ++i) {
        threads.emplace_back([&] {
            for (std::size_t n = made++; n < media.size(); n = made++) {
                media[n] = transcribe(*store, node);
            }
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
    threads.clear();
    std::atomic<std::size_t> begun = 0;
    std::atomic<int> done = 0;
    const auto start = Clock::now();
    const auto end =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (int i = 0; i < callers; ++i) {
        threads.emplace_back([&] {
            while (Clock::now() < end) {
                must(store->submit_task({.media_id = media[begun++ % media.size()],
                                         .id = new_id<TaskId>(),
                                         .options = {.from_step = domain::Step::finalize},
                                         .idempotency = {}}));
                const auto unit =
                    must(store->claim({.node = node, .lane = domain::Lane::local, .model = {}}));
                must(store->finish_final(
                    unit.value().lease,
                    {.segments = {}, .documents = {{domain::DocumentFormat::txt, ""}}}));
                ++done;
            }
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
    const double rate = done / std::chrono::duration<double>(Clock::now() - start).count();
    store.reset();
    std::filesystem::remove_all(directory);
    return rate;
}

double jobs_per_second(const std::filesystem::path& directory, bool group_commit, int callers,
                       double seconds) {
    std::filesystem::remove_all(directory);
    const ports::SystemClock clock;
    auto store = must(store::SqliteStore::open(directory, clock, {.group_commit = group_commit}));
    const NodeId node = new_id<NodeId>();
    std::atomic<int> done = 0;
    const auto start = Clock::now();
    const auto end =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    std::vector<std::thread> threads;
    for (int i = 0; i < callers; ++i) {
        threads.emplace_back([&] {
            while (Clock::now() < end) {
                live(*store, node);
                ++done;
            }
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
    const double rate = done / std::chrono::duration<double>(Clock::now() - start).count();
    store.reset();
    std::filesystem::remove_all(directory);
    return rate;
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

int measure_one_unit_lives(int argc, char** argv) {
    const std::filesystem::path directory = std::filesystem::path(argv[2]) / "store_bench";
    const int callers = argc > 3 ? std::atoi(argv[3]) : 64;
    const double seconds = argc > 4 ? std::atof(argv[4]) : 2;
    const int runs = argc > 5 ? std::atoi(argv[5]) : 5;
    std::vector<double> rates;
    for (int i = 0; i < runs; ++i) {
        rates.push_back(one_unit_lives_per_second(directory, callers, seconds));
        fmt::print("run {}: {:.0f} lives/s\n", i + 1, rates.back());
    }
    fmt::print("{} callers, median of {}: {:.0f} lives of one unit a second\n", callers, runs,
               median(rates));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 2 && std::string_view(argv[1]) == "--one-unit") {
        return measure_one_unit_lives(argc, argv);
    }
    if (argc < 2) {
        fmt::print(stderr, "store_bench <directory on a real disk> [callers] [seconds] [runs]\n");
        return 2;
    }
    const std::filesystem::path directory = std::filesystem::path(argv[1]) / "store_bench";
    const int callers = argc > 2 ? std::atoi(argv[2]) : 64;
    const double seconds = argc > 3 ? std::atof(argv[3]) : 2;
    const int runs = argc > 4 ? std::atoi(argv[4]) : 5;
    std::vector<double> shared;
    std::vector<double> single;
    for (int i = 0; i < runs; ++i) {
        shared.push_back(jobs_per_second(directory, true, callers, seconds));
        single.push_back(jobs_per_second(directory, false, callers, seconds));
        fmt::print("run {}: group commit {:.0f} jobs/s, a commit per verb {:.0f} jobs/s\n", i + 1,
                   shared.back(), single.back());
    }
    fmt::print(
        "{} callers, medians of {}: group commit {:.0f} jobs/s ({:.0f} verbs/s), a commit per verb "
        "{:.0f} jobs/s, {:.1f} times\n",
        callers, runs, median(shared), median(shared) * 5, median(single),
        median(shared) / median(single));
    return 0;
}
