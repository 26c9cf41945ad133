// Where groups can be made, on trees of plain files that look like the kernel's.
#include "durascribe/process/control_group.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>

#include <fmt/format.h>

#include "durascribe/process/limits_in_force.h"
#include "scratch_directory.h"

namespace durascribe::process {
namespace {

namespace fs = std::filesystem;

class GroupTrees : public ::testing::Test {
  protected:
    void put(const fs::path& file, const std::string& text) const {
        fs::create_directories((top_ / file).parent_path());
        std::ofstream(top_ / file) << text;
    }
    std::string get(const fs::path& file) const {
        std::ifstream in(top_ / file);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::string mount(const std::string& root, const std::string& at, const std::string& rest) {
        return fmt::format("30 24 0:26 {} {} rw,nosuid shared:9 - {}\n", root, (top_ / at).string(),
                           rest);
    }
    GroupFacts facts() const { return {top_ / "membership", top_ / "mounts"}; }
    // A group of version 2 with these files.
    void v2(const std::string& membership, const std::string& handed_on, const std::string& procs) {
        put("membership", membership);
        put("mounts", mount("/", "u", "cgroup2 cgroup rw"));
        put("u/svc/cgroup.controllers", "cpu memory pids\n");
        put("u/svc/cgroup.subtree_control", handed_on);
        put("u/svc/cgroup.procs", procs);
    }
    testing::ScratchDirectory scratch_;
    const fs::path top_ = scratch_.path();
};

TEST_F(GroupTrees, ControllersThatAreHandedOnAreUsedWhereWeStand) {
    v2("0::/svc\n", "cpu memory\n", "");
    const GroupPlaces found = find_group_places(facts());
    EXPECT_EQ(found.memory, (GroupPlace{top_ / "u/svc", 2}));
    EXPECT_EQ(found.cpu, (GroupPlace{top_ / "u/svc", 2}));
}

TEST_F(GroupTrees, AServerThatHasMovedToItsInnerGroupUsesTheOneAround) {
    v2("0::/svc/durascribe-server\n", "cpu memory\n", "");
    EXPECT_EQ(find_group_places(facts()).memory, (GroupPlace{top_ / "u/svc", 2}));
}

// Plain files keep what was written: the moves can be read, their effect is the kernel's.
TEST_F(GroupTrees, AServerAloneInItsGroupMovesDownAndHandsOn) {
    v2("0::/svc\n", "", std::to_string(::getpid()) + "\n");
    put("u/svc/durascribe-server/cgroup.procs", "");
    static_cast<void>(find_group_places(facts()));
    EXPECT_EQ(get("u/svc/durascribe-server/cgroup.procs"), std::to_string(::getpid()));
    EXPECT_NE(get("u/svc/cgroup.subtree_control"), "");
}

TEST_F(GroupTrees, AGroupSharedWithOthersIsLeftAlone) {
    v2("0::/svc\n", "", std::to_string(::getpid()) + "\n1\n");
    EXPECT_FALSE(find_group_places(facts()).memory);
    EXPECT_FALSE(fs::exists(top_ / "u/svc/durascribe-server"));
    EXPECT_EQ(get("u/svc/cgroup.subtree_control"), "");
}

TEST_F(GroupTrees, VersionOneIsTakenWhereVersionTwoHasNoController) {
    put("membership", "4:memory:/box/a\n2:cpu,cpuacct:/\n0::/\n");
    put("mounts", mount("/box", "m", "cgroup cgroup rw,memory") +
                      mount("/", "c", "cgroup cgroup rw,cpu,cpuacct") +
                      mount("/", "u", "cgroup2 cgroup rw"));
    put("u/cgroup.controllers", "");
    put("u/cgroup.subtree_control", "");
    put("m/a/memory.use_hierarchy", "1\n");
    fs::create_directories(top_ / "c");
    const GroupPlaces found = find_group_places(facts());
    EXPECT_EQ(found.memory, (GroupPlace{top_ / "m/a", 1}));
    EXPECT_EQ(
        found.cpu->directory.lexically_normal().string().substr(0, (top_ / "c").string().size()),
        (top_ / "c").string());

    // Memory of groups below would not count for the server's limit.
    put("m/a/memory.use_hierarchy", "0\n");
    EXPECT_FALSE(find_group_places(facts()).memory);
}

TEST_F(GroupTrees, AMountOfAnotherPartOfTheTreeIsNotOurs) {
    v2("0::/elsewhere\n", "cpu memory\n", "");
    put("mounts", mount("/svc", "u/svc", "cgroup2 cgroup rw"));
    EXPECT_FALSE(find_group_places(facts()).memory);
}

TEST_F(GroupTrees, LeftoversOfDeadServersGoAndThoseOfLivingOnesStay) {
    const std::string dead = "p/durascribe-worker-" + std::to_string(::getpid()) + "-1-1";
    fs::create_directories(top_ / dead);  // our number, but an earlier process's
    fs::create_directories(top_ / "p/durascribe-worker-4194999-5-1");
    fs::create_directories(top_ / "p/somebody-else");
    const GroupPlaces places{GroupPlace{top_ / "p", 1}, {}};
    WorkerGroup::remove_leftovers(places);
    EXPECT_FALSE(fs::exists(top_ / dead));
    EXPECT_FALSE(fs::exists(top_ / "p/durascribe-worker-4194999-5-1"));
    EXPECT_TRUE(fs::exists(top_ / "p/somebody-else"));
}

TEST_F(GroupTrees, AGroupOfALivingServerStays) {
    const GroupPlaces places = LimitsInForce::find(MemoryLimitBy::best, {64 << 20, 1}).places;
    if (!places.memory) {
        GTEST_SKIP() << "no memory control group can be made here";
    }
    auto group = WorkerGroup::make(places, {64 << 20, 1});
    ASSERT_TRUE(group.has_value()) << group.error().detail;
    WorkerGroup::remove_leftovers(places);
    EXPECT_EQ(::write(group->joints()[0], "", 0), 0);
    EXPECT_FALSE(group->killed_for_memory());
    const auto entries = fs::directory_iterator(places.memory->directory);
    const auto ours = std::count_if(begin(entries), end(entries), [](const auto& entry) {
        return entry.path().filename().string().starts_with("durascribe-worker-" +
                                                            std::to_string(::getpid()) + "-");
    });
    EXPECT_EQ(ours, 1);
}

TEST(Limits, TheTextTellsWhatIsInForce) {
    LimitsInForce limits;
    EXPECT_EQ(limits.text(),
              "memory: no limit; CPU: number of threads; media worker: no Landlock + no seccomp");
    limits = {{GroupPlace{"/x", 2}, GroupPlace{"/y", 1}}, false, true, true, true};
    EXPECT_EQ(limits.text(),
              "memory: control group v2 + watchdog; CPU: control group v1; media worker: Landlock "
              "+ seccomp");
    limits = {{}, true, true, true, false};
    EXPECT_EQ(limits.text(),
              "memory: RLIMIT_DATA + watchdog; CPU: number of threads; media worker: Landlock + no "
              "seccomp");
}

// With the kernel's own groups: a group's weight is its own, whatever its processes' niceness is.
TEST(WorkerGroups, MakeWayForTheServer) {
    const GroupPlaces places = find_group_places();
    if (!places.cpu) {
        GTEST_SKIP() << "no CPU group can be made here";
    }
    const auto groups = [&] {
        std::set<fs::path> all;
        for (const auto& entry : fs::directory_iterator(places.cpu->directory)) {
            all.insert(entry.path());
        }
        return all;
    };
    const std::set<fs::path> before = groups();
    const auto made = WorkerGroup::make(places, {.cores = 1});
    ASSERT_TRUE(made.has_value()) << made.error().message;
    const std::string mine = fmt::format("-{}-", ::getpid());
    int found = 0;
    for (const fs::path& group : groups()) {
        if (before.contains(group) || group.filename().string().find(mine) == std::string::npos) {
            continue;
        }
        const bool v2 = places.cpu->version == 2;
        int weight = 0;
        std::ifstream(group / (v2 ? "cpu.weight" : "cpu.shares")) >> weight;
        EXPECT_GT(weight, 0);
        EXPECT_LT(weight, v2 ? 50 : 512) << "less than half of the server's";
        ++found;
    }
    EXPECT_EQ(found, 1);
}

// A container that has half a core: workers that may have one have groups all the same.
TEST(WorkerGroups, AreMadeWhereTheGroupAboveHasLess) {
    const GroupPlaces places = find_group_places();
    if (!places.cpu || places.cpu->version != 1) {
        GTEST_SKIP() << "no CPU group of version 1 can be made here";
    }
    const fs::path above = places.cpu->directory / fmt::format("durascribe-test-{}", ::getpid());
    ASSERT_TRUE(fs::create_directory(above));
    std::ofstream(above / "cpu.cfs_quota_us") << 50'000;
    {
        const auto made = WorkerGroup::make({.cpu = GroupPlace{above, 1}}, {.cores = 1});
        EXPECT_TRUE(made.has_value()) << made.error().message;
    }
    EXPECT_EQ(::rmdir(above.c_str()), 0);
}

// A server starts a worker for each file: its groups must not be more than its workers at once.
TEST(WorkerGroups, AreLentAgainAndGoneInTheEnd) {
    const GroupPlaces places = find_group_places();
    if (!places.cpu) {
        GTEST_SKIP() << "no CPU group can be made here";
    }
    const std::string mine = fmt::format("-{}-", ::getpid());
    const auto count = [&] {
        std::ptrdiff_t found = 0;
        for (const auto& entry : fs::directory_iterator(places.cpu->directory)) {
            found += entry.path().filename().string().contains(mine) ? 1 : 0;
        }
        return found;
    };
    {
        WorkerGroups groups(places);
        for (int i = 0; i < 20; ++i) {
            auto first = groups.lend({.cores = 1});
            auto second = groups.lend({.cores = 2});
            ASSERT_TRUE(first.has_value() && second.has_value());
            EXPECT_FALSE(first->killed_for_memory());
            EXPECT_NE(first->joints(), second->joints());
        }
        EXPECT_EQ(count(), 2);
        auto lent = groups.lend({.cores = 1});
        auto another = groups.lend({.cores = 1});
        ASSERT_TRUE(lent.has_value() && another.has_value());
        EXPECT_EQ(count(), 3);
    }
    EXPECT_EQ(count(), 0);
}

// Whoever tidies the machine's groups up must not stop the server from starting workers.
TEST(WorkerGroups, OneThatSomebodyRemovedIsNotLentAgain) {
    const GroupPlaces places = find_group_places();
    if (!places.cpu) {
        GTEST_SKIP() << "no CPU group can be made here";
    }
    const std::string mine = fmt::format("-{}-", ::getpid());
    WorkerGroups groups(places);
    ASSERT_TRUE(groups.lend({.cores = 1}).has_value());
    for (const auto& entry : fs::directory_iterator(places.cpu->directory)) {
        if (entry.path().filename().string().contains(mine)) {
            ASSERT_EQ(::rmdir(entry.path().c_str()), 0);
        }
    }
    const auto again = groups.lend({.cores = 1});
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(::write(again->joints().front(), "", 0), 0) << "a group that is there";
}

}  // namespace
}  // namespace durascribe::process
