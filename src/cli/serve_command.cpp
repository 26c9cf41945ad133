// durascribe serve: a whole node, until it is told to stop.
#include <chrono>
#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "durascribe/access/tokens.h"
#include "durascribe/base/failpoint.h"
#include "durascribe/cli/commands.h"
#include "durascribe/cli/server_file.h"
#include "durascribe/cli/stop_signals.h"

namespace durascribe::cli {
namespace {

// Service managers often kill after ten seconds: the work must be handed back before.
constexpr Millis kDrain{8'000};

// Where a client on this machine connects to.
std::string connectable(const std::string& host) {
    if (host == "0.0.0.0") {
        return "127.0.0.1";
    }
    return host == "::" ? "::1" : host;
}

std::string url_of(const std::string& host, std::uint16_t port) {
    const bool ipv6 = host.find(':') != std::string::npos;
    return ipv6 ? fmt::format("http://[{}]:{}", host, port)
                : fmt::format("http://{}:{}", host, port);
}

}  // namespace

int serve(const Settings& settings, const Composition& composition) {
    StopSignals signals;
    auto node = composition.open_node(settings);
    if (!node) {
        return report(node.error());
    }
    if (!is_loopback(settings.listen_host) && !settings.no_auth) {
        const auto tokens = (*node)->store().tokens();
        if (!tokens) {
            return report(tokens.error());
        }
        if (!access::any_usable(*tokens,
                                std::chrono::floor<Millis>(std::chrono::system_clock::now()))) {
            fmt::print(stderr,
                       "durascribe: {} can be reached from other machines, and there is no token "
                       "that would let anyone in. Make one, then start again:\n"
                       "  durascribe token create NAME --data {}\n"
                       "In a network where everyone may do everything, add --no-auth instead.\n",
                       settings.listen_host, settings.data_dir.string());
            return kUsage;
        }
    }
    if (auto started = (*node)->start(); !started) {
        return report(started.error());
    }
    const auto port = (*node)->listen();
    if (!port) {
        return report(port.error());
    }
    auto file = ServerFile::write(settings.data_dir, {.pid = getpid(),
                                                      .host = connectable(settings.listen_host),
                                                      .port = *port,
                                                      .version = composition.version,
                                                      .token = (*node)->command_token()});
    if (!file) {
        return report(file.error());
    }
    DURASCRIBE_FAILPOINT("serve.ready");
    // Standard output may be closed or full; the server runs all the same.
    std::printf("durascribe is ready on %s\n", url_of(settings.listen_host, *port).c_str());
    (void)std::fflush(stdout);

    signals.wait();
    DURASCRIBE_FAILPOINT("serve.told_to_stop");
    log::info(
        "Stopping: taking nothing new; work in progress has up to {} s, the rest goes on at the "
        "next start.",
        kDrain.count() / 1000);
    {
        const ServerFile gone = std::move(*file);  // new commands open the directory themselves
    }
    (*node)->close(kDrain);
    DURASCRIBE_FAILPOINT("serve.closed");
    node->reset();
    log::info("Stopped.");
    return kOk;
}

}  // namespace durascribe::cli
