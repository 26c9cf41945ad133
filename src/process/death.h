// What the end of a worker process that gave no result tells: the error, and thereby what follows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "durascribe/base/error.h"
#include "durascribe/process/child_process.h"

namespace durascribe::process {

// "SIGSEGV"; "signal 64" where it has no name.
std::string signal_name(int signal);

// How often the kernel has killed a process of this machine because memory ran out, since it was
// booted (oom_kill in /proc/vmstat, control groups included); nullopt where it does not tell.
std::optional<std::int64_t> out_of_memory_kills();

struct MemoryFacts {
    std::int64_t limit_bytes = 0;  // of the worker; 0: none
    bool limit_reached = false;    // the kernel killed it for that limit
    bool machine_ran_out = false;  // the kernel killed something for lack of memory meanwhile
};

// memory "memory_limit": names the limit and the remedy; the detail begins with who found it
// reached. `doing` as below.
Error memory_limit_reached(std::int64_t limit_bytes, std::string_view found_by,
                           std::string_view doing, std::string_view last_words);

// The error for a process that ended by itself. memory: it says so (protocol::kExitOutOfMemory), or
// it was killed by a SIGKILL that was not ours while the kernel killed for lack of memory
// (`memory`). input "media_too_large": it wrote past the size that the job allows
// (SIGXFSZ). Everything else is crash: "killed" by somebody's SIGKILL, or "worker_died". `doing`
// reads like "while decoding, after 12.0 s of audio".
Error error_of_death(const ExitStatus& status, std::string_view doing, std::string last_words,
                     const MemoryFacts& memory);

}  // namespace durascribe::process
