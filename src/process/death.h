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

// The error for a process that ended by itself. memory: it says so (protocol::kExitOutOfMemory), or
// it was killed by a SIGKILL that was not ours while the kernel killed for lack of memory
// (`memory_ran_out`). input "media_too_large": it wrote past the size that the job allows
// (SIGXFSZ). Everything else is crash: "killed" by somebody's SIGKILL, or "worker_died". `doing`
// reads like "while decoding, after 12.0 s of audio".
Error error_of_death(const ExitStatus& status, std::string_view doing, std::string last_words,
                     bool memory_ran_out);

}  // namespace durascribe::process
