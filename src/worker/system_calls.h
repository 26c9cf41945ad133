// What a media worker may ask of the kernel once it has its sandbox (seccomp).
#pragma once

namespace durascribe::worker {

// For all threads of the process and all that it starts, and for good. From here on it can use the
// descriptors that it has, its memory and its threads; anything else fails with EPERM, and what no
// decoder asks for, only somebody who has taken it over (a program, a process, a socket, another
// process's memory), ends it with SIGSYS. Whether the kernel could be told so; false under a
// sanitizer, whose own end needs more.
bool give_up_system_calls();

}  // namespace durascribe::worker
