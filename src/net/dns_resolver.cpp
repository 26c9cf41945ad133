#include "durascribe/net/dns_resolver.h"

#include <ares.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <mutex>

#include <fmt/format.h>

namespace durascribe::net {
namespace {

void library_ready() {
    static std::once_flag once;
    std::call_once(once,
                   [] { DURASCRIBE_ASSERT(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS); });
}

struct Question {
    std::string host;
    Resolver::Done done;
};

// Called by c-ares once for each question, also when its channel goes.
void answered(void* question, int status, int /*timeouts*/, ares_addrinfo* answer) {
    const std::unique_ptr<Question> asked(static_cast<Question*>(question));
    const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owner(answer,
                                                                             &ares_freeaddrinfo);
    if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) {
        return;
    }
    std::vector<IpAddress> addresses;
    for (auto* node = answer == nullptr ? nullptr : answer->nodes; node != nullptr;
         node = node->ai_next) {
        const auto address = IpAddress::of(node->ai_addr);
        if (address && std::ranges::find(addresses, *address) == addresses.end()) {
            addresses.push_back(*address);
        }
    }
    if (addresses.empty()) {
        asked->done(
            fail(ErrorClass::network, "name_not_resolved",
                 fmt::format("The name {} has no address ({}).", asked->host,
                             status == ARES_SUCCESS ? "no answer" : ares_strerror(status))));
        return;
    }
    asked->done(std::move(addresses));
}

}  // namespace

struct DnsResolver::Parts {
    ares_channel channel = nullptr;
    ~Parts() {
        if (channel != nullptr) {
            ares_destroy(channel);
        }
    }
};

Result<std::unique_ptr<DnsResolver>> DnsResolver::create(const DnsSettings& settings) {
    library_ready();
    auto parts = std::make_unique<Parts>();
    ares_options options{};
    options.timeout = static_cast<int>(settings.timeout.count());
    options.tries = settings.tries;
    char lookups[] = "fb";  // /etc/hosts, then DNS
    options.lookups = lookups;
    if (const int made = ares_init_options(&parts->channel, &options,
                                           ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS);
        made != ARES_SUCCESS) {
        return fail(ErrorClass::internal, "resolver_failed",
                    fmt::format("The resolver could not be started: {}.", ares_strerror(made)));
    }
    if (!settings.servers.empty() &&
        ares_set_servers_ports_csv(parts->channel, settings.servers.c_str()) != ARES_SUCCESS) {
        return fail(ErrorClass::request, "bad_dns_servers",
                    fmt::format("DNS_SERVERS is \"{}\"; expected addresses with commas between "
                                "them, each perhaps with a port.",
                                settings.servers));
    }
    return std::unique_ptr<DnsResolver>(new DnsResolver(std::move(parts)));
}

DnsResolver::DnsResolver(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
DnsResolver::~DnsResolver() = default;

void DnsResolver::resolve(const std::string& host, Done done) {
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(parts_->channel, host.c_str(), nullptr, &hints, &answered,
                     new Question{host, std::move(done)});
}

void DnsResolver::add_descriptors(std::vector<pollfd>& to) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const int wanted = ares_getsock(parts_->channel, sockets.data(), ARES_GETSOCK_MAXNUM);
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
        const short events = static_cast<short>((ARES_GETSOCK_READABLE(wanted, i) ? POLLIN : 0) |
                                                (ARES_GETSOCK_WRITABLE(wanted, i) ? POLLOUT : 0));
        if (events != 0) {
            to.push_back({sockets[static_cast<std::size_t>(i)], events, 0});
        }
    }
}

std::optional<Millis> DnsResolver::patience() {
    timeval left{};
    if (ares_timeout(parts_->channel, nullptr, &left) == nullptr) {
        return std::nullopt;
    }
    return Millis{left.tv_sec * 1000 + left.tv_usec / 1000 + 1};
}

void DnsResolver::process(std::span<const pollfd> seen) {
    for (const pollfd& fd : seen) {
        const bool in = (fd.revents & (POLLIN | POLLERR | POLLHUP)) != 0;
        const bool out = (fd.revents & POLLOUT) != 0;
        if (in || out) {
            ares_process_fd(parts_->channel, in ? fd.fd : ARES_SOCKET_BAD,
                            out ? fd.fd : ARES_SOCKET_BAD);
        }
    }
    ares_process_fd(parts_->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what took too long
}

}  // namespace durascribe::net
