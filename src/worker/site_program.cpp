#include "durascribe/worker/site_program.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace durascribe::worker {
namespace {

constexpr const char* kRoot = "/tmp";  // becomes the room
constexpr uid_t kNobody = 65534;       // as which the program sees itself
constexpr int kControlFd = 3;
constexpr std::size_t kJobMax = 64U << 10;
constexpr std::array kSystem{"/usr", "/lib", "/lib64", "/lib32", "/bin"};
constexpr std::array kFiles{"/etc/ssl/certs",  "/etc/ssl/openssl.cnf", "/etc/ld.so.cache",
                            "/etc/mime.types", "/etc/python3",         "/etc/python3.11",
                            "/dev/null",       "/dev/urandom"};

// ---- in the child, before it is the program ----

bool write_file(const char* path, const std::string& text) {
    const UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
    return file.valid() &&
           ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Namespaces; as nobody within, and without a right outside.
bool leave_the_machine() {
    const uid_t user = ::geteuid();
    const gid_t group = ::getegid();
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC) != 0) {
        return false;
    }
    return write_file("/proc/self/setgroups", "deny") &&
           write_file("/proc/self/uid_map", fmt::format("{} {} 1", kNobody, user)) &&
           write_file("/proc/self/gid_map", fmt::format("{} {} 1", kNobody, group));
}

bool loopback_up() {
    const UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    return any.valid() && ::ioctl(any.get(), SIOCSIFFLAGS, &request) == 0;
}

UniqueFd listen_on_loopback(std::uint16_t& port) {
    UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (!listener.valid() ||
        ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener.get(), 32) != 0 ||
        ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return {};
    }
    port = ntohs(address.sin_port);
    return listener;
}

// Shown in the room, and nothing in it can be changed. What is not there is left out.
bool show(const char* path) {
    struct stat s{};
    const std::string inside = std::string(kRoot) + path;
    if (::lstat(path, &s) != 0) {
        return true;
    }
    if (S_ISLNK(s.st_mode)) {
        std::array<char, 4096> target{};
        return ::readlink(path, target.data(), target.size() - 1) > 0 &&
               ::symlink(target.data(), inside.c_str()) == 0;
    }
    for (std::size_t slash = inside.find('/', std::strlen(kRoot) + 1); slash != std::string::npos;
         slash = inside.find('/', slash + 1)) {
        ::mkdir(inside.substr(0, slash).c_str(), 0755);  // there already, or the mount fails
    }
    if (S_ISDIR(s.st_mode)) {
        ::mkdir(inside.c_str(), 0755);
    } else {
        const UniqueFd file(::open(inside.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    }
    if (::mount(path, inside.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
        return false;
    }
    return S_ISCHR(s.st_mode) ||
           ::mount(nullptr, inside.c_str(), nullptr,
                   MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) == 0;
}

bool make_room() {
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        return false;
    }
    // The room is on a file system of its own, in memory, where the old root's copies are bound.
    const std::string home = std::string(kRoot) + "/tmp";
    if (::mount("room", kRoot, "tmpfs", MS_NOSUID | MS_NODEV, "size=256m,mode=0755") != 0 ||
        ::mkdir(home.c_str(), 0700) != 0) {
        return false;
    }
    for (const char* path : kSystem) {
        if (!show(path)) {
            return false;
        }
    }
    for (const char* path : kFiles) {
        if (!show(path)) {
            return false;
        }
    }
    return ::chdir(kRoot) == 0 && ::syscall(SYS_pivot_root, ".", ".") == 0 &&
           ::umount2(".", MNT_DETACH) == 0 && ::chdir("/tmp") == 0;
}

bool send_descriptor(int socket, int fd, std::uint16_t port) {
    iovec data{&port, sizeof port};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = space.data();
    message.msg_controllen = space.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return ::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof port);
}

// What went wrong, in place of the port and its listener.
[[noreturn]] void give_up(const char* what) {
    const std::string reason = fmt::format("{}: {}", what, std::strerror(errno));
    static_cast<void>(::send(kControlFd, reason.data(), reason.size(), MSG_NOSIGNAL));
    ::_exit(1);
}

[[noreturn]] void become_the_program(const std::string& program) {
    std::uint16_t port = 0;
    if (!leave_the_machine()) {
        give_up("namespaces");
    }
    if (!loopback_up()) {
        give_up("loopback");
    }
    if (UniqueFd listener = listen_on_loopback(port);
        !listener.valid() || !send_descriptor(kControlFd, listener.get(), port)) {
        give_up("a socket");
    }
    if (!make_room()) {
        give_up("file systems");
    }
    if (::send(kControlFd, "ready", 5, MSG_NOSIGNAL) != 5) {
        ::_exit(1);
    }
    std::string job(kJobMax, '\0');
    const ssize_t got = ::recv(kControlFd, job.data(), job.size(), 0);
    if (got <= 0) {
        ::_exit(0);  // it was not needed
    }
    job.resize(static_cast<std::size_t>(got));
    std::vector<char*> arguments{const_cast<char*>(program.c_str())};
    for (std::size_t at = 0; at < job.size(); at += std::strlen(job.data() + at) + 1) {
        arguments.push_back(job.data() + at);
    }
    arguments.push_back(nullptr);
    std::array<const char*, 8> environment{"PATH=/usr/bin:/bin", "HOME=/tmp",
                                           "TMPDIR=/tmp",        "LANG=C.UTF-8",
                                           "YTDLP_NO_PLUGINS=1", "PYTHONDONTWRITEBYTECODE=1",
                                           "PYTHONNOUSERSITE=1", nullptr};
    ::signal(SIGPIPE, SIG_DFL);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // lost where rights changed
    ::execve(program.c_str(), arguments.data(), const_cast<char* const*>(environment.data()));
    static_cast<void>(::write(STDERR_FILENO, "ERROR: it could not be started\n", 31));
    ::_exit(127);
}

// ---- in the parent ----

// The answer: a listener and its port, or why there is none.
Result<UniqueFd> take_descriptor(int socket, std::uint16_t& port) {
    std::array<char, 256> text{};
    iovec data{text.data(), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = space.data();
    message.msg_controllen = space.size();
    const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    const cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) {
        return fail(ErrorClass::internal, "no_room", "There is no room to run a program in.",
                    got > 0 ? std::string(text.data(), static_cast<std::size_t>(got))
                            : std::string("it ended"));
    }
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    std::memcpy(&port, text.data(), sizeof port);
    return UniqueFd(fd);
}

Result<void> await_ready(int socket) {
    std::array<char, 256> text{};
    const ssize_t got = ::recv(socket, text.data(), text.size(), 0);
    const std::string said(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    return said == "ready" ? Result<void>()
                           : fail(ErrorClass::internal, "no_room",
                                  "There is no room to run a program in.", said);
}

}  // namespace

Result<std::unique_ptr<SiteProgram>> SiteProgram::prepare(const std::string& program) {
    std::array<int, 2> control{}, output{}, messages{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control.data()) != 0) {
        return std::unexpected(system_error(errno, "make a pair of sockets"));
    }
    std::unique_ptr<SiteProgram> out(new SiteProgram);
    out->control_ = UniqueFd(control[0]);
    UniqueFd theirs(control[1]);
    if (::pipe2(output.data(), O_CLOEXEC) != 0) {
        return std::unexpected(system_error(errno, "make a pipe"));
    }
    out->output_ = UniqueFd(output[0]);
    UniqueFd out_end(output[1]);
    if (::pipe2(messages.data(), O_CLOEXEC) != 0) {
        return std::unexpected(system_error(errno, "make a pipe"));
    }
    out->messages_ = UniqueFd(messages[0]);
    UniqueFd messages_end(messages[1]);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
        return std::unexpected(system_error(errno, "start a process"));
    }
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const bool placed = ::getppid() == parent && ::dup2(out_end.get(), STDOUT_FILENO) >= 0 &&
                            ::dup2(messages_end.get(), STDERR_FILENO) >= 0 &&
                            ::dup2(theirs.get(), kControlFd) >= 0 &&
                            ::fcntl(kControlFd, F_SETFD, FD_CLOEXEC) == 0 &&
                            ::close_range(kControlFd + 1, ~0U, 0) == 0;
        if (!placed) {
            ::_exit(1);
        }
        become_the_program(program);
    }
    out->pid_ = pid;
    theirs.reset();
    auto listener = take_descriptor(out->control_.get(), out->port_);
    if (!listener) {
        return std::unexpected(listener.error());
    }
    out->listener_ = std::move(*listener);
    if (auto ready = await_ready(out->control_.get()); !ready) {
        return std::unexpected(ready.error());
    }
    return out;
}

SiteProgram::~SiteProgram() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        static_cast<void>(exit_code());
    }
}

Result<void> SiteProgram::run(const std::vector<std::string>& arguments) {
    std::string job;
    for (const std::string& argument : arguments) {
        job += argument;
        job += '\0';
    }
    if (job.size() > kJobMax) {
        return fail(ErrorClass::input, "bad_url", "The address is too long.");
    }
    if (::send(control_.get(), job.data(), job.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(job.size())) {
        return std::unexpected(system_error(errno, "start a program"));
    }
    return {};
}

int SiteProgram::exit_code() {
    int status = 0;
    pid_t ended = 0;
    do {
        ended = ::waitpid(pid_, &status, 0);
    } while (ended < 0 && errno == EINTR);
    pid_ = -1;
    return ended > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace durascribe::worker
