#include <chrono>
#include <cstdio>
#include <thread>

#include <fmt/format.h>

#include "durascribe/cli/commands.h"
#include "durascribe/cli/http_client.h"
#include "durascribe/cli/local_client.h"

namespace durascribe::cli {
namespace {

constexpr Millis kServerStartsWithin{2'000};
constexpr Millis kLookAgain{50};

std::unique_ptr<TaskClient> client_of_running_server(const Settings& settings) {
    const auto server = read_server_file(settings.data_dir);
    return server && HttpClient::answers(*server) ? std::make_unique<HttpClient>(*server) : nullptr;
}

}  // namespace

Result<std::unique_ptr<TaskClient>> connect(const Settings& settings,
                                            const Composition& composition, bool with_engine) {
    // The directory may change hands while we look: a server that starts or stops at this moment is
    // waited for a little.
    const auto deadline = std::chrono::steady_clock::now() + kServerStartsWithin;
    while (true) {
        if (auto client = client_of_running_server(settings)) {
            return client;
        }
        auto node = composition.open_node(settings);
        if (node) {
            if (with_engine) {
                if (auto started = (*node)->start(); !started) {
                    return std::unexpected(started.error());
                }
            } else if (auto recovered = (*node)->store().recover(new_id<NodeId>()); !recovered) {
                // Nothing works here, so that what the rows of a killed process call running waits.
                return std::unexpected(recovered.error());
            }
            return std::make_unique<LocalClient>(std::move(*node));
        }
        if (node.error().code != "data_directory_in_use" ||
            std::chrono::steady_clock::now() > deadline) {
            return std::unexpected(node.error());
        }
        std::this_thread::sleep_for(kLookAgain);
    }
}

int report(const Error& error) {
    fmt::print(stderr, "durascribe: {}\n", error.message);
    if (!error.detail.empty()) {
        log::debug("{} {}: {}", to_string(error.cls), error.code, error.detail);
    }
    return kFailed;
}

}  // namespace durascribe::cli
