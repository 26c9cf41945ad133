#include "durascribe/store/sqlite/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <ctime>
#include <string>

#include <fmt/format.h>

#include "durascribe/base/failpoint.h"

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

// As it stands in the lock file; 0: nothing does.
pid_t holder_of(int fd) {
    std::array<char, 32> text{};
    const ssize_t n = pread(fd, text.data(), text.size() - 1, 0);
    pid_t pid = 0;
    std::from_chars(text.data(), text.data() + std::max<ssize_t>(n, 0), pid);
    return pid;
}

// A server killed just while it started a worker leaves its lock to that child until the child has
// closed what it inherited: some microseconds, in which its successor may come. Nobody tells when
// they are over, so it is asked again, and only while the holder that is named is dead.
bool lock_it(int fd) {
    constexpr int kAgainMax = 15'000;  // half a minute: a child may wait long for the processor
    constexpr timespec kAgain{.tv_sec = 0, .tv_nsec = 2'000'000};
    for (int again = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; ++again) {
        const int problem = errno;
        const pid_t holder = holder_of(fd);
        const bool dead = holder > 0 && kill(holder, 0) != 0 && errno == ESRCH;
        if (problem != EWOULDBLOCK || !dead || again == kAgainMax) {
            errno = problem;
            return false;
        }
        nanosleep(&kAgain, nullptr);
    }
    return true;
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
    DURASCRIBE_FAILPOINT("directory.made");
    UniqueFd lock(::open((path / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock.valid()) {
        return std::unexpected(not_writable(path, errno));
    }
    if (!lock_it(lock.get())) {
        if (errno != EWOULDBLOCK) {
            return std::unexpected(
                system_error(errno, fmt::format("lock the data directory {}", path.string())));
        }
        const pid_t holder = holder_of(lock.get());
        return fail(
            ErrorClass::request, "data_directory_in_use",
            fmt::format(
                "The data directory {} is in use by {}. Stop it, or choose another directory "
                "with --data.",
                path.string(), holder > 0 ? fmt::format("process {}", holder) : "another process"));
    }
    DURASCRIBE_FAILPOINT("directory.locked");
    const std::string pid = fmt::format("{}\n", getpid());
    if (ftruncate(lock.get(), 0) != 0 || pwrite(lock.get(), pid.data(), pid.size(), 0) < 0) {
        return std::unexpected(
            system_error(errno, fmt::format("write the lock in {}", path.string())));
    }
    DURASCRIBE_FAILPOINT("directory.holder_named");
    return DataDirectory(path, std::move(lock));
}

// SQLite syncs the directory when it has made its log, and does not look at the outcome.
Result<void> DataDirectory::make_durable() const {
    for (const std::filesystem::path& folder : {path_, std::filesystem::absolute(path_) / ".."}) {
        const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        // One above it that may not be read was not made by us.
        if (!fd.valid() && errno == EACCES && folder != path_) {
            continue;
        }
        if (!fd.valid() || fsync(fd.get()) != 0) {
            return std::unexpected(
                system_error(errno, fmt::format("make the folder {} durable", folder.string())));
        }
    }
    return {};
}

Result<void> DataDirectory::make_database_file() const {
    const UniqueFd fd(::open(database_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd.valid()) {
        return std::unexpected(not_writable(path_, errno));
    }
    DURASCRIBE_FAILPOINT("directory.database_file_made");
    return {};
}

}  // namespace durascribe::store
