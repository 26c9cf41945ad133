#include "durascribe/worker/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "durascribe/base/unique_fd.h"
#include "durascribe/worker/system_calls.h"

namespace durascribe::worker {
namespace {

// Rights are numbered from bit 0 on; each version of the interface added to the end
// (Documentation/userspace-api/landlock.rst, "Previous limitations"). A right that the kernel does
// not know is refused as a whole set, so that only those of its version are named.
std::uint64_t all_file_rights(long version) {
    constexpr std::uint64_t kOfVersion1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    constexpr std::uint64_t kRefer = 1ULL << 13;     // version 2
    constexpr std::uint64_t kTruncate = 1ULL << 14;  // version 3
    return kOfVersion1 | (version >= 2 ? kRefer : 0) | (version >= 3 ? kTruncate : 0);
}

// A rule set that handles every right and grants none, but for reading those files.
bool give_up_files(std::span<const char* const> readable = {}) {
    const long version =
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) {
        return false;
    }
    landlock_ruleset_attr rules{};
    rules.handled_access_fs = all_file_rights(version);
    const UniqueFd set(static_cast<int>(
        ::syscall(SYS_landlock_create_ruleset, &rules, sizeof rules.handled_access_fs, 0)));
    if (!set.valid()) {
        return false;
    }
    for (const char* path : readable) {
        const UniqueFd file(::open(path, O_PATH | O_CLOEXEC));
        if (!file.valid()) {
            continue;
        }
        landlock_path_beneath_attr rule{};
        rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
        rule.parent_fd = file.get();
        if (::syscall(SYS_landlock_add_rule, set.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) !=
            0) {
            return false;
        }
    }
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::syscall(SYS_landlock_restrict_self, set.get(), 0) == 0;
}

bool give_up_network() {
    return ::unshare(CLONE_NEWNET) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

}  // namespace

bool close_files_but(std::span<const char* const> readable) {
    return give_up_files(readable);
}

Sandbox close_sandbox() {
    // The network first: making a user namespace may need to read files.
    const bool network = give_up_network();
    const bool files = give_up_files();
    return {files, network, give_up_system_calls()};
}

}  // namespace durascribe::worker
