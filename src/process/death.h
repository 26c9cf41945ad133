// What the end of a worker process that gave no result tells: the error, and thereby what follows.
#pragma once

#include <string>

#include "durascribe/base/error.h"
#include "durascribe/process/child_process.h"

namespace durascribe::process {

// "SIGSEGV"; "signal 64" where it has no name.
std::string signal_name(int signal);

// The error for a process that ended by itself. memory: it says so (protocol::kExitOutOfMemory) or
// was killed by a SIGKILL that was not ours, which is the kernel's way when memory runs out. input
// "media_too_large": it wrote past the size that the job allows (SIGXFSZ). Everything else is crash
// "worker_died". `doing` reads like "while decoding, after 12.0 s of audio".
Error error_of_death(const ExitStatus& status, std::string_view doing, std::string last_words);

}  // namespace durascribe::process
