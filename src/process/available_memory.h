// How much memory this machine could still give to a worker.
#pragma once

#include <cstdint>

namespace durascribe::process {

// MemAvailable of /proc/meminfo (proc(5)): without swapping, page cache counted as far as it can be
// dropped. A limit set on the server from outside (a container's) is not looked at. 0: not known.
std::int64_t available_memory_bytes();

}  // namespace durascribe::process
