// Blobs in a directory of this machine (README.md says how they get there).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "durascribe/ports/blob_store.h"

namespace durascribe::blobs {

struct LocalBlobOptions {
    // Left free for the database and its log: a write that would take it is refused. nullopt:
    // reserve_of() the file system's size.
    std::optional<std::int64_t> reserve_bytes;
    // Told of each step of a commit just before it is taken; an errno other than 0 makes the step
    // fail. For tests that die or fail there.
    std::function<int(std::string_view step)> before_step;
    // Whether anything can be written is tried no more often.
    std::chrono::milliseconds probe_interval{5'000};
};

// 64 MiB, and on a small file system a twentieth of it: on one of 16 MiB, 0.8 MiB.
std::int64_t reserve_of(std::int64_t file_system_bytes);

// One server per directory (the store's lock sees to that).
class LocalBlobStore final : public ports::BlobStore {
  public:
    // Makes `<data_directory>/blobs` and what is in it, mode 0700, where missing. Errors: storage,
    // internal, as system_error() says.
    static Result<std::unique_ptr<LocalBlobStore>> open(const std::filesystem::path& data_directory,
                                                        LocalBlobOptions options = {});

    // Errors: storage "disk_full", which tells how much is free, where `expected_bytes` and the
    // reserve do not fit.
    Result<std::unique_ptr<ports::PendingBlob>> create(std::int64_t expected_bytes = 0) override;
    Result<std::unique_ptr<ports::PartialBlob>> open_partial(const std::string& name,
                                                             std::int64_t keep_bytes) override;
    Result<void> place_partial(const std::string& name, const ports::BlobRef& blob) override;
    Result<void> remove_partial(const std::string& name) override;
    Result<std::vector<std::string>> list_partials() override;
    Result<UniqueFd> open(const ports::BlobRef& blob) override;
    Result<bool> exists(const ports::BlobRef& blob) override;
    Result<void> remove(const ports::BlobRef& blob) override;
    Result<int> remove_leftovers() override;
    Result<std::vector<std::string>> list(const std::string& after, int limit) override;
    // What is free beyond the reserve. Errors: storage also where nothing can be written, whatever
    // is free: a file system that became read-only says so here within
    // LocalBlobOptions::probe_interval.
    Result<std::int64_t> free_bytes() override;
    Result<std::int64_t> capacity_bytes() override;

  private:
    LocalBlobStore(std::filesystem::path root, LocalBlobOptions options);
    const std::filesystem::path root_;
    const LocalBlobOptions options_;
    // Temporary names begin with it: others are of a process that is gone.
    const std::string run_;
    std::atomic<std::uint64_t> pending_{0};  // made in this run

    Result<void> probe();  // makes a file and removes it
    std::mutex probe_mutex_;
    std::chrono::steady_clock::time_point probed_at_;  // guarded by probe_mutex_, like the next
    Result<void> probed_ = fail(ErrorClass::internal, "not_probed", "Not looked at yet.");
};

}  // namespace durascribe::blobs
