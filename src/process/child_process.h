// One child process: started with nothing but what it is given, killed and reaped by its owner. Not
// here: what is said to it (process_worker.h).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/unique_fd.h"
#include "durascribe/process/control_group.h"
#include "durascribe/protocol/channel.h"

namespace durascribe::process {

// The descriptor under which a child finds its socket.
inline constexpr int kSocketFd = protocol::kWorkerSocketFd;

// What a child may use up. Enforced by the kernel (setrlimit(2)), set before its program starts.
struct ChildLimits {
    std::int64_t memory_bytes = 0;  // private writable memory (RLIMIT_DATA); 0: no limit
    std::int64_t file_bytes = -1;   // size of any file it writes (RLIMIT_FSIZE); -1: no limit
    int open_files = 64;
    // Further threads and processes of the user. Not enforced for root, and counted over all
    // processes of the user, so that it is a fuse against fork bombs and no more. 0: as the server.
    int processes = 0;
};

struct ChildSettings {
    std::filesystem::path program;
    std::vector<std::string> arguments;    // after the program's name
    std::vector<std::string> environment;  // "NAME=value", whole
    int socket_fd = -1;                    // becomes kSocketFd; stays the caller's to close
    ChildLimits limits;
    int niceness = 0;
};

// How a process ended, as wait(2) has it.
struct ExitStatus {
    bool by_signal = false;
    int value = 0;  // signal number or exit code
    bool operator==(const ExitStatus&) const = default;
};

// Used by one thread at a time. The kernel kills the child when the *thread* that started it ends
// (PR_SET_PDEATHSIG), so that one must live as long as the child.
class ChildProcess {
  public:
    // Returns when the program has been executed. Standard input and output are /dev/null, standard
    // error is a pipe (errors()), no other descriptor but the socket is open, no signal is blocked
    // or ignored, no new privileges can be gained, no core is dumped. Errors: internal
    // "worker_start_failed" (no such program, not executable), memory.
    // The child is in `group` before its program starts.
    static Result<ChildProcess> start(const ChildSettings& settings, WorkerGroup group = {});

    ChildProcess() = default;
    ChildProcess(ChildProcess&&) noexcept = default;
    ChildProcess& operator=(ChildProcess&&) = delete;
    ~ChildProcess();  // kills and reaps

    bool running() const { return pidfd_.valid(); }  // not yet reaped
    int pid() const { return static_cast<int>(pid_); }
    int pidfd() const { return pidfd_.get(); }    // readable when the process has ended
    int errors() const { return errors_.get(); }  // what it writes to standard error; non-blocking

    // SIGKILL, then waits for the end. A process that the kernel can't end yet (a disk that does
    // not answer) is waited for, with a warning in the log every few seconds: as long as it lives,
    // it may still write. Where it has a group, what it has started is dead as well, or has been
    // waited for for two seconds; elsewhere that dies by itself (yt-dlp by its death signal),
    // perhaps milliseconds later.
    ExitStatus kill_and_reap();

    // Of the ended one: the kernel killed in its group, whose memory limit was reached.
    bool killed_for_memory() const { return killed_for_memory_; }

    // 0 where it is not known.
    std::int64_t resident_bytes() const;
    // Of that, and of what is swapped out, what belongs to no file: a model mapped from its file is
    // not in it. 0 where it is not known.
    std::int64_t anonymous_bytes() const;
    // Lowers (never raises) the largest file size of the running child. Errors: internal.
    Result<void> limit_file_size(std::int64_t bytes) const;

  private:
    ChildProcess(pid_t pid, UniqueFd pidfd, UniqueFd errors, WorkerGroup group);

    pid_t pid_ = 0;
    UniqueFd pidfd_;
    UniqueFd errors_;
    WorkerGroup group_;  // until it is reaped
    bool killed_for_memory_ = false;
};

}  // namespace durascribe::process
