// The real durascribe-worker, but for one thing: it falls with SIGSEGV when the sound that it is to
// recognise begins with the poison. A fake in that: no recording is known that fells the real one.
// Linked with all that it is linked of; the reads of a job's file go through `pread` below.
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace {

// What tests/fault/poison writes: samples that go up and down by this.
constexpr std::int16_t kPoison = 12'345;

bool is_poison(const void* bytes, ssize_t size) {
    std::array<std::int16_t, 64> first{};
    if (size < static_cast<ssize_t>(sizeof first)) {
        return false;
    }
    std::memcpy(first.data(), bytes, sizeof first);
    return std::ranges::all_of(first, [](int s) { return s == kPoison || s == -kPoison; });
}

}  // namespace

// Stands before the C library's: the program's own symbol is found first.
extern "C" ssize_t pread(int fd, void* buffer, std::size_t size, off_t offset) {
    const long got = ::syscall(SYS_pread64, fd, buffer, size, offset);
    if (is_poison(buffer, got)) {
        ::raise(SIGSEGV);
    }
    return got;
}
