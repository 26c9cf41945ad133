// Listening, the list of connections, the threads, and the order in which all of it ends.
#include "durascribe/api/server.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "durascribe/api/admission.h"
#include "durascribe/api/blocking_pool.h"
#include "durascribe/api/connection.h"
#include "durascribe/api/live_hub.h"
#include "durascribe/api/task_counter.h"
#include "durascribe/api/task_watch.h"
#include "durascribe/api/thrown.h"
#include "durascribe/base/log.h"
#include "durascribe/metrics/metrics.h"
#include "durascribe/ports/clock.h"

namespace durascribe::api {
namespace {

namespace asio = boost::asio;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
using Strand = asio::strand<asio::io_context::executor_type>;

constexpr int kRefusalsMax =
    64;  // that may be told why at one time; beyond it they are just closed
constexpr int kAcceptsAtOnce = 64;
constexpr std::chrono::milliseconds kNoDescriptorsPause{100};
constexpr Millis kLastWords{2'000};  // of what is made over time, to one who does not take them

struct BoundSocket {
    UniqueFd fd;
    std::uint16_t port = 0;
    bool loopback = false;
};

bool is_loopback(const sockaddr* address) {
    if (address->sa_family == AF_INET6) {
        const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) != 0;
    }
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    return (ntohl(v4->sin_addr.s_addr) >> 24U) == 127;
}

std::uint16_t bound_port(int fd) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
    return ntohs(address.ss_family == AF_INET6
                     ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                     : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

Result<BoundSocket> bind_socket(const std::string& host, std::uint16_t port) {
    std::string name = host;
    if (name.starts_with('[') && name.ends_with(']')) {
        name = name.substr(1, name.size() - 2);
    }
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* list = nullptr;
    const int failed = ::getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &list);
    if (failed != 0) {
        return fail(
            ErrorClass::request, "bad_address",
            fmt::format("Cannot listen on \"{}\": {}. Give an address of this machine, such as "
                        "127.0.0.1.",
                        host, ::gai_strerror(failed)));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{list, ::freeaddrinfo};
    // Close-on-exec: a worker must not inherit the port.
    UniqueFd fd{::socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    const int on = 1;
    if (!fd.valid() || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(fd.get(), list->ai_addr, list->ai_addrlen) != 0 ||
        ::listen(fd.get(), SOMAXCONN) != 0) {
        const int error = errno;
        if (error == EADDRINUSE) {
            return fail(ErrorClass::request, "address_in_use",
                        fmt::format("Port {} of {} is in use by another program. Stop that one, or "
                                    "choose another with --listen {}:PORT.",
                                    port, host, host));
        }
        return fail(ErrorClass::request, "bad_address",
                    fmt::format("Cannot listen on {}:{}: {}. Choose another address with --listen.",
                                host, port, std::strerror(error)));
    }
    BoundSocket bound{std::move(fd), 0, is_loopback(list->ai_addr)};
    bound.port = bound_port(bound.fd.get());
    return bound;
}

}  // namespace

class Server::Impl {
  public:
    Impl(engine::Engine& engine, ports::Store& store, ports::BlobStore& blobs, NodeFacts facts,
         ServerSettings settings, metrics::Metrics* metrics)
        : own_metrics_(metrics == nullptr ? std::make_unique<metrics::Metrics>() : nullptr),
          metrics_(metrics == nullptr ? *own_metrics_ : *metrics),
          facts_(std::move(facts)),
          settings_(std::move(settings)),
          live_(engine, store),
          watch_(engine.feed()),
          access_(store, clock_, settings_.access),
          services_{engine, store,  blobs,   facts_,   settings_,
                    live_,  watch_, access_, metrics_, clock_},
          counter_(engine, store, metrics_) {
        access_.on_end([this](const std::string& owner) {
            for_each_connection([&owner](Connection& c) { c.hang_up_on(owner); });
        });
    }

    ~Impl() { stop(Millis{0}); }

    Result<void> start();
    std::uint16_t port() const { return port_; }
    const std::string& command_token() const { return access_.command_token(); }
    void stop(Millis grace);

  private:
    // What the running server consists of; made by start(), gone after stop().
    struct Running {
        explicit Running(int blocking_threads)
            : io(),
              work(asio::make_work_guard(io)),
              strand(asio::make_strand(io)),
              listener(strand),
              pause(strand),
              pool(blocking_threads) {}
        asio::io_context io;
        asio::executor_work_guard<asio::io_context::executor_type> work;
        Strand strand;  // of the listener
        asio::posix::stream_descriptor listener;
        asio::steady_timer pause;
        BlockingPool pool;  // ends before io, to which its jobs post
        std::vector<std::jthread> threads;
    };

    asio::awaitable<void> accept_all();
    bool accept_some();  // false: no descriptors left
    void welcome(UniqueFd socket);
    void forget(Connection* connection);
    bool wait_until_empty(std::optional<Millis> patience);
    template <typename Call>
    void for_each_connection(Call call);

    const std::unique_ptr<metrics::Metrics> own_metrics_;
    metrics::Metrics& metrics_;
    const NodeFacts facts_;
    const ServerSettings settings_;
    LiveHub live_;
    TaskWatch watch_;
    const ports::SystemClock clock_;
    access::AccessControl access_;
    const Services services_;
    TaskCounter counter_;
    std::uint16_t port_ = 0;
    bool loopback_ = false;
    std::unique_ptr<Running> running_;
    std::optional<ConnectionContext> context_;

    std::mutex mutex_;  // guards what follows
    std::condition_variable changed_;
    std::unordered_map<Connection*, std::weak_ptr<Connection>> connections_;
    int open_ = 0;  // connections and the accepting coroutine
    bool stopping_ = false;
};

Result<void> Server::Impl::start() {
    DURASCRIBE_ASSERT(!running_);
    auto bound = bind_socket(settings_.host, settings_.port);
    if (!bound) {
        return std::unexpected(bound.error());
    }
    if (auto started = live_.start(); !started) {
        return started;
    }
    if (auto started = access_.start(); !started) {
        live_.stop();
        return started;
    }
    if (auto started = counter_.start(); !started) {
        access_.stop();
        live_.stop();
        return started;
    }
    port_ = bound->port;
    loopback_ = bound->loopback;
    running_ = std::make_unique<Running>(settings_.blocking_threads);
    running_->listener.assign(bound->fd.release());
    context_.emplace(services_, running_->pool, loopback_);
    stopping_ = false;
    open_ = 1;
    asio::co_spawn(running_->strand, accept_all(), [this](std::exception_ptr thrown) {
        if (thrown) {
            log_exception("Listening ended, and no new connections are taken", thrown);
        }
        forget(nullptr);
    });
    for (int i = 0; i < settings_.threads; ++i) {
        running_->threads.emplace_back([&io = running_->io, i] {
            pthread_setname_np(pthread_self(), ("ds-http-" + std::to_string(i)).c_str());
            io.run();
        });
    }
    return {};
}

asio::awaitable<void> Server::Impl::accept_all() {
    Running& running = *running_;
    for (;;) {
        const auto [ec] =
            co_await running.listener.async_wait(asio::posix::stream_descriptor::wait_read, kTuple);
        if (ec) {
            co_return;  // closed by stop()
        }
        if (!accept_some()) {
            log::warning(
                "No file descriptors are left for new connections; they wait. Raise the "
                "limit (ulimit -n).");
            running.pause.expires_after(kNoDescriptorsPause);
            const auto [stopped] = co_await running.pause.async_wait(kTuple);
            if (stopped) {
                co_return;
            }
        }
    }
}

bool Server::Impl::accept_some() {
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
        UniqueFd socket{::accept4(running_->listener.native_handle(), nullptr, nullptr,
                                  SOCK_CLOEXEC | SOCK_NONBLOCK)};
        if (socket.valid()) {
            welcome(std::move(socket));
            continue;
        }
        switch (errno) {
            case EAGAIN:
                return true;
            case EMFILE:
            case ENFILE:
            case ENOBUFS:
            case ENOMEM:
                return false;
            default:
                continue;  // that one connection failed before it was taken
        }
    }
    return true;
}

void Server::Impl::welcome(UniqueFd socket) {
    std::shared_ptr<Connection> connection;
    {
        const std::scoped_lock lock{mutex_};
        const int connected = static_cast<int>(connections_.size());
        if (stopping_ || connected >= settings_.connections_max + kRefusalsMax) {
            return;
        }
        connection = make_connection(
            running_->io, std::move(socket), *context_,
            connected < settings_.connections_max ? Welcome::serve : Welcome::refuse);
        if (!connection) {
            return;
        }
        connections_.emplace(connection.get(), connection);
        ++open_;
        metrics_.connected();
    }
    // Not under the lock: it may run, and end, at once.
    connection->begin([this](Connection* ended) { forget(ended); });
}

void Server::Impl::forget(Connection* connection) {
    const std::scoped_lock lock{mutex_};
    if (connections_.erase(connection) > 0) {
        metrics_.disconnected();
    }
    --open_;
    changed_.notify_all();
}

bool Server::Impl::wait_until_empty(std::optional<Millis> patience) {
    std::unique_lock lock{mutex_};
    const auto empty = [this] { return open_ == 0; };
    if (!patience) {
        changed_.wait(lock, empty);
        return true;
    }
    return changed_.wait_for(lock, *patience, empty);
}

template <typename Call>
void Server::Impl::for_each_connection(Call call) {
    std::vector<std::shared_ptr<Connection>> all;
    {
        const std::scoped_lock lock{mutex_};
        for (const auto& [key, weak] : connections_) {
            if (auto connection = weak.lock()) {
                all.push_back(std::move(connection));
            }
        }
    }
    for (const auto& connection : all) {
        call(*connection);
    }
}

void Server::Impl::stop(Millis grace) {
    if (!running_) {
        return;
    }
    {
        const std::scoped_lock lock{mutex_};
        stopping_ = true;
    }
    asio::dispatch(running_->strand, [&running = *running_] {
        boost::system::error_code ignored;
        running.listener.close(ignored);
        running.pause.cancel();
    });
    for_each_connection([](Connection& c) { c.finish_soon(); });
    const Millis last_words = std::min(grace, kLastWords);
    if (!wait_until_empty(last_words)) {
        for_each_connection([](Connection& c) { c.cut_live(); });
    }
    if (!wait_until_empty(grace - last_words)) {
        for_each_connection([](Connection& c) { c.close(); });
        wait_until_empty(std::nullopt);  // blocking calls in progress return first
    }
    live_.stop();
    counter_.stop();
    access_.stop();
    running_->work.reset();
    running_->threads.clear();  // joins
    context_.reset();
    running_.reset();
}

Server::Server(engine::Engine& engine, ports::Store& store, ports::BlobStore& blobs,
               NodeFacts facts, ServerSettings settings, metrics::Metrics* metrics)
    : impl_(std::make_unique<Impl>(engine, store, blobs, std::move(facts), std::move(settings),
                                   metrics)) {}

Server::~Server() = default;

Result<void> Server::start() {
    return impl_->start();
}

std::uint16_t Server::port() const {
    return impl_->port();
}

const std::string& Server::command_token() const {
    return impl_->command_token();
}

void Server::stop(Millis grace) {
    impl_->stop(grace);
}

}  // namespace durascribe::api
