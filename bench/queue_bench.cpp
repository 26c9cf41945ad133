// A store with very many tasks in it: how long a claim takes, and a data directory to start from.
//
//   queue_bench claims <directory on a real disk> [waiting=100000] [claims=5000]
//   queue_bench fill <new data directory> <completed> <waiting> <recording>
//
// `claims` measures claims one at a time, each a commit at synchronous=FULL, while units are
// finished and new tasks come in between, first alone and then with a reader that lists the queue
// and ask for places in it all the time. `fill` leaves tasks that are completed, each with a file
// of its own in the blob store, and tasks that wait, all with the recording.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "durascribe/blobs/local/local_blob_store.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "must.h"

namespace {

using namespace durascribe;
using bench::must;
using Clock = std::chrono::steady_clock;

constexpr int kCallers = 128;  // share commits while a store is filled
constexpr std::int64_t kSourceBytes = 64;

// Calls `work(i)` for 0 <= i < count on many threads, so that they share commits.
template <typename Work>
void at_once(int count, Work work) {
    std::atomic<int> next = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < kCallers; ++t) {
        threads.emplace_back([&] {
            for (int i = next++; i < count; i = next++) {
                work(i);
            }
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
}

TaskId submit(ports::Store& store, const ports::BlobRef& source, int priority) {
    domain::TaskOptions options;
    options.priority = priority;
    return must(store.submit({.id = new_id<MediaId>(),
                              .task_id = new_id<TaskId>(),
                              .title = "A talk",
                              .filename = "talk.wav",
                              .source = source,
                              .options = options}))
        .task.id;
}

ports::ClaimedUnit claim(ports::Store& store, const NodeId& node, domain::Lane lane) {
    auto claimed = must(store.claim({.node = node, .lane = lane, .model = {}}));
    if (!claimed) {
        fmt::print(stderr, "queue_bench: nothing to claim\n");
        std::exit(1);
    }
    return std::move(*claimed);
}

// Silence: no chunks, so that the last step follows.
void finish_extract(ports::Store& store, const ports::Lease& lease) {
    ports::ExtractResult extracted;
    extracted.info.container = "wav";
    extracted.info.duration = Millis{60'000};
    extracted.peaks.min_max.assign(1'200, 0);
    must(store.finish_extract(lease, extracted));
}

// The rest of the life of a task whose extraction has been claimed.
void finish(ports::Store& store, const NodeId& node, const ports::ClaimedUnit& extract) {
    finish_extract(store, extract.lease);
    const auto last = claim(store, node, domain::Lane::local);
    must(store.finish_final(
        last.lease, {.segments = {}, .documents = {{domain::DocumentFormat::txt, "A word."}}}));
}

// ---- claims -------------------------------------------------------------------------------------

// Priorities as a server with some urgent work has them: most are ordinary.
int priority_of(int i) {
    return i % 10 == 0 ? 10 : i % 7 == 0 ? -5 : 0;
}

void print_quantiles(std::string_view what, std::vector<double> milliseconds) {
    std::ranges::sort(milliseconds);
    const auto at = [&](double share) {
        return milliseconds[static_cast<std::size_t>(share *
                                                     static_cast<double>(milliseconds.size() - 1))];
    };
    fmt::print("{}: {} samples, p50 {:.2f} ms, p90 {:.2f} ms, p99 {:.2f} ms, most {:.2f} ms\n",
               what, milliseconds.size(), at(0.5), at(0.9), at(0.99), milliseconds.back());
}

std::vector<double> measure_claims(ports::Store& store, const NodeId& node,
                                   const ports::BlobRef& source, int claims) {
    std::vector<double> milliseconds;
    for (int i = 0; i < claims; ++i) {
        const auto begin = Clock::now();
        const auto unit = claim(store, node, domain::Lane::media);
        milliseconds.push_back(
            std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
        finish(store, node, unit);
        submit(store, source, priority_of(i));  // so many wait at every claim
    }
    return milliseconds;
}

int run_claims(const std::filesystem::path& parent, int waiting, int claims) {
    const std::filesystem::path directory = parent / "queue_bench";
    std::filesystem::remove_all(directory);
    {
        const ports::SystemClock clock;
        auto store = must(store::SqliteStore::open(directory, clock));
        const NodeId node = new_id<NodeId>();
        const ports::BlobRef source{std::string(64, 'a'), kSourceBytes};
        std::vector<TaskId> tasks(static_cast<std::size_t>(waiting));
        at_once(waiting, [&](int i) {
            tasks[static_cast<std::size_t>(i)] = submit(*store, source, priority_of(i));
        });
        print_quantiles(fmt::format("claim with {} tasks waiting", waiting),
                        measure_claims(*store, node, source, claims));

        std::atomic<bool> done = false;
        std::atomic<int> reads = 0;
        const auto read = [&](std::size_t task) {
            while (!done) {
                must(store->queue(100));
                // Those at the end of the queue, whose places take the longest to count.
                must(store->queue_place(tasks[tasks.size() - 1 - task % 100]));
                must(store->units_before_end(tasks[tasks.size() - 1 - task % 100]));
                ++task;
                ++reads;
            }
        };
        std::thread reader(read, 0);
        print_quantiles(fmt::format("the same while the queue is read"),
                        measure_claims(*store, node, source, claims));
        done = true;
        reader.join();
        fmt::print("read meanwhile: {} times the queue and a place in it\n", reads.load());
    }
    std::filesystem::remove_all(directory);
    return 0;
}

// ---- fill ---------------------------------------------------------------------------------------

ports::BlobRef store_file(const std::filesystem::path& directory,
                          const std::filesystem::path& file) {
    auto blobs = must(blobs::LocalBlobStore::open(directory));
    auto pending = must(blobs->create());
    std::ifstream in(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    must(pending->write(std::as_bytes(std::span(bytes))));
    return must(pending->commit());
}

// Where the blob store keeps it; written without its care for power cuts, of which there are none
// here, and with any bytes: nobody reads them.
void put_file(const std::filesystem::path& directory, const std::string& sha256) {
    const auto folder = directory / "blobs" / sha256.substr(0, 2);
    std::filesystem::create_directories(folder);
    std::ofstream(folder / sha256.substr(2)) << std::string(kSourceBytes, 'x');
}

int run_fill(const std::filesystem::path& directory, int completed, int waiting,
             const char* recording) {
    const ports::SystemClock clock;
    auto store = must(store::SqliteStore::open(directory, clock));
    const NodeId node = new_id<NodeId>();
    const ports::BlobRef spoken = store_file(directory, recording);
    at_once(completed, [&](int i) {
        const std::string sha256 = fmt::format("{:02x}{:062x}", i % 256, i + 1);
        put_file(directory, sha256);
        submit(*store, {sha256, kSourceBytes}, 0);
        finish(*store, node, claim(*store, node, domain::Lane::media));
    });
    at_once(waiting, [&](int i) { submit(*store, spoken, priority_of(i)); });
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 1 ? argv[1] : "";
    if (what == "claims" && argc >= 3) {
        return run_claims(argv[2], argc > 3 ? std::atoi(argv[3]) : 100'000,
                          argc > 4 ? std::atoi(argv[4]) : 5'000);
    }
    if (what == "fill" && argc == 6) {
        return run_fill(argv[2], std::atoi(argv[3]), std::atoi(argv[4]), argv[5]);
    }
    fmt::print(stderr,
               "queue_bench claims <directory on a real disk> [waiting] [claims]\n"
               "queue_bench fill <new data directory> <completed> <waiting> <recording>\n");
    return 2;
}
