#include "durascribe/blobs/local/layout.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "durascribe/base/unique_fd.h"

namespace durascribe::blobs {

namespace fs = std::filesystem;

std::unexpected<Error> failed(std::string_view doing) {
    return std::unexpected(system_error(errno, doing));
}

bool is_address(std::string_view text) {
    return text.size() == 64 && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

fs::path folder_of(const fs::path& root, std::string_view sha256) {
    return root / sha256.substr(0, 2);
}
fs::path path_of(const fs::path& root, std::string_view sha256) {
    return folder_of(root, sha256) / sha256.substr(2);
}

Result<void> sync_folder(const fs::path& folder) {
    const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid() || fsync(fd.get()) != 0) {
        return failed(fmt::format("make the folder {} durable", folder.string()));
    }
    return {};
}

Result<void> make_folder(const fs::path& folder) {
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return failed(fmt::format("make the folder {}", folder.string()));
    }
    return {};
}

Result<Space> space_of(const fs::path& root, const LocalBlobOptions& options) {
    struct statvfs s{};
    if (statvfs(root.c_str(), &s) != 0) {
        return failed("ask how much disk is free");
    }
    const auto bytes = [&](fsblkcnt_t blocks) {
        return static_cast<std::int64_t>(blocks) * static_cast<std::int64_t>(s.f_frsize);
    };
    return Space{bytes(s.f_bavail), options.reserve_bytes.value_or(reserve_of(bytes(s.f_blocks))),
                 bytes(s.f_blocks)};
}

// In their order.
Result<std::vector<std::string>> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        names.push_back(entry->path().filename().string());
    }
    if (error) {
        return std::unexpected(
            system_error(error.value(), fmt::format("list {}", folder.string())));
    }
    std::ranges::sort(names);
    return names;
}

// A full disk as a person wants to hear of it: with how much is left.
Error with_free_space(Error error, const fs::path& root) {
    if (error.code == "disk_full") {
        if (const auto space = space_of(root, {})) {
            error.message += fmt::format(" {} MiB are free.", space->free / (1024 * 1024));
        }
    }
    return error;
}

}  // namespace durascribe::blobs
