#include "durascribe/worker/system_calls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <thread>

#include "in_a_process.h"

namespace durascribe::worker {
namespace {

using testing::in_a_process;

constexpr int kEndedByIt = 128 + SIGSYS;

class SystemCalls : public ::testing::Test {
  protected:
    void SetUp() override {
        const std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
        if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0) {
            GTEST_SKIP() << "this kernel has no seccomp filters";
        }
        if (in_a_process([] { return give_up_system_calls() ? 0 : 1; }) != 0) {
            GTEST_SKIP() << "not under a sanitizer";
        }
    }
    // Of a process that does this once it has given them up.
    static int after(const std::function<int()>& what) {
        return in_a_process([&] { return give_up_system_calls() ? what() : 1; });
    }
};

TEST_F(SystemCalls, WhatDecodingTakesIsLeft) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    EXPECT_EQ(after([&] {
                  int sum = 0;
                  std::thread([&] { sum = ::write(ends[1], "x", 1) == 1 ? 40 : 0; }).join();
                  char byte = 0;
                  void* const memory = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                  const bool all = memory != MAP_FAILED && ::munmap(memory, 1 << 20) == 0 &&
                                   ::read(ends[0], &byte, 1) == 1 && byte == 'x';
                  return all ? sum + 2 : 1;
              }),
              42);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_F(SystemCalls, WhatIsNotNeededIsRefused) {
    EXPECT_EQ(after([] {
                  return ::open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EPERM ? 0 : 2;
              }),
              0);
    EXPECT_EQ(after([] { return ::chdir("/") < 0 && errno == EPERM ? 0 : 2; }), 0);
}

TEST_F(SystemCalls, WhatOnlyAnIntruderAsksForEndsIt) {
    EXPECT_EQ(after([] { return ::execl("/bin/true", "true", nullptr); }), kEndedByIt);
    EXPECT_EQ(after([] { return ::fork() == 0 ? 0 : 2; }), kEndedByIt);
    EXPECT_EQ(after([] { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 2; }), kEndedByIt);
    EXPECT_EQ(after([] { return ::kill(1, 0) == 0 ? 0 : 2; }), kEndedByIt);
    EXPECT_EQ(after([] { return ::syscall(SYS_tgkill, 1, 1, 0) == 0 ? 0 : 2; }), kEndedByIt);
}

TEST_F(SystemCalls, AnAbortIsStillOne) {
    EXPECT_EQ(after([]() -> int { std::abort(); }), 128 + SIGABRT);
}

}  // namespace
}  // namespace durascribe::worker
