// The HTTP server: Beast with coroutines. Routes and wire shapes live in their own files; this is
// the listening, the connections and their limits.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "durascribe/access/access_control.h"
#include "durascribe/base/error.h"
#include "durascribe/engine/engine.h"
#include "durascribe/net/address_policy.h"

namespace durascribe::metrics {
class Metrics;
}

namespace durascribe::api {

struct ServerSettings {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8000;  // 0: chosen by the system
    std::int64_t upload_limit_bytes = 10LL << 30;
    Millis upload_retention{3LL * 24 * 3600 * 1000};  // ports::Retention::uploads, to be told
    std::int64_t json_limit_bytes = 1 << 20;
    Millis idle_timeout{75'000};        // between requests
    domain::TaskOptions task_defaults;  // of what an upload leaves out
    Millis header_timeout{15'000};
    Millis body_timeout{60'000};         // without a byte
    Millis keep_alive_interval{15'000};  // of a body that is made over time, while it has nothing
    int connections_max = 12'000;
    Millis socket_idle_timeout{60'000};  // a WebSocket's peer that answers no ping is cut
    // Pages of other sites that may do what this server's own may: "https://app.example".
    std::vector<std::string> cors_origins;   // CORS_ORIGINS
    bool websockets = true;                  // ENABLE_PROGRESS_WEBSOCKET
    bool require_if_match = false;           // REQUIRE_IF_MATCH: edits without one are refused
    std::function<void()> webhooks_changed;  // something is to be sent; any thread, and quick
    net::AddressPolicy webhook_addresses;    // ALLOW_PRIVATE_ADDRESSES: those that one may name
    access::AccessSettings access;
    Millis slow_request{1'000};  // of the server's own time: logged; 0: none is
    // Names that this server is reached by, in lower case; empty: any where it is not bound to
    // loopback.
    std::vector<std::string> allowed_hosts;  // ALLOWED_HOSTS
    // Addresses whose X-Forwarded-Proto is believed, and whose requests never count as local.
    std::vector<std::string> trusted_proxies;  // TRUSTED_PROXIES
    int threads = 2;
    int blocking_threads = 8;  // that call the store and the disk
};

// Facts that /health/ready and /api/v1/system tell.
struct NodeFacts {
    std::string version;
    std::string data_directory;
    std::string database;       // "sqlite"
    std::string sandbox_level;  // of the workers
    std::string engine;
    std::string model;
};

class Server {
  public:
    // The references outlive the server, and so do the metrics; without them it has its own, of
    // what it sees itself.
    Server(engine::Engine& engine, ports::Store& store, ports::BlobStore& blobs, NodeFacts facts,
           ServerSettings settings, metrics::Metrics* metrics = nullptr);
    ~Server();

    // Binds and starts answering; returns at once. Errors: request "address_in_use" (names it and
    // the remedy), request "bad_address".
    Result<void> start();
    std::uint16_t port() const;  // bound
    // What lets the command line in, whatever the settings; as long as this object lives.
    const std::string& command_token() const;

    // Takes no new connections and no new requests, and lets those in progress end within `grace`:
    // then closes all. Idle connections and WebSockets are closed at once; what is made over time
    // ends with its last words, which are waited for two seconds. A call into the store or the disk
    // that a request has begun returns first, however long it takes, and is answered.
    void stop(Millis grace);

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace durascribe::api
