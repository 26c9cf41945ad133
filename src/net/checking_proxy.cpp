#include "durascribe/net/checking_proxy.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "durascribe/net/web_address.h"

namespace durascribe::net {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kHeadMax = 32U << 10;
constexpr std::size_t kBufferMax = 64U << 10;

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    SocketAddress(const IpAddress& address, std::uint16_t port) {
        if (address.v6) {
            auto& to = reinterpret_cast<sockaddr_in6&>(storage);
            to.sin6_family = AF_INET6;
            to.sin6_port = htons(port);
            std::memcpy(&to.sin6_addr, address.bytes.data(), 16);
            length = sizeof to;
        } else {
            auto& to = reinterpret_cast<sockaddr_in&>(storage);
            to.sin_family = AF_INET;
            to.sin_port = htons(port);
            std::memcpy(&to.sin_addr, address.bytes.data(), 4);
            length = sizeof to;
        }
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_named(std::string_view line, std::string_view name) {
    return line.size() > name.size() && line[name.size()] == ':' &&
           std::ranges::equal(line.substr(0, name.size()), name, {}, lower);
}

// What a request asks for, and what is passed on of its head.
struct Asked {
    WebAddress address;
    bool tunnel = false;
    std::string head;  // for the server; empty where it is a tunnel
};

std::optional<Asked> read_head(std::string_view head) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || last <= first + 1 ||
        !line.substr(last + 1).starts_with("HTTP/1.")) {
        return std::nullopt;
    }
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    Asked asked;
    asked.tunnel = method == "CONNECT";
    if (!asked.tunnel && !target.starts_with("http://")) {
        return std::nullopt;
    }
    auto address =
        WebAddress::parse(asked.tunnel ? fmt::format("https://{}/", target) : std::string(target));
    if (!address) {
        return std::nullopt;
    }
    asked.address = std::move(*address);
    if (asked.tunnel) {
        return asked;
    }
    const auto path = target.find('/', std::string_view("http://").size());
    asked.head = fmt::format("{} {} HTTP/1.1\r\n", method,
                             path == std::string_view::npos ? "/" : target.substr(path));
    for (std::string_view rest = head.substr(line.size() + 2); !rest.starts_with("\r\n");) {
        const auto end = rest.find("\r\n");
        const std::string_view field = rest.substr(0, end);
        if (!is_named(field, "connection") && !is_named(field, "proxy-connection") &&
            !is_named(field, "proxy-authorization") && !is_named(field, "keep-alive")) {
            asked.head += field;
            asked.head += "\r\n";
        }
        rest.remove_prefix(end + 2);
    }
    asked.head += "Connection: close\r\n\r\n";
    return asked;
}

enum class State { head, resolving, connecting, relaying, answering };

// Bytes on their way from one socket to the other.
struct Flow {
    std::string waiting;
    bool ended = false;   // no more comes
    bool passed = false;  // and that was told
};

struct Connection {
    UniqueFd client;
    UniqueFd server;
    State state = State::head;
    std::string head;
    Asked asked;
    std::vector<IpAddress> addresses;  // still to be tried; the last one first
    Clock::time_point connect_until;
    Flow up, down;
    bool gone = false;
};

}  // namespace

class CheckingProxy::Impl {
  public:
    Impl(UniqueFd listener, Resolver& resolver, AddressPolicy policy, CheckingProxyLimits limits)
        : listener_(std::move(listener)),
          resolver_(resolver),
          policy_(std::move(policy)),
          limits_(limits),
          alive_(std::make_shared<Impl*>(this)) {
        ::fcntl(listener_.get(), F_SETFL, O_NONBLOCK);
    }
    // What is still resolved then finds nobody.
    ~Impl() { *alive_ = nullptr; }

    void add_descriptors(std::vector<pollfd>& to) {
        resolver_.add_descriptors(to);
        if (static_cast<int>(connections_.size()) < limits_.connections_max) {
            to.push_back({listener_.get(), POLLIN, 0});
        }
        for (const auto& [id, c] : connections_) {
            const bool relaying = c.state == State::relaying;
            short client = 0;
            if (c.state == State::head ||
                (relaying && !c.up.ended && c.up.waiting.size() < kBufferMax)) {
                client |= POLLIN;
            }
            if (!c.down.waiting.empty()) {
                client |= POLLOUT;
            }
            to.push_back({c.client.get(), client, 0});
            if (!c.server.valid()) {
                continue;
            }
            short server = 0;
            if (relaying && !c.down.ended && c.down.waiting.size() < kBufferMax) {
                server |= POLLIN;
            }
            if (c.state == State::connecting || !c.up.waiting.empty()) {
                server |= POLLOUT;
            }
            to.push_back({c.server.get(), server, 0});
        }
    }

    std::optional<Millis> patience() {
        std::optional<Millis> least = resolver_.patience();
        for (const auto& [id, c] : connections_) {
            if (c.state == State::connecting) {
                const auto left =
                    std::chrono::duration_cast<Millis>(c.connect_until - Clock::now());
                least = std::min(least.value_or(left), std::max(Millis{0}, left));
            }
        }
        return least;
    }

    void process(std::span<const pollfd> seen) {
        resolver_.process(seen);
        const auto happened = [&seen](int fd) {
            const auto found = std::ranges::find(seen, fd, &pollfd::fd);
            return found == seen.end() || fd < 0 ? short{0} : found->revents;
        };
        for (auto& [id, c] : connections_) {
            const short client = happened(c.client.get());
            const short server = happened(c.server.get());
            if (c.state == State::head && client != 0) {
                take_head(id, c);
            } else if (c.state == State::connecting) {
                go_on_connecting(c, server);
            } else if (c.state == State::relaying) {
                relay(c, client, server);
            } else if (c.state == State::answering && client != 0) {
                answer_on(c);
            } else if ((client & (POLLERR | POLLHUP)) != 0) {
                c.gone = true;
            }
        }
        std::erase_if(connections_, [](const auto& entry) { return entry.second.gone; });
        if (happened(listener_.get()) != 0) {
            accept_some();
        }
    }

    std::int64_t bytes() const { return bytes_; }
    const std::optional<Error>& refused() const { return refused_; }

  private:
    void accept_some() {
        while (static_cast<int>(connections_.size()) < limits_.connections_max) {
            UniqueFd client(
                ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (!client.valid()) {
                return;
            }
            connections_[++last_id_].client = std::move(client);
        }
    }

    void answer(Connection& c, std::string_view status, std::string_view reason) {
        c.server.reset();
        c.state = State::answering;
        c.down.waiting = fmt::format(
            "HTTP/1.1 {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: "
            "close\r\n\r\n{}",
            status, reason.size(), reason);
        answer_on(c);
    }

    void answer_on(Connection& c) {
        send_some(c.client, c.down, c);
        if (c.down.waiting.empty()) {
            ::shutdown(c.client.get(), SHUT_WR);
            // What is unread would cut the answer off.
            char rest[8192];
            while (::read(c.client.get(), rest, sizeof rest) > 0) {
            }
            c.gone = true;
        }
    }

    void take_head(std::uint64_t id, Connection& c) {
        char buffer[8192];
        const ssize_t got = ::read(c.client.get(), buffer, sizeof buffer);
        if (got <= 0) {
            c.gone = got == 0 || (errno != EAGAIN && errno != EINTR);
            return;
        }
        c.head.append(buffer, static_cast<std::size_t>(got));
        const auto end = c.head.find("\r\n\r\n");
        if (end == std::string::npos) {
            if (c.head.size() > kHeadMax) {
                answer(c, "431 Request Header Fields Too Large", "The head is too long.\n");
            }
            return;
        }
        auto asked = read_head(std::string_view(c.head).substr(0, end + 4));
        if (!asked) {
            answer(c, "400 Bad Request", "http and https addresses alone.\n");
            return;
        }
        c.up.waiting = asked->head + c.head.substr(end + 4);
        c.head.clear();
        c.asked = std::move(*asked);
        c.state = State::resolving;
        if (c.asked.address.literal) {
            resolved(id, std::vector{*c.asked.address.literal});
            return;
        }
        resolver_.resolve(c.asked.address.host,
                          [alive = alive_, id](Result<std::vector<IpAddress>> found) {
                              if (*alive != nullptr) {
                                  (*alive)->resolved(id, std::move(found));
                              }
                          });
    }

    // Where one address of a name is refused, all are.
    void resolved(std::uint64_t id, Result<std::vector<IpAddress>> found) {
        const auto it = connections_.find(id);
        if (it == connections_.end() || it->second.state != State::resolving) {
            return;
        }
        Connection& c = it->second;
        if (!found || found->empty()) {
            answer(c, "502 Bad Gateway", "The name was not found.\n");
            return;
        }
        for (const IpAddress& address : *found) {
            if (const auto kind = policy_.refusal(address)) {
                const Error error = address_refused(c.asked.address.host, *kind);
                refused_ = refused_ ? refused_ : error;
                answer(c, "403 Forbidden", error.message + "\n");
                return;
            }
        }
        c.addresses.assign(found->rbegin(), found->rend());
        connect_next(c);
    }

    void connect_next(Connection& c) {
        while (!c.addresses.empty()) {
            const SocketAddress to(c.addresses.back(), c.asked.address.port);
            c.addresses.pop_back();
            c.server = UniqueFd(
                ::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            if (c.server.valid() &&
                (::connect(c.server.get(), to.get(), to.length) == 0 || errno == EINPROGRESS)) {
                c.state = State::connecting;
                c.connect_until = Clock::now() + limits_.connect_timeout;
                return;
            }
        }
        answer(c, "502 Bad Gateway", "It could not be connected to.\n");
    }

    void go_on_connecting(Connection& c, short server) {
        if (server == 0) {
            if (Clock::now() >= c.connect_until) {
                connect_next(c);
            }
            return;
        }
        int problem = 0;
        socklen_t length = sizeof problem;
        if (::getsockopt(c.server.get(), SOL_SOCKET, SO_ERROR, &problem, &length) != 0 ||
            problem != 0) {
            connect_next(c);
            return;
        }
        c.state = State::relaying;
        if (c.asked.tunnel) {
            c.down.waiting = "HTTP/1.1 200 Connection established\r\n\r\n";
        }
        relay(c, POLLOUT, POLLOUT);
    }

    void relay(Connection& c, short client, short server) {
        constexpr short kReadable = POLLIN | POLLHUP | POLLERR;
        if ((client & kReadable) != 0) {
            read_some(c.client, c.up);
        }
        if ((server & kReadable) != 0) {
            read_some(c.server, c.down);
        }
        send_some(c.server, c.up, c);
        send_some(c.client, c.down, c);
        c.gone =
            c.gone || (c.down.passed && c.down.waiting.empty()) || (c.up.passed && c.down.ended);
    }

    void read_some(const UniqueFd& from, Flow& flow) {
        while (!flow.ended && flow.waiting.size() < kBufferMax) {
            char buffer[16384];
            const ssize_t got = ::read(from.get(), buffer, sizeof buffer);
            if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
                return;
            }
            if (got <= 0) {
                flow.ended = true;
                return;
            }
            flow.waiting.append(buffer, static_cast<std::size_t>(got));
            bytes_ += got;
        }
    }

    void send_some(const UniqueFd& to, Flow& flow, Connection& c) {
        while (!flow.waiting.empty()) {
            const ssize_t sent =
                ::send(to.get(), flow.waiting.data(), flow.waiting.size(), MSG_NOSIGNAL);
            if (sent < 0) {
                c.gone = c.gone || (errno != EAGAIN && errno != EINTR);
                return;
            }
            flow.waiting.erase(0, static_cast<std::size_t>(sent));
        }
        if (flow.ended && !flow.passed) {
            ::shutdown(to.get(), SHUT_WR);
            flow.passed = true;
        }
    }

    const UniqueFd listener_;
    Resolver& resolver_;
    const AddressPolicy policy_;
    const CheckingProxyLimits limits_;
    std::map<std::uint64_t, Connection> connections_;
    std::uint64_t last_id_ = 0;
    std::int64_t bytes_ = 0;
    std::optional<Error> refused_;
    const std::shared_ptr<Impl*> alive_;  // co-owned by the lookups under way
};

CheckingProxy::CheckingProxy(UniqueFd listener, Resolver& resolver, AddressPolicy policy,
                             CheckingProxyLimits limits)
    : impl_(std::make_unique<Impl>(std::move(listener), resolver, std::move(policy), limits)) {}
CheckingProxy::~CheckingProxy() = default;

void CheckingProxy::add_descriptors(std::vector<pollfd>& to) {
    impl_->add_descriptors(to);
}
std::optional<Millis> CheckingProxy::patience() {
    return impl_->patience();
}
void CheckingProxy::process(std::span<const pollfd> seen) {
    impl_->process(seen);
}
std::int64_t CheckingProxy::bytes() const {
    return impl_->bytes();
}
const std::optional<Error>& CheckingProxy::refused() const {
    return impl_->refused();
}

}  // namespace durascribe::net
