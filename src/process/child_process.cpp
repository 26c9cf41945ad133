#include "durascribe/process/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

extern "C" {  // missing in the header of glibc 2.36
#include <sys/pidfd.h>
}

#include <fmt/format.h>

#include "durascribe/base/log.h"

namespace durascribe::process {
namespace {

constexpr int kExecFailed = 127;
// For what a worker has started itself, and dies by its death; as long as a cancel may take.
constexpr Millis kDescendantsPatience{2'000};

// All that the child needs between vfork and exec, made before: there it may neither allocate nor
// take a lock, and every variable that it writes is the parent's.
struct Launch {
    const char* program;
    char* const* arguments;
    char* const* environment;
    int socket_fd;
    int null_fd;
    int errors_fd;
    pid_t parent;
    ChildLimits limits;
    int niceness;
    std::array<int, WorkerGroup::kPlacesMax> groups;  // see WorkerGroup::joints
};

bool set_limit(int resource, std::int64_t value) {
    const rlimit limit{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
    return ::setrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0;
}

bool set_limits(const ChildLimits& limits) {
    return set_limit(RLIMIT_CORE, 0) && set_limit(RLIMIT_NOFILE, limits.open_files) &&
           (limits.memory_bytes == 0 || set_limit(RLIMIT_DATA, limits.memory_bytes)) &&
           (limits.processes == 0 || set_limit(RLIMIT_NPROC, limits.processes)) &&
           set_limit(RLIMIT_FSIZE, limits.file_bytes);
}

bool join_groups(const std::array<int, WorkerGroup::kPlacesMax>& groups) {
    for (const int group : groups) {
        if (group >= 0 && ::write(group, "0", 1) != 1) {
            return false;
        }
    }
    return true;
}

// All above the socket but the groups' (in ascending order), which exec closes.
bool close_the_rest(const std::array<int, WorkerGroup::kPlacesMax>& groups) {
    unsigned from = kSocketFd + 1;
    for (const int group : groups) {
        if (group < 0) {
            continue;
        }
        const auto kept = static_cast<unsigned>(group);
        if (kept > from && ::close_range(from, kept - 1, 0) != 0) {
            return false;
        }
        from = kept + 1;
    }
    return ::close_range(from, ~0U, 0) == 0;
}

// Puts descriptor `from` at `to`, to survive exec.
bool place(int from, int to) {
    return ::dup2(from, to) == to;
}

// Returns only where something failed; errno says what. All descriptors in `l` are above kSocketFd.
void become_the_program(const Launch& l) {
    // First of all, with the server's own share of the processor: until then this process holds
    // what the server holds, the lock of its data directory too, and a successor would wait for it.
    if (!place(l.null_fd, STDIN_FILENO) || !place(l.null_fd, STDOUT_FILENO) ||
        !place(l.errors_fd, STDERR_FILENO) || !place(l.socket_fd, kSocketFd) ||
        !close_the_rest(l.groups) || !join_groups(l.groups)) {
        return;
    }
    // Handlers of the server must not run here: exec resets them, but signals are let through
    // before.
    for (int signal = 1; signal < NSIG; ++signal) {
        ::signal(signal, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return;
    }
    // A session of its own: Ctrl-C at the server's terminal is for the server, which hands the work
    // back; a worker that it reached would count as a crash.
    if (::setsid() < 0) {
        return;
    }
    // The server may have died before the signal was asked for.
    if (::getppid() != l.parent) {
        errno = ESRCH;
        return;
    }
    if (!set_limits(l.limits)) {
        return;
    }
    if (l.niceness != 0) {
        ::setpriority(PRIO_PROCESS, 0, l.niceness);  // a wish: without it, it runs as well
    }
    if (::sigprocmask(SIG_SETMASK, &none, nullptr) == 0) {
        ::execve(l.program, l.arguments, l.environment);
    }
}

// vfork: nothing of the server's memory is copied, and it works where fork would be refused for
// lack of memory. The calling thread stands still until the child has executed its program.
// `failure` is the child's errno where it did not. (Under ThreadSanitizer vfork is fork; a failure
// then shows as an exit with kExecFailed.)
pid_t launch(const Launch& l, volatile int& failure) {
    // posix_spawn can set neither the limits nor the death signal.
    const pid_t pid = ::vfork();  // NOLINT(*-insecureAPI.vfork,bugprone-unsafe-functions)
    if (pid == 0) {
        become_the_program(l);  // NOLINT(clang-analyzer-unix.Vfork): system calls alone
        failure = errno;
        ::_exit(kExecFailed);
    }
    return pid;
}

// Blocks every signal in this thread: a handler must not run in the child on the server's memory.
class SignalsBlocked {
  public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

  private:
    sigset_t before_{};
};

// A copy of the descriptor that is out of the way of those that the child puts in place.
Result<UniqueFd> above_socket_fd(int fd) {
    UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, kSocketFd + 1));
    if (!copy.valid()) {
        return std::unexpected(system_error(errno, "start a worker process"));
    }
    return copy;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (std::string& text : texts) {
        out.push_back(text.data());
    }
    out.push_back(nullptr);
    return out;
}

std::unexpected<Error> start_failed(const std::filesystem::path& program, int error_number) {
    Error error = system_error(error_number, "start a worker process");
    if (error.cls == ErrorClass::memory) {
        return std::unexpected(std::move(error));
    }
    return fail(ErrorClass::internal, "worker_start_failed",
                fmt::format("The worker program {} could not be started. Check that it is there "
                            "and may be executed.",
                            program.string()),
                std::move(error.detail));
}

ExitStatus reap(int pidfd) {
    siginfo_t info{};
    int outcome = 0;
    do {
        outcome = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED);
    } while (outcome != 0 && errno == EINTR);
    // Our child, not yet reaped: anything else means that somebody else reaped it.
    DURASCRIBE_ASSERT(outcome == 0);
    return {info.si_code != CLD_EXITED, info.si_status};
}

}  // namespace

ChildProcess::ChildProcess(pid_t pid, UniqueFd pidfd, UniqueFd errors, WorkerGroup group)
    : pid_(pid), pidfd_(std::move(pidfd)), errors_(std::move(errors)), group_(std::move(group)) {}

Result<ChildProcess> ChildProcess::start(const ChildSettings& settings, WorkerGroup group) {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    std::array<int, 2> ends{-1, -1};
    if (!null.valid() || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return std::unexpected(system_error(errno, "start a worker process"));
    }
    UniqueFd errors_read(ends[0]);
    const UniqueFd errors_write(ends[1]);
    if (::fcntl(errors_read.get(), F_SETFL, O_NONBLOCK) != 0) {
        return std::unexpected(system_error(errno, "start a worker process"));
    }
    const auto null_above = above_socket_fd(null.get());
    const auto errors_above = above_socket_fd(errors_write.get());
    const auto socket_above = above_socket_fd(settings.socket_fd);
    for (const auto* fd : {&null_above, &errors_above, &socket_above}) {
        if (!*fd) {
            return std::unexpected(fd->error());
        }
    }
    std::array<int, WorkerGroup::kPlacesMax> joints = group.joints();
    std::array<UniqueFd, WorkerGroup::kPlacesMax> joints_above;
    for (std::size_t i = 0; i < joints.size(); ++i) {
        if (joints.at(i) < 0) {
            continue;
        }
        auto above = above_socket_fd(joints.at(i));
        if (!above) {
            return std::unexpected(above.error());
        }
        joints_above.at(i) = std::move(*above);
        joints.at(i) = joints_above.at(i).get();
    }
    std::ranges::sort(joints);

    std::vector<std::string> arguments{settings.program.string()};
    arguments.insert(arguments.end(), settings.arguments.begin(), settings.arguments.end());
    std::vector<std::string> environment = settings.environment;
    const std::vector<char*> argument_pointers = pointers(arguments);
    const std::vector<char*> environment_pointers = pointers(environment);
    const Launch plan{settings.program.c_str(),
                      argument_pointers.data(),
                      environment_pointers.data(),
                      socket_above->get(),
                      null_above->get(),
                      errors_above->get(),
                      ::getpid(),
                      settings.limits,
                      settings.niceness,
                      joints};
    volatile int failure = 0;
    pid_t pid = -1;
    int launch_error = 0;
    {
        const SignalsBlocked blocked;
        pid = launch(plan, failure);
        launch_error = errno;
    }
    if (pid < 0) {
        return start_failed(settings.program, launch_error);
    }
    // Free of races: the child is not reaped by anyone but us, so its number is not given again.
    UniqueFd pidfd(::pidfd_open(pid, 0));
    if (!pidfd.valid()) {
        const int error_number = errno;
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        return start_failed(settings.program, error_number);
    }
    if (failure != 0) {
        reap(pidfd.get());
        return start_failed(settings.program, failure);
    }
    return ChildProcess(pid, std::move(pidfd), std::move(errors_read), std::move(group));
}

ChildProcess::~ChildProcess() {
    if (running()) {
        kill_and_reap();
    }
}

ExitStatus ChildProcess::kill_and_reap() {
    DURASCRIBE_ASSERT(running());
    // ESRCH: it has ended by itself and waits to be reaped.
    if (::pidfd_send_signal(pidfd_.get(), SIGKILL, nullptr, 0) != 0) {
        DURASCRIBE_ASSERT(errno == ESRCH);
    }
    pollfd ended{pidfd_.get(), POLLIN, 0};
    while (::poll(&ended, 1, 5'000) == 0) {
        log::warning("worker process {} was killed but has not ended yet; waiting for it", pid_);
    }
    const ExitStatus status = reap(pidfd_.get());
    pidfd_.reset();
    killed_for_memory_ = group_.killed_for_memory();
    group_.end_all(kDescendantsPatience);
    group_.release();
    return status;
}

std::int64_t ChildProcess::resident_bytes() const {
    if (!running()) {
        return 0;
    }
    const auto path = fmt::format("/proc/{}/statm", pid_);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                               &std::fclose);
    long long total_pages = 0;
    long long resident_pages = 0;
    if (file == nullptr ||
        std::fscanf(file.get(), "%lld %lld", &total_pages, &resident_pages) != 2) {
        return 0;
    }
    return resident_pages * ::sysconf(_SC_PAGESIZE);
}

std::int64_t ChildProcess::anonymous_bytes() const {
    if (!running()) {
        return 0;
    }
    std::ifstream lines(fmt::format("/proc/{}/status", pid_));
    std::string line;
    std::int64_t kibibytes = 0;
    while (std::getline(lines, line)) {  // "RssAnon:     116 kB"
        std::istringstream words(line);
        std::string name;
        std::int64_t value = 0;
        if (words >> name >> value && (name == "RssAnon:" || name == "VmSwap:")) {
            kibibytes += value;
        }
    }
    return kibibytes * 1024;
}

Result<void> ChildProcess::limit_file_size(std::int64_t bytes) const {
    const rlimit limit{static_cast<rlim_t>(bytes), static_cast<rlim_t>(bytes)};
    if (::prlimit(pid_, RLIMIT_FSIZE, &limit, nullptr) != 0) {
        return std::unexpected(system_error(errno, "limit a worker process"));
    }
    return {};
}

}  // namespace durascribe::process
