// For what a process does to itself for good.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include <gtest/gtest.h>

namespace durascribe::testing {

// Exit code of a process that does this and nothing else; of one that a signal ended, its number
// and 128.
inline int in_a_process(const std::function<int()>& what) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::_exit(what());
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace durascribe::testing
