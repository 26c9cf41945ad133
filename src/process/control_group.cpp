#include "durascribe/process/control_group.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

extern "C" {  // missing in the header of glibc 2.36
#include <sys/pidfd.h>
}

#include <fmt/format.h>

#include "durascribe/base/log.h"

namespace durascribe::process {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "durascribe-worker-";
constexpr std::string_view kServerGroup = "durascribe-server";
constexpr std::int64_t kPeriodMicros = 100'000;
constexpr std::int64_t kQuotaMicrosMin = 1'000;  // the kernel takes no less
// What the kernel gives a group that says nothing, like the server's.
constexpr double kUsualWeight = 100;   // version 2
constexpr double kUsualShares = 1024;  // version 1

std::string text_of(const fs::path& file) {
    std::ifstream in(file);
    std::ostringstream out;
    out << in.rdbuf();
    return std::move(out).str();
}

bool has_word(const fs::path& file, std::string_view word) {
    std::istringstream words(text_of(file));
    std::string one;
    while (words >> one) {
        if (one == word) {
            return true;
        }
    }
    return false;
}

bool in_list(std::string_view list, std::string_view item) {
    return fmt::format(",{},", list).find(fmt::format(",{},", item)) != std::string::npos;
}

// 0, or the errno. Files of control groups take a value in one write.
int write_value(const fs::path& file, std::string_view value) {
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) {
        return errno;
    }
    const ssize_t written = ::write(fd.get(), value.data(), value.size());
    return written == static_cast<ssize_t>(value.size()) ? 0 : (written < 0 ? errno : EIO);
}

// ---- where ----

// This process's path in the tree that has `controller`; version 2: "".
std::optional<std::string> path_in_tree(const fs::path& membership, std::string_view controller) {
    std::ifstream lines(membership);
    std::string line;
    while (std::getline(lines, line)) {  // "4:memory:/path", "0::/path"
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) {
            continue;
        }
        const auto list = std::string_view(line).substr(first + 1, second - first - 1);
        if (controller.empty() ? line.starts_with("0::") : in_list(list, controller)) {
            return line.substr(second + 1);
        }
    }
    return std::nullopt;
}

// The server alone in its group makes room for groups with controllers.
bool hand_on(const fs::path& group) {
    const std::string self = std::to_string(::getpid());
    if (text_of(group / "cgroup.procs") != self + "\n") {
        return false;
    }
    const fs::path inner = group / kServerGroup;
    if ((::mkdir(inner.c_str(), 0755) != 0 && errno != EEXIST) ||
        write_value(inner / "cgroup.procs", self) != 0) {
        return false;
    }
    if (write_value(group / "cgroup.subtree_control", "+memory") == 0) {
        write_value(group / "cgroup.subtree_control", "+cpu");  // a wish; asked for below
        return true;
    }
    if (const int error = write_value(group / "cgroup.procs", self); error != 0) {
        log::warning("could not move back to {}: {}", group.string(),
                     std::generic_category().message(error));
    }
    return false;
}

std::optional<GroupPlace> place_v2(const GroupFacts& facts, std::string_view controller) {
    auto group = own_group(facts, "");
    if (!group) {
        return std::nullopt;
    }
    // Where we have moved to our inner group before, the one around it is ours.
    if (group->filename() == kServerGroup) {
        group = group->parent_path();
    }
    const fs::path handed_on = *group / "cgroup.subtree_control";
    if (!has_word(*group / "cgroup.controllers", controller) ||
        ::access(group->c_str(), W_OK) != 0 || ::access(handed_on.c_str(), W_OK) != 0) {
        return std::nullopt;
    }
    if (!has_word(handed_on, controller) &&
        (!hand_on(*group) || !has_word(handed_on, controller))) {
        return std::nullopt;
    }
    return GroupPlace{*group, 2};
}

std::optional<GroupPlace> place_v1(const GroupFacts& facts, std::string_view controller) {
    const auto group = own_group(facts, controller);
    if (!group || ::access(group->c_str(), W_OK) != 0) {
        return std::nullopt;
    }
    // Without this, memory of a group below would not count for the server's own limit.
    if (controller == "memory" && !has_word(*group / "memory.use_hierarchy", "1")) {
        return std::nullopt;
    }
    return GroupPlace{*group, 1};
}

// ---- names: durascribe-worker-<pid>-<start of that process>-<number> ----

// In ticks since boot (proc_pid_stat(5), field 22), so that a pid that is used again is told apart.
std::string start_of(const std::string& pid) {
    const std::string stat = text_of(fs::path("/proc") / pid / "stat");
    const auto after_name = stat.rfind(')');
    if (after_name == std::string::npos) {
        return "";
    }
    std::istringstream fields(stat.substr(after_name + 1));
    std::string field;
    for (int i = 3; i <= 22; ++i) {
        fields >> field;
    }
    return field;
}

std::string next_name() {
    static std::atomic<std::int64_t> number{0};
    const std::string pid = std::to_string(::getpid());
    return fmt::format("{}{}-{}-{}", kPrefix, pid, start_of(pid), ++number);
}

bool of_living_server(std::string_view name) {
    name.remove_prefix(kPrefix.size());
    const auto first = name.find('-');
    const auto second = name.find('-', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) {
        return true;  // none of ours
    }
    return start_of(std::string(name.substr(0, first))) ==
           name.substr(first + 1, second - first - 1);
}

}  // namespace

// As proc_pid_mountinfo(5) has it.
std::optional<fs::path> own_group(const GroupFacts& facts, std::string_view controller) {
    const auto path = path_in_tree(facts.membership, controller);
    std::ifstream lines(facts.mounts);
    std::string line;
    while (path && std::getline(lines, line)) {
        const auto dash = line.find(" - ");
        if (dash == std::string::npos) {
            continue;
        }
        std::istringstream front(line);
        std::istringstream back(line.substr(dash + 3));
        std::string skipped, root, point, type, source, options;
        front >> skipped >> skipped >> skipped >> root >> point;
        back >> type >> source >> options;
        if (controller.empty() ? type != "cgroup2"
                               : type != "cgroup" || !in_list(options, controller)) {
            continue;
        }
        const fs::path below = fs::path(*path).lexically_relative(root);
        if (below.empty() || *below.begin() == "..") {
            continue;  // mounted here is another part of the tree
        }
        return (point / below).lexically_normal();
    }
    return std::nullopt;
}

GroupPlaces find_group_places(const GroupFacts& facts) {
    GroupPlaces out{place_v2(facts, "memory"), place_v2(facts, "cpu")};
    if (!out.memory) {
        out.memory = place_v1(facts, "memory");
    }
    if (!out.cpu) {
        out.cpu = place_v1(facts, "cpu");
    }
    return out;
}

// ---- one worker's ----

Result<void> WorkerGroup::add(const GroupPlace& place, const std::string& name) {
    const fs::path directory = place.directory / name;
    for (Part& part : parts_) {
        if (part.directory == directory) {
            return {};
        }
        if (!part.directory.empty()) {
            continue;
        }
        if (::mkdir(directory.c_str(), 0755) != 0) {
            return std::unexpected(system_error(errno, "make " + directory.string()));
        }
        part.directory = directory;
        const fs::path joint = directory / "cgroup.procs";
        part.joint = UniqueFd(::open(joint.c_str(), O_WRONLY | O_CLOEXEC));
        if (!part.joint.valid()) {
            return std::unexpected(system_error(errno, "open " + joint.string()));
        }
        return {};
    }
    return {};
}

Result<WorkerGroup> WorkerGroup::make(const GroupPlaces& places, const GroupLimits& limits) {
    WorkerGroup group;
    group.limits_ = limits;
    const std::string name = next_name();
    const bool memory = places.memory && limits.memory_bytes > 0;
    const bool cpu = places.cpu && limits.cores > 0;
    struct Value {
        fs::path file;
        std::string value;
        bool needed;
        int harmless = 0;  // an errno that leaves what is to be had
    };
    std::vector<Value> values;
    if (memory) {
        if (auto added = group.add(*places.memory, name); !added) {
            return std::unexpected(std::move(added.error()));
        }
        const fs::path d = places.memory->directory / name;
        const std::string bytes = std::to_string(limits.memory_bytes);
        if (places.memory->version == 2) {
            values = {{d / "memory.max", bytes, true},
                      {d / "memory.swap.max", "0", false},  // not there without swap
                      {d / "memory.oom.group", "1", false}};
            group.memory_events_ = d / "memory.events";
        } else {
            values = {{d / "memory.limit_in_bytes", bytes, true},
                      {d / "memory.memsw.limit_in_bytes", bytes, false}};
            group.memory_events_ = d / "memory.oom_control";
        }
    }
    if (cpu) {
        if (auto added = group.add(*places.cpu, name); !added) {
            return std::unexpected(std::move(added.error()));
        }
        const fs::path d = places.cpu->directory / name;
        const auto quota =
            std::max(kQuotaMicrosMin, static_cast<std::int64_t>(limits.cores * kPeriodMicros));
        if (places.cpu->version == 2) {
            values.push_back({d / "cpu.max", fmt::format("{} {}", quota, kPeriodMicros), true});
            values.push_back({d / "cpu.weight",
                              std::to_string(std::lround(kUsualWeight * limits.cpu_weight)),
                              false});
        } else {
            values.push_back({d / "cpu.cfs_period_us", std::to_string(kPeriodMicros), true});
            // Refused where a group above has less, which then holds.
            values.push_back({d / "cpu.cfs_quota_us", std::to_string(quota), true, EINVAL});
            values.push_back({d / "cpu.shares",
                              std::to_string(std::lround(kUsualShares * limits.cpu_weight)),
                              false});
        }
    }
    for (const Value& v : values) {
        const int error = write_value(v.file, v.value);
        if (error != 0 && error != v.harmless && (v.needed || error != ENOENT)) {
            return std::unexpected(system_error(error, "set " + v.file.string()));
        }
    }
    return group;
}

void WorkerGroup::remove_leftovers(const GroupPlaces& places) {
    for (const auto* place : {&places.memory, &places.cpu}) {
        if (!*place) {
            continue;
        }
        std::error_code error;
        for (const auto& entry : fs::directory_iterator((*place)->directory, error)) {
            const std::string name = entry.path().filename().string();
            if (!name.starts_with(kPrefix) || of_living_server(name)) {
                continue;
            }
            if (::rmdir(entry.path().c_str()) != 0 && errno != ENOENT) {
                log::warning("the left-over control group {} could not be removed: {}",
                             entry.path().string(), std::generic_category().message(errno));
            }
        }
    }
}

WorkerGroup& WorkerGroup::operator=(WorkerGroup&& other) noexcept {
    if (this != &other) {
        release();
        parts_ = std::exchange(other.parts_, {});
        memory_events_ = std::exchange(other.memory_events_, {});
        kills_before_ = other.kills_before_;
        limits_ = other.limits_;
        home_ = std::exchange(other.home_, nullptr);
    }
    return *this;
}

std::array<int, WorkerGroup::kPlacesMax> WorkerGroup::joints() const {
    std::array<int, kPlacesMax> out{};
    std::ranges::transform(parts_, out.begin(), [](const Part& p) { return p.joint.get(); });
    return out;
}

std::int64_t WorkerGroup::kills() const {
    std::istringstream words(memory_events_.empty() ? "" : text_of(memory_events_));
    std::string name;
    std::int64_t value = 0;
    while (words >> name >> value) {
        if (name == "oom_kill") {
            return value;
        }
    }
    return 0;
}

// What the page cache holds makes room by itself; shared memory and files of a tmpfs do not.
bool WorkerGroup::as_new() const {
    constexpr std::int64_t kLeftMax = 1 << 20;
    for (const Part& part : parts_) {
        if (!part.directory.empty() &&
            ::access((part.directory / "cgroup.procs").c_str(), W_OK) != 0) {
            return false;
        }
    }
    if (memory_events_.empty()) {
        return true;
    }
    std::istringstream words(text_of(memory_events_.parent_path() / "memory.stat"));
    std::string name;
    std::int64_t bytes = 0;
    while (words >> name >> bytes) {
        if (name == "shmem") {
            return bytes <= kLeftMax;
        }
    }
    return true;
}

bool WorkerGroup::killed_for_memory() const {
    return kills() > kills_before_;
}

std::vector<UniqueFd> WorkerGroup::kill_all() const {
    std::vector<UniqueFd> living;
    for (const Part& part : parts_) {
        if (part.directory.empty()) {
            continue;
        }
        const fs::path procs = part.directory / "cgroup.procs";
        std::istringstream words(text_of(procs));
        pid_t pid = 0;
        while (words >> pid) {
            UniqueFd process(::pidfd_open(pid, 0));
            pollfd ended{process.get(), POLLIN, 0};
            // Its number may be another's by now: what is in the group once it is held is killed.
            if (process.valid() && ::poll(&ended, 1, 0) == 0 &&
                has_word(procs, std::to_string(pid)) &&
                ::pidfd_send_signal(process.get(), SIGKILL, nullptr, 0) == 0) {
                living.push_back(std::move(process));
            }
        }
    }
    return living;
}

void WorkerGroup::end_all(Millis patience) const {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (auto living = kill_all(); !living.empty(); living = kill_all()) {
        for (const UniqueFd& process : living) {
            const auto left = std::chrono::ceil<Millis>(until - std::chrono::steady_clock::now());
            pollfd ended{process.get(), POLLIN, 0};
            if (left <= Millis{0} || ::poll(&ended, 1, static_cast<int>(left.count())) == 0) {
                log::warning(
                    "{} processes that a worker had started were killed and have not ended",
                    living.size());
                return;
            }
        }
    }
}

void WorkerGroup::remove() {
    for (Part& part : parts_) {
        if (!part.directory.empty() && ::rmdir(part.directory.c_str()) != 0 && errno != ENOENT) {
            log::warning("the control group {} could not be removed: {}", part.directory.string(),
                         std::generic_category().message(errno));
        }
        part.directory.clear();
        part.joint.reset();
    }
    memory_events_.clear();
}

// ---- all workers' ----

struct WorkerGroup::Idle {
    std::mutex mutex;
    bool open = true;                 // guarded by mutex; false: what comes back is removed
    std::vector<WorkerGroup> groups;  // guarded by mutex
};

void WorkerGroup::release() {
    const std::shared_ptr<Idle> home = std::exchange(home_, nullptr);
    if (home != nullptr) {
        const std::scoped_lock lock(home->mutex);
        if (home->open && !parts_.front().directory.empty()) {
            home->groups.push_back(std::move(*this));
        }
    }
    remove();
}

WorkerGroups::WorkerGroups(GroupPlaces places)
    : places_(std::move(places)), idle_(std::make_shared<WorkerGroup::Idle>()) {}

WorkerGroups::WorkerGroups(WorkerGroups&&) noexcept = default;

WorkerGroups::~WorkerGroups() {
    if (idle_ == nullptr) {
        return;  // moved from
    }
    std::vector<WorkerGroup> groups;
    const std::scoped_lock lock(idle_->mutex);
    idle_->open = false;
    groups = std::exchange(idle_->groups, {});
}

Result<WorkerGroup> WorkerGroups::lend(const GroupLimits& limits) {
    {
        const std::scoped_lock lock(idle_->mutex);
        while (true) {
            const auto found = std::ranges::find(idle_->groups, limits, &WorkerGroup::limits_);
            if (found == idle_->groups.end()) {
                break;
            }
            WorkerGroup group = std::move(*found);
            idle_->groups.erase(found);
            if (group.as_new()) {
                group.kills_before_ = group.kills();
                group.home_ = idle_;
                return group;
            }
        }
    }
    auto made = WorkerGroup::make(places_, limits);
    if (made) {
        made->home_ = idle_;
    }
    return made;
}

}  // namespace durascribe::process
