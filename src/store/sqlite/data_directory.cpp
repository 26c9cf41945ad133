#include "durascribe/store/sqlite/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include <fmt/format.h>

namespace durascribe::store {
namespace {

Error not_writable(const std::filesystem::path& path, int error_number) {
    if (error_number != EACCES && error_number != EPERM && error_number != ENOTDIR &&
        error_number != EEXIST) {
        return system_error(error_number, fmt::format("open the data directory {}", path.string()));
    }
    return {
        ErrorClass::storage, "data_directory_not_writable",
        fmt::format(
            "The data directory {} cannot be written by this user. Choose another one with --data, "
            "or change its owner.",
            path.string()),
        fmt::format("errno {}", error_number)};
}

std::string holder_of(int fd) {
    std::array<char, 32> text{};
    const ssize_t n = pread(fd, text.data(), text.size() - 1, 0);
    const std::string pid(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    return pid.empty() ? "another process" : "process " + pid.substr(0, pid.find('\n'));
}

}  // namespace

Result<DataDirectory> DataDirectory::open(const std::filesystem::path& path) {
    std::error_code failed;
    std::filesystem::create_directories(path.parent_path(),
                                        failed);  // the next line tells what is wrong
    if (mkdir(path.c_str(), 0700) != 0 &&
        (errno != EEXIST || !std::filesystem::is_directory(path, failed))) {
        return std::unexpected(not_writable(path, errno));
    }
    UniqueFd lock(::open((path / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock.valid()) {
        return std::unexpected(not_writable(path, errno));
    }
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return std::unexpected(
                system_error(errno, fmt::format("lock the data directory {}", path.string())));
        }
        return fail(
            ErrorClass::request, "data_directory_in_use",
            fmt::format(
                "The data directory {} is in use by {}. Stop it, or choose another directory "
                "with --data.",
                path.string(), holder_of(lock.get())));
    }
    const std::string pid = fmt::format("{}\n", getpid());
    if (ftruncate(lock.get(), 0) != 0 || pwrite(lock.get(), pid.data(), pid.size(), 0) < 0) {
        return std::unexpected(
            system_error(errno, fmt::format("write the lock in {}", path.string())));
    }
    return DataDirectory(path, std::move(lock));
}

Result<void> DataDirectory::make_database_file() const {
    const UniqueFd fd(::open(database_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd.valid()) {
        return std::unexpected(not_writable(path_, errno));
    }
    return {};
}

}  // namespace durascribe::store
