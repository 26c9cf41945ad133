// What is left of memory, on trees of plain files that look like the kernel's.
#include "durascribe/process/available_memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include <fmt/format.h>

#include "scratch_directory.h"

namespace durascribe::process {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMiB = 1 << 20;

class AvailableMemory : public ::testing::Test {
  protected:
    void SetUp() override {
        put("meminfo", fmt::format("MemTotal: 67108864 kB\nMemFree: 1 kB\nMemAvailable: {} kB\n",
                                   60'000 * kMiB / 1024));
    }
    void put(const fs::path& file, const std::string& text) const {
        fs::create_directories((top_ / file).parent_path());
        std::ofstream(top_ / file) << text;
    }
    void mount(const std::string& root, const std::string& at, const std::string& rest) {
        std::ofstream(top_ / "mounts", std::ios::app) << fmt::format(
            "30 24 0:26 {} {} rw,nosuid shared:9 - {}\n", root, (top_ / at).string(), rest);
    }
    // A group of version 2: its limit ("max": none), what it uses, and how much of that is cache.
    void v2(const fs::path& group, const std::string& limit, std::int64_t used,
            std::int64_t cache) {
        put(group / "memory.max", limit + "\n");
        put(group / "memory.current", std::to_string(used) + "\n");
        put(group / "memory.stat",
            fmt::format("anon 1\nfile 9\ninactive_file {}\nactive_file {}\nslab 3\n", cache / 2,
                        cache - cache / 2));
    }
    std::int64_t left() const {
        return available_memory_bytes({top_ / "meminfo", {top_ / "membership", top_ / "mounts"}});
    }
    testing::ScratchDirectory scratch_;
    const fs::path top_ = scratch_.path();
};

TEST_F(AvailableMemory, WithoutAGroupItIsTheMachines) {
    EXPECT_EQ(left(), 60'000 * kMiB);
}

TEST_F(AvailableMemory, AContainersLimitCountsWhereItIsTheSmaller) {
    put("membership", "0::/\n");
    mount("/", "u", "cgroup2 cgroup rw");
    v2("u", std::to_string(2'048 * kMiB), 500 * kMiB, 0);
    EXPECT_EQ(left(), 1'548 * kMiB);
    v2("u", std::to_string(200'000 * kMiB), 500 * kMiB, 0);
    EXPECT_EQ(left(), 60'000 * kMiB);
    v2("u", "max", 500 * kMiB, 0);
    EXPECT_EQ(left(), 60'000 * kMiB);
}

TEST_F(AvailableMemory, CacheOfFilesMakesRoom) {
    put("membership", "0::/\n");
    mount("/", "u", "cgroup2 cgroup rw");
    v2("u", std::to_string(2'048 * kMiB), 2'000 * kMiB, 1'501 * kMiB);
    EXPECT_EQ(left(), 1'549 * kMiB);
}

TEST_F(AvailableMemory, TheGroupsAroundCountToo) {
    put("membership", "0::/slice/svc/durascribe-server\n");
    mount("/", "u", "cgroup2 cgroup rw");
    v2("u/slice", std::to_string(1'000 * kMiB), 900 * kMiB, 0);
    v2("u/slice/svc", std::to_string(4'096 * kMiB), 500 * kMiB, 0);
    v2("u/slice/svc/durascribe-server", "max", 100 * kMiB, 0);
    EXPECT_EQ(left(), 100 * kMiB);
}

TEST_F(AvailableMemory, VersionOneHasOtherNames) {
    put("membership", "4:memory:/docker/abc\n0::/\n");
    mount("/", "u", "cgroup2 cgroup rw");
    mount("/docker/abc", "m", "cgroup cgroup rw,memory");
    put("m/memory.limit_in_bytes", std::to_string(2'048 * kMiB));
    put("m/memory.usage_in_bytes", std::to_string(1'048 * kMiB));
    put("m/memory.stat",
        fmt::format("inactive_file 7\ntotal_inactive_file {}\ntotal_active_file {}\n", 100 * kMiB,
                    50 * kMiB));
    EXPECT_EQ(left(), 1'150 * kMiB);
    put("m/memory.limit_in_bytes", "9223372036854771712");  // none
    EXPECT_EQ(left(), 60'000 * kMiB);
}

TEST_F(AvailableMemory, AFullGroupIsNotTakenForOneThatIsNotKnown) {
    put("membership", "0::/\n");
    mount("/", "u", "cgroup2 cgroup rw");
    v2("u", std::to_string(2'048 * kMiB), 2'049 * kMiB, 0);
    EXPECT_EQ(left(), 1);
    put("meminfo", "nothing here\n");
    EXPECT_EQ(left(), 0);
}

TEST(AvailableMemoryHere, IsKnown) {
    EXPECT_GT(available_memory_bytes(), 0);
}

}  // namespace
}  // namespace durascribe::process
