// What a media worker gives up before it is given bytes of a stranger. Beside the limits that
// process/ sets from outside (docs/worker-protocol.md).
#pragma once

#include <span>

namespace durascribe::worker {

struct Sandbox {
    bool files = false;    // nothing on any file system can be opened, made or run (Landlock)
    bool network = false;  // a network namespace of its own, with nothing in it
    bool calls = false;  // of the kernel's calls, those alone that decoding takes (system_calls.h)
};

// For the calling thread and all that it starts, and for good. Open descriptors stay usable.
// Returns what could be had: Landlock needs Linux 5.13 and to be enabled there, the network
// namespace needs the right to make one or a user namespace, the calls need seccomp filters.
Sandbox close_sandbox();

// Its files alone, but for reading those named, where they are there. Whether it could be had.
bool close_files_but(std::span<const char* const> readable);

}  // namespace durascribe::worker
