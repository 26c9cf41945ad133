// The data directory: made where it is missing, and locked so that one server owns it.
#pragma once

#include <filesystem>

#include "durascribe/base/error.h"
#include "durascribe/base/unique_fd.h"

namespace durascribe::store {

// Holds the lock as long as it lives; the kernel lets go of it when the process dies, however it
// dies.
class DataDirectory {
  public:
    // Makes `path` (mode 0700) where it is missing. Errors: request "data_directory_in_use", naming
    // the other process; storage "data_directory_not_writable"; storage as for any failed write.
    static Result<DataDirectory> open(const std::filesystem::path& path);

    std::filesystem::path database_file() const { return path_ / "durascribe.db"; }

    // An empty file of mode 0600 where there is none: SQLite gives its WAL the same mode.
    Result<void> make_database_file() const;
    // Makes the names in the directory, and its own name, outlast a power cut.
    Result<void> make_durable() const;

  private:
    DataDirectory(std::filesystem::path path, UniqueFd lock)
        : path_(std::move(path)), lock_(std::move(lock)) {}
    std::filesystem::path path_;
    UniqueFd lock_;
};

}  // namespace durascribe::store
