#include "durascribe/process/limits_in_force.h"

#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include <fmt/format.h>

#include "durascribe/base/log.h"

namespace durascribe::process {
namespace {

// One that can't be used is let go, and the log says why.
void keep_if_usable(std::optional<GroupPlace>& place, const GroupPlaces& alone,
                    const GroupLimits& limits) {
    if (!place) {
        return;
    }
    if (auto group = WorkerGroup::make(alone, limits); !group) {
        log::info("control groups in {} are not used: {}", place->directory.string(),
                  group.error().detail);
        place.reset();
    }
}

bool kernel_has_landlock() {
    return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

bool kernel_has_seccomp_filters() {
    const std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

}  // namespace

LimitsInForce LimitsInForce::find(MemoryLimitBy by, const GroupLimits& limits) {
    LimitsInForce out;
    out.places = find_group_places();
    WorkerGroup::remove_leftovers(out.places);
    const bool grouped = by == MemoryLimitBy::best || by == MemoryLimitBy::control_group;
    if (!grouped || limits.memory_bytes == 0) {
        out.places.memory.reset();
    }
    if (limits.cores == 0) {
        out.places.cpu.reset();
    }
    keep_if_usable(out.places.memory, {out.places.memory, {}}, limits);
    keep_if_usable(out.places.cpu, {{}, out.places.cpu}, limits);
    out.watchdog = limits.memory_bytes > 0;
    out.data_size = out.watchdog && !out.places.memory && by != MemoryLimitBy::watchdog;
    out.landlock = kernel_has_landlock();
    out.seccomp = kernel_has_seccomp_filters();
    return out;
}

std::string LimitsInForce::text() const {
    std::string memory = "no limit";
    if (watchdog) {
        memory = places.memory ? fmt::format("control group v{} + watchdog", places.memory->version)
                 : data_size   ? "RLIMIT_DATA + watchdog"
                               : "watchdog";
    }
    const std::string cpu =
        places.cpu ? fmt::format("control group v{}", places.cpu->version) : "number of threads";
    return fmt::format("memory: {}; CPU: {}; media worker: {} + {}", memory, cpu,
                       landlock ? "Landlock" : "no Landlock", seccomp ? "seccomp" : "no seccomp");
}

}  // namespace durascribe::process
