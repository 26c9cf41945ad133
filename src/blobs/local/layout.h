// Where files lie in the directory of blobs, and the steps that make names durable. Private to
// blobs/local.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/blobs/local/local_blob_store.h"

namespace durascribe::blobs {

inline constexpr std::string_view kPending = "tmp";      // the folder of what is being written
inline constexpr std::string_view kPartial = "uploads";  // … and of what comes in pieces

// Of the last system call; `doing` reads like "write a file".
std::unexpected<Error> failed(std::string_view doing);

bool is_address(std::string_view text);
std::filesystem::path folder_of(const std::filesystem::path& root, std::string_view sha256);
std::filesystem::path path_of(const std::filesystem::path& root, std::string_view sha256);

Result<void> sync_folder(const std::filesystem::path& folder);
Result<void> make_folder(const std::filesystem::path& folder);  // where it is not there
Result<std::vector<std::string>> names_in(const std::filesystem::path& folder);  // in their order

struct Space {
    std::int64_t free = 0;     // for this user, the reserve included
    std::int64_t reserve = 0;  // as the options have it, or reserve_of()
    std::int64_t total = 0;    // of the file system
    std::int64_t free_for_files() const { return std::max<std::int64_t>(0, free - reserve); }
};
Result<Space> space_of(const std::filesystem::path& root, const LocalBlobOptions& options);

// A full disk as a person wants to hear of it: with how much is left.
Error with_free_space(Error error, const std::filesystem::path& root);

}  // namespace durascribe::blobs
