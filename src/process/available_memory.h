// How much memory this machine could still give to a worker.
#pragma once

#include <cstdint>
#include <filesystem>

#include "durascribe/process/control_group.h"

namespace durascribe::process {

// What the kernel tells of memory; other files for tests.
struct MemoryFacts {
    std::filesystem::path meminfo = "/proc/meminfo";
    GroupFacts groups;
};

// The least of: MemAvailable of /proc/meminfo (proc(5)), which is without swapping and counts page
// cache as far as it can be dropped; and, for each control group that the server is in and those
// around it (a container's, a service's), what its limit leaves, in the same sense. 0: not known.
std::int64_t available_memory_bytes(const MemoryFacts& facts = {});

}  // namespace durascribe::process
