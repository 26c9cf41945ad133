// Control groups (cgroups(7)) for workers: where they can be made on this machine, and one for each
// worker. Not here: what is used where there are none (limits_in_force.h).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/base/unique_fd.h"

namespace durascribe::process {

// A directory under which groups with one controller can be made.
struct GroupPlace {
    std::filesystem::path directory;
    int version = 1;  // of cgroups: 1 or 2
    bool operator==(const GroupPlace&) const = default;
};

struct GroupPlaces {
    std::optional<GroupPlace> memory;
    std::optional<GroupPlace> cpu;
};

// What the kernel tells of its groups; other files for tests.
struct GroupFacts {
    std::filesystem::path membership = "/proc/self/cgroup";
    std::filesystem::path mounts = "/proc/self/mountinfo";
};

// The server's own groups, where their controllers can be handed on: version 2 first, then 1.
// Groups of workers stand below them, so that no limit that holds for the server is escaped.
//
// Version 2 lets no group that has processes hand its controllers on. Where the server is alone in
// a group that is given to it (systemd: Delegate=yes), it moves into "durascribe-server" below it;
// where others are in it too, version 2 is not used. The group at the top of the tree is exempt.
GroupPlaces find_group_places(const GroupFacts& facts = {});

// The directory of this process's own group as it is mounted here: in the tree of version 1 that
// has `controller`, or, where that is empty, in that of version 2. The groups around it are its
// parents.
std::optional<std::filesystem::path> own_group(const GroupFacts& facts,
                                               std::string_view controller);

struct GroupLimits {
    std::int64_t memory_bytes = 0;  // with swap; 0: no limit
    double cores = 0;               // CPU time by time passed; 0: no limit
    // Against a group like the server's, when all want more than there is. A group competes as a
    // whole, by its own weight and not by its processes' niceness: a third is what niceness 5 has.
    double cpu_weight = 1.0 / 3;
    bool operator==(const GroupLimits&) const = default;
};

class WorkerGroups;

// The group of one worker, one directory in each place, with no process in it at first. Given back
// or removed with this object, when the worker has been reaped. Moves; an empty one (default) has
// no group and does nothing.
class WorkerGroup {
  public:
    static constexpr int kPlacesMax = 2;

    // Only limits whose place is known are set. Errors: those of system_error.
    static Result<WorkerGroup> make(const GroupPlaces& places, const GroupLimits& limits);
    // Removes the groups of servers that are no more. Those with a process in them stay.
    static void remove_leftovers(const GroupPlaces& places);

    WorkerGroup() = default;
    WorkerGroup(WorkerGroup&& other) noexcept { *this = std::move(other); }
    WorkerGroup& operator=(WorkerGroup&& other) noexcept;
    ~WorkerGroup() { release(); }

    // Writing "0" to each puts the writing process into the group; -1: there is no such group.
    std::array<int, kPlacesMax> joints() const;
    // The kernel killed in this very group because its memory limit was reached, since it was made
    // or taken.
    bool killed_for_memory() const;
    // Kills what is left in it (of a worker that was reaped: what it had started) and waits for its
    // end, at most `patience`; then the log tells of it.
    void end_all(Millis patience) const;
    // Back to the WorkerGroups that it was taken from; without one, the directories are removed.
    void release();

  private:
    friend class WorkerGroups;
    struct Part {
        std::filesystem::path directory;  // empty: none
        UniqueFd joint;
    };
    struct Idle;
    Result<void> add(const GroupPlace& place, const std::string& name);
    // Its directories are there, and what its last worker left in memory takes nothing worth
    // telling from the next one's limit.
    bool as_new() const;
    std::int64_t kills() const;
    std::vector<UniqueFd> kill_all() const;  // pidfds of those that have not ended yet
    void remove();

    std::array<Part, kPlacesMax> parts_;
    std::filesystem::path memory_events_;  // the file that counts the kills; empty: no limit is set
    std::int64_t kills_before_ = 0;
    GroupLimits limits_;
    std::shared_ptr<Idle> home_;  // where it goes when it is released; null: nowhere
};

// Lends groups, and lends them again: a group that is removed stays in the kernel's memory for as
// long as a page of a file is charged to it, and a server starts workers by the thousand. Keeps as
// many as there were workers at once. Thread-safe; groups may outlive it.
class WorkerGroups {
  public:
    explicit WorkerGroups(GroupPlaces places);
    // Removes those that are not lent.
    ~WorkerGroups();
    WorkerGroups(WorkerGroups&&) noexcept;
    WorkerGroups& operator=(WorkerGroups&&) = delete;

    // One with these limits. Errors: those of WorkerGroup::make.
    Result<WorkerGroup> lend(const GroupLimits& limits);

  private:
    GroupPlaces places_;
    std::shared_ptr<WorkerGroup::Idle> idle_;
};

}  // namespace durascribe::process
