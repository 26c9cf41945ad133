// The store and the blobs alone, for tests/fault/power_cut: many commits in little time.
//
//   power_cut_writer write DIR SEED [--unsafe]   submits media until the disk fails, and prints
//                                                "media-id sha256" of each when it is acknowledged
//   power_cut_writer check DIR                   reads such lines, and prints each that is not
//   there
//                                                byte for byte; 1 where there was one
//
// --unsafe opens the database with synchronous=OFF: the test must notice.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "durascribe/blobs/local/local_blob_store.h"
#include "durascribe/blobs/local/sha256.h"
#include "durascribe/store/sqlite/sqlite_store.h"

namespace durascribe {
namespace {

constexpr int kThreads = 8;
constexpr int kCannotOpen = 2;

struct Opened {
    ports::SystemClock clock;
    std::unique_ptr<store::SqliteStore> store;
    std::unique_ptr<blobs::LocalBlobStore> blobs;
};

bool open(Opened& opened, const char* directory, bool power_safe) {
    auto store = store::SqliteStore::open(directory, opened.clock, {.power_safe = power_safe});
    if (!store) {
        fmt::print("{} {}\n", store.error().message, store.error().detail);
        return false;
    }
    opened.store = std::move(*store);
    auto blobs = blobs::LocalBlobStore::open(directory);
    if (!blobs) {
        fmt::print("{}\n", blobs.error().message);
        return false;
    }
    opened.blobs = std::move(*blobs);
    return true;
}

// What an upload does, without the HTTP around it.
Result<std::string> submit(Opened& opened, const std::string& bytes) {
    auto pending = opened.blobs->create();
    if (!pending) {
        return std::unexpected(pending.error());
    }
    if (auto written = (*pending)->write(std::as_bytes(std::span(bytes))); !written) {
        return std::unexpected(written.error());
    }
    auto blob = (*pending)->commit();
    if (!blob) {
        return std::unexpected(blob.error());
    }
    const auto id = new_id<MediaId>();
    const auto made = opened.store->submit({.id = id,
                                            .task_id = new_id<TaskId>(),
                                            .title = "a clip",
                                            .filename = {},
                                            .source = *blob,
                                            .options = {}});
    if (!made) {
        return std::unexpected(made.error());
    }
    return fmt::format("{} {}\n", id.value, blob->sha256);
}

int write_until_the_disk_fails(const char* directory, std::uint64_t seed, bool power_safe) {
    Opened opened;
    if (!open(opened, directory, power_safe)) {
        return kCannotOpen;
    }
    const auto say = [](const std::string& line) {
        if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
            std::_Exit(EXIT_FAILURE);
        }
    };
    say("ready\n");
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            std::mt19937_64 random(seed * kThreads + t);
            while (true) {
                std::string bytes(std::uniform_int_distribution<std::size_t>(1, 20'000)(random), 0);
                for (char& c : bytes) {
                    c = static_cast<char>(random());
                }
                const auto line = submit(opened, bytes);
                if (!line) {
                    return;
                }
                say(*line);
            }
        });
    }
    return EXIT_SUCCESS;
}

std::string missing(Opened& opened, const std::string& id, const std::string& sha256) {
    const auto media = opened.store->media(MediaId{id});
    if (!media) {
        return "no row: " + media.error().message;
    }
    if (media->source.sha256 != sha256) {
        return "its row names other bytes";
    }
    const auto file = opened.blobs->open(media->source);
    if (!file) {
        return file.error().message;
    }
    std::string bytes(static_cast<std::size_t>(media->source.size_bytes) + 1, 0);
    const ssize_t n = pread(file->get(), bytes.data(), bytes.size(), 0);
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    blobs::Sha256 hash;
    hash.add(std::as_bytes(std::span(bytes)));
    return hash.finish() == sha256 ? "" : "its bytes are others";
}

int check(const char* directory) {
    Opened opened;
    if (!open(opened, directory, true)) {
        return kCannotOpen;
    }
    int lost = 0;
    std::string id;
    std::string sha256;
    while (std::cin >> id >> sha256) {
        if (const std::string why = missing(opened, id, sha256); !why.empty()) {
            fmt::print("lost {}: {}\n", id, why);
            ++lost;
        }
    }
    return lost == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace durascribe

int main(int argc, char** argv) {
    using std::string_view;
    if (argc >= 4 && string_view(argv[1]) == "write") {
        const bool power_safe = argc < 5 || string_view(argv[4]) != "--unsafe";
        return durascribe::write_until_the_disk_fails(argv[2], std::strtoull(argv[3], nullptr, 10),
                                                      power_safe);
    }
    if (argc == 3 && string_view(argv[1]) == "check") {
        return durascribe::check(argv[2]);
    }
    std::fputs("power_cut_writer write DIR SEED [--unsafe] | check DIR\n", stderr);
    return 64;
}
