// A shared object for LD_PRELOAD, of tests/fault/failing_calls alone: it counts the calls of a
// whole process on files under one directory, by kind, and lets the Nth fail, or all from the Nth
// on. It counts no socket, no pipe and no other file, and what SQLite keeps in its -shm file is
// memory.
//
// The test tells it all through a small file that both map (FAILING_CALLS_CONTROL). A worker gets a
// clean environment and so is not touched.
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

enum Kind : std::uint32_t { kWrite = 0, kSync = 1, kName = 2, kKinds = 3 };

// As failing_calls has it: 8-byte words, native order.
struct Control {
    std::atomic<std::uint64_t> calls[kKinds];  // counted so far
    std::atomic<std::uint64_t> failed;         // calls that were made to fail
    std::atomic<std::uint64_t> kind;           // which fail
    std::atomic<std::uint64_t> first;          // the Nth of its kind, from 1; 0: none
    std::atomic<std::uint64_t> lasting;        // 1: and all that follow
    std::atomic<std::uint64_t> error;          // the errno
};

Control* control_of() {
    static Control* const control = [] {
        const char* path = std::getenv("FAILING_CALLS_CONTROL");
        const int fd = path == nullptr ? -1 : ::open(path, O_RDWR | O_CLOEXEC);
        void* memory =
            fd < 0 ? MAP_FAILED
                   : mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED) {
            std::abort();  // a test that injects nothing must not pass
        }
        ::close(fd);
        return static_cast<Control*>(memory);
    }();
    return control;
}

const char* folder() {
    static const char* const path = std::getenv("FAILING_CALLS_UNDER");
    return path;
}

bool counts(const char* path) {
    const std::size_t length = std::strlen(folder());
    const std::size_t whole = std::strlen(path);
    return std::strncmp(path, folder(), length) == 0 && path[length] == '/' &&
           (whole < 4 || std::strcmp(path + whole - 4, "-shm") != 0);
}

bool counts(int fd) {
    char link[32] = "/proc/self/fd/";
    char digits[12];
    int n = 0;
    for (int rest = fd; n == 0 || rest > 0; rest /= 10) {
        digits[n++] = static_cast<char>('0' + rest % 10);
    }
    std::size_t end = std::strlen(link);
    while (n > 0) {
        link[end++] = digits[--n];
    }
    char target[1024];
    const ssize_t length = fd < 0 ? -1 : readlink(link, target, sizeof target - 1);
    if (length <= 0) {
        return false;
    }
    target[length] = '\0';
    if (char* deleted = std::strstr(target, " (deleted)")) {
        *deleted = '\0';
    }
    return counts(target);
}

// Whether this call is to fail; then errno says how.
bool fails(Kind kind) {
    Control& c = *control_of();
    const std::uint64_t number = ++c.calls[kind];
    const std::uint64_t first = c.first;
    if (first == 0 || c.kind != kind || number < first || (number > first && c.lasting == 0)) {
        return false;
    }
    ++c.failed;
    errno = static_cast<int>(c.error);
    return true;
}

template <typename Function>
Function next(const char* name) {
    void* found = dlsym(RTLD_NEXT, name);
    if (found == nullptr) {
        std::abort();
    }
    return reinterpret_cast<Function>(found);
}

}  // namespace

#define NEXT(name) static const auto real = next<decltype(&::name)>(#name)

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
    NEXT(write);
    const int kept = errno;
    if (counts(fd) && fails(kWrite)) {
        return -1;
    }
    errno = kept;
    return real(fd, data, size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
    NEXT(pwrite);
    return counts(fd) && fails(kWrite) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
    NEXT(pwrite64);
    return counts(fd) && fails(kWrite) ? -1 : real(fd, data, size, at);
}

ssize_t writev(int fd, const iovec* pieces, int count) {
    NEXT(writev);
    return counts(fd) && fails(kWrite) ? -1 : real(fd, pieces, count);
}

int ftruncate(int fd, off_t size) noexcept {
    NEXT(ftruncate);
    return counts(fd) && fails(kWrite) ? -1 : real(fd, size);
}

int ftruncate64(int fd, off64_t size) noexcept {
    NEXT(ftruncate64);
    return counts(fd) && fails(kWrite) ? -1 : real(fd, size);
}

int fsync(int fd) {
    NEXT(fsync);
    return counts(fd) && fails(kSync) ? -1 : real(fd);
}

int fdatasync(int fd) {
    NEXT(fdatasync);
    return counts(fd) && fails(kSync) ? -1 : real(fd);
}

int rename(const char* from, const char* to) noexcept {
    NEXT(rename);
    return counts(to) && fails(kName) ? -1 : real(from, to);
}

int link(const char* from, const char* to) noexcept {
    NEXT(link);
    return counts(to) && fails(kName) ? -1 : real(from, to);
}

int mkdir(const char* path, mode_t mode) noexcept {
    NEXT(mkdir);
    return counts(path) && fails(kName) ? -1 : real(path, mode);
}

}  // extern "C"
