// What holds a worker on this machine: found once, when its factory is made, and told to people.
#pragma once

#include <string>

#include "durascribe/process/control_group.h"

namespace durascribe::process {

// What bounds a worker's memory beside the watchdog, which is always there.
enum class MemoryLimitBy {
    best,           // a control group where one can be had, else data_size
    control_group,  // as best
    data_size,      // RLIMIT_DATA: private writable memory
    watchdog,       // nothing else
};

struct LimitsInForce {
    GroupPlaces places;  // empty where they are not used
    bool data_size = false;
    bool watchdog = false;  // false: memory has no limit at all
    bool landlock = false;  // for media workers
    bool seccomp = false;   // for media workers

    // Tries what it finds: a place where no group with these limits can be made is not used.
    static LimitsInForce find(MemoryLimitBy by, const GroupLimits& limits);
    // "memory: control group v1 + watchdog; CPU: control group v1; media worker: Landlock +
    // seccomp"
    std::string text() const;
};

}  // namespace durascribe::process
