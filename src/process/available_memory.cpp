#include "durascribe/process/available_memory.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace durascribe::process {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

// "name value" in each line.
std::int64_t value_in(const fs::path& file, std::string_view wanted) {
    std::ifstream lines(file);
    std::string name;
    std::int64_t value = 0;
    std::string unit;
    while (lines >> name >> value) {
        std::getline(lines, unit);
        if (name == wanted) {
            return value;
        }
    }
    return 0;
}

// nullopt: there is no such file, or it says "max".
std::optional<std::int64_t> number_in(const fs::path& file) {
    std::ifstream in(file);
    std::int64_t value = 0;
    return in >> value ? std::optional(value) : std::nullopt;
}

// What a memory controller calls its files, by version.
struct Names {
    std::string_view limit;
    std::string_view used;
    std::array<std::string_view, 2> cache;  // in memory.stat: of files, of the groups below, too
};
constexpr Names kVersion2{"memory.max", "memory.current", {"inactive_file", "active_file"}};
constexpr Names kVersion1{
    "memory.limit_in_bytes", "memory.usage_in_bytes", {"total_inactive_file", "total_active_file"}};

// What the limits of this group and of those around it leave.
std::int64_t left_in_groups(fs::path group, const Names& names) {
    std::int64_t left = kNoLimit;
    while (const auto used = number_in(group / names.used)) {
        if (const auto limit = number_in(group / names.limit)) {
            std::int64_t cache = 0;
            for (const std::string_view name : names.cache) {
                cache += value_in(group / "memory.stat", name);
            }
            left = std::min(left, *limit - *used + std::min(cache, *used));
        }
        group = group.parent_path();
    }
    return std::max(std::int64_t{1}, left);  // 0 would be "not known"
}

}  // namespace

std::int64_t available_memory_bytes(const MemoryFacts& facts) {
    std::int64_t left = value_in(facts.meminfo, "MemAvailable:") * 1024;
    if (left == 0) {
        return 0;
    }
    if (const auto group = own_group(facts.groups, "")) {
        left = std::min(left, left_in_groups(*group, kVersion2));
    }
    if (const auto group = own_group(facts.groups, "memory")) {
        left = std::min(left, left_in_groups(*group, kVersion1));
    }
    return left;
}

}  // namespace durascribe::process
