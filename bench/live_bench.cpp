// Many who listen to one server over WebSockets.
//
//   live_bench idle <port> <pid of the server> <sockets>
//   live_bench fan <port> <sockets> <events>
//
// idle: what the server's resident memory grows by, for each socket that has had its snapshot and
// waits. fan: from the time written in an event, which is taken before its commit, to its arrival
// at each of the sockets.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <fmt/format.h>

#include "durascribe/base/time.h"
#include "durascribe/base/unique_fd.h"

namespace {

using namespace durascribe;

[[noreturn]] void give_up(const std::string& what) {
    fmt::print(stderr, "live_bench: {} ({})\n", what, std::strerror(errno));
    std::exit(1);
}

UniqueFd connect_to(std::uint16_t port) {
    UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{20, 0};
    if (!fd.valid() ||
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        give_up("cannot connect");
    }
    return fd;
}

// Sends, and reads until `end` has come.
void exchange(int fd, const std::string& request, std::string_view end) {
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
        give_up("cannot send");
    }
    std::string got;
    std::array<char, 16 << 10> piece;
    while (got.find(end) == std::string::npos) {
        const ssize_t n = ::recv(fd, piece.data(), piece.size(), 0);
        if (n <= 0) {
            give_up("the answer did not come: " + got);
        }
        got.append(piece.data(), static_cast<std::size_t>(n));
    }
}

std::vector<UniqueFd> listeners(std::uint16_t port, int count) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &files) != 0 ||
        files.rlim_cur < static_cast<rlim_t>(count) + 100) {
        give_up(fmt::format("only {} files may be open (ulimit -Hn)", files.rlim_cur));
    }
    std::vector<UniqueFd> sockets;
    for (int i = 0; i < count; ++i) {
        sockets.push_back(connect_to(port));
        exchange(sockets.back().get(),
                 "GET /api/v1/ws?type=queue.* HTTP/1.1\r\nHost: localhost\r\nConnection: "
                 "Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                 "\"counts\":{");
    }
    return sockets;
}

long resident_kib(const std::string& pid) {
    std::ifstream status{"/proc/" + pid + "/status"};
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) {
            return std::strtol(line.c_str() + 6, nullptr, 10);
        }
    }
    give_up("no such process: " + pid);
}

void idle(std::uint16_t port, const std::string& pid, int count) {
    listeners(port, 50);  // what the first ones cost once
    const long before = resident_kib(pid);
    const auto sockets = listeners(port, count);
    const long grown = resident_kib(pid) - before;
    fmt::print("{} idle WebSockets: {:.1f} KiB each ({} KiB)\n", count,
               static_cast<double>(grown) / count, grown);
}

// The milliseconds since each event of `bytes` says that it was.
void note_delays(std::string_view bytes, std::vector<double>& delays) {
    const auto now = std::chrono::system_clock::now();
    static constexpr std::string_view kAt = "\"at\":\"";
    for (std::size_t at = 0; (at = bytes.find(kAt, at)) != std::string_view::npos;) {
        at += kAt.size();
        if (const auto then = wall_time_from_rfc3339(bytes.substr(at, 24))) {
            delays.push_back(std::chrono::duration<double, std::milli>(now - *then).count());
        }
    }
}

void fan(std::uint16_t port, int count, int events) {
    const auto sockets = listeners(port, count);
    const UniqueFd poll{::epoll_create1(EPOLL_CLOEXEC)};
    for (const UniqueFd& socket : sockets) {
        epoll_event wanted{.events = EPOLLIN, .data = {.fd = socket.get()}};
        ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, socket.get(), &wanted);
    }
    const UniqueFd changer = connect_to(port);
    std::vector<double> delays;
    std::array<char, 16 << 10> piece;
    std::array<epoll_event, 256> ready;
    for (int i = 0; i < events; ++i) {
        const std::string change = fmt::format(
            "POST /api/v1/queue/{} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
            i % 2 == 0 ? "pause" : "resume");
        if (::send(changer.get(), change.data(), change.size(), MSG_NOSIGNAL) < 0) {
            give_up("cannot send");
        }
        const std::size_t wanted =
            static_cast<std::size_t>(count) * (static_cast<std::size_t>(i) + 1);
        while (delays.size() < wanted) {
            const int n = ::epoll_wait(poll.get(), ready.data(), ready.size(), 20'000);
            if (n <= 0) {
                give_up("an event did not come");
            }
            for (int k = 0; k < n; ++k) {
                const ssize_t got = ::recv(ready[static_cast<std::size_t>(k)].data.fd, piece.data(),
                                           piece.size(), 0);
                if (got <= 0) {
                    give_up("a socket was closed");
                }
                note_delays({piece.data(), static_cast<std::size_t>(got)}, delays);
            }
        }
        exchange(changer.get(), "", "\"message\"");
    }
    std::ranges::sort(delays);
    fmt::print("{} events to {} WebSockets: p50 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms\n", events,
               count, delays[delays.size() / 2], delays[delays.size() * 99 / 100], delays.back());
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc == 5 ? argv[1] : "";
    if (what == "idle") {
        idle(static_cast<std::uint16_t>(std::atoi(argv[2])), argv[3], std::atoi(argv[4]));
    } else if (what == "fan") {
        fan(static_cast<std::uint16_t>(std::atoi(argv[2])), std::atoi(argv[3]), std::atoi(argv[4]));
    } else {
        fmt::print(
            stderr,
            "usage: live_bench idle PORT PID SOCKETS | live_bench fan PORT SOCKETS EVENTS\n");
        return 2;
    }
    return 0;
}
