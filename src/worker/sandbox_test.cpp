#include "durascribe/worker/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "in_a_process.h"

namespace durascribe::worker {
namespace {

using testing::in_a_process;

bool kernel_has_landlock() {
    return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

TEST(Sandbox, NoFileCanBeOpenedButOpenOnesCanBeRead) {
    if (!kernel_has_landlock()) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    EXPECT_EQ(in_a_process([] {
                  const int open_before = ::open("/etc/passwd", O_RDONLY | O_CLOEXEC);
                  if (!close_files_but({})) {
                      return 1;
                  }
                  if (::open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES) {
                      return 2;
                  }
                  if (::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) >= 0) {
                      return 3;
                  }
                  char byte = 0;
                  return ::read(open_before, &byte, 1) == 1 ? 0 : 4;
              }),
              0);
}

TEST(Sandbox, WhereItSaysSoTheNetworkIsAnEmptyOne) {
    struct stat here{};
    ASSERT_EQ(::stat("/proc/self/ns/net", &here), 0);
    const int outcome = in_a_process([&here] {
        const int proc = ::open("/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (!close_sandbox().network) {
            return 77;
        }
        struct stat there{};
        return ::fstatat(proc, "net", &there, 0) == 0 && there.st_ino != here.st_ino ? 0 : 1;
    });
    if (outcome == 77) {
        GTEST_SKIP() << "this process may not make a network namespace";
    }
    EXPECT_EQ(outcome, 0);
}

}  // namespace
}  // namespace durascribe::worker
