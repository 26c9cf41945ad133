#include "node.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>
#include <optional>
#include <thread>

#include <sys/resource.h>
#include <unistd.h>

#include "durascribe/api/server.h"
#include "durascribe/base/log.h"
#include "durascribe/blobs/local/local_blob_store.h"
#include "durascribe/cli/output_files.h"
#include "durascribe/cli/worker_description.h"
#include "durascribe/engine/engine.h"
#include "durascribe/metrics/metrics.h"
#include "durascribe/ports/clock.h"
#include "durascribe/process/available_memory.h"
#include "durascribe/process/process_worker.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "durascribe/watch/watch_folders.h"
#include "durascribe/webhooks/sender.h"

namespace durascribe {
namespace {

constexpr std::int64_t kSpeechWorkerBytes = 200LL << 20;  // with a model that does not say
constexpr Millis kDay{24LL * 3600 * 1000};

using InstalledModels = std::shared_future<std::vector<domain::ModelCandidate>>;

// What the worker program finds, asked once: a model that is put there later is known after the
// next start. Asked while the store opens: no speech worker starts before it is known how much
// memory its model needs.
InstalledModels ask_for_models(const std::filesystem::path& worker) {
    return std::async(std::launch::async,
                      [worker]() -> std::vector<domain::ModelCandidate> {
                          auto models = cli::installed_models(worker);
                          if (!models) {
                              log::error("{} ({})", models.error().message, models.error().detail);
                              return {};
                          }
                          return std::move(*models);
                      })
        .share();
}

// Many listeners, each a descriptor: as many as the system allows this process.
void raise_open_files() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        if (::setrlimit(RLIMIT_NOFILE, &files) != 0) {
            log::warning("The limit of open files could not be raised.");
        }
    }
}

engine::EngineSettings engine_settings(const cli::Settings& settings, InstalledModels models,
                                       metrics::Metrics& metrics) {
    engine::EngineSettings out;
    out.observer = &metrics;
    out.speech_slots = settings.max_concurrent_transcriptions;
    out.task_timeout = settings.transcription_timeout;
    out.stall_floor = settings.transcription_stall_timeout;
    out.lease_length = settings.lease;
    out.retry.max_attempts = settings.max_retry_attempts;
    out.chunks.parallel = settings.max_concurrent_transcriptions;
    out.engine = settings.engine;
    out.model = settings.model;
    out.language = settings.language;
    out.fetch_limit_bytes = settings.upload_limit_bytes;
    out.fetch_timeout = settings.import_timeout;
    out.fetch_stall = settings.import_stall_timeout;
    out.memory_limit_bytes = settings.max_memory_per_transcription;
    out.models_known = [models] {
        return models.wait_for(std::chrono::seconds{0}) == std::future_status::ready
                   ? models.get()
                   : std::vector<domain::ModelCandidate>{};
    };
    out.models = [models = std::move(models)] { return models.get(); };
    out.free_memory_bytes = [] { return process::available_memory_bytes(); };
    out.worker_memory_bytes = kSpeechWorkerBytes;
    out.retry.base = settings.retry_backoff;
    out.retry.cap = settings.retry_backoff_max;
    out.retry.jitter = settings.retry_backoff_jitter;
    if (settings.retention_media_days) {
        out.retention.media = kDay * *settings.retention_media_days;
    }
    out.retention.events = kDay * settings.retention_events_days;
    out.retention.events_max = settings.retention_events_max;
    out.retention.attempts = kDay * settings.retention_attempts_days;
    out.retention.uploads = kDay * settings.retention_uploads_days;
    out.uploads = {.count_max = settings.unfinished_uploads_max,
                   .bytes_max = settings.unfinished_uploads_bytes_max};
    return out;
}

// Of the system's: only what stands below /usr is seen where it runs (worker/site_program.h).
std::string installed_yt_dlp() {
    for (const char* path : {"/usr/local/bin/yt-dlp", "/usr/bin/yt-dlp"}) {
        if (::access(path, X_OK) == 0) {
            return path;
        }
    }
    return {};
}

process::ProcessWorkerSettings worker_settings(const cli::Settings& settings,
                                               const Program& program) {
    process::ProcessWorkerSettings out;
    out.program = program.worker;
    out.engine = settings.engine;
    out.model = settings.model;
    out.language = settings.language;
    out.memory_limit_bytes = settings.max_memory_per_transcription;
    if (const char* models = std::getenv("DURASCRIBE_MODELS"); models != nullptr) {
        out.environment.push_back(std::string("DURASCRIBE_MODELS=") + models);
    }
    out.cpu_limit = settings.cpu_limit_per_transcription;
    out.allow_private_addresses = settings.allow_private_addresses;
    out.dns_servers = settings.dns_servers;
    out.site_program = settings.import_sites ? installed_yt_dlp() : std::string();
    return out;
}

access::AccessSettings access_settings(const cli::Settings& settings) {
    access::AccessSettings out;
    out.everyone = settings.no_auth;
    out.metrics_public = settings.metrics_public;
    out.required_on_loopback = settings.auth_on_loopback;
    out.defaults = {.requests_per_second = settings.token_requests_per_second,
                    .jobs = settings.token_max_jobs,
                    .storage_bytes = settings.token_max_storage_bytes};
    return out;
}

// Members are made from the top and go from the bottom: what uses another stands below it.
class WholeNode final : public cli::Node {
  public:
    WholeNode(const cli::Settings& settings, const Program& program, InstalledModels models,
              std::unique_ptr<metrics::Metrics> metrics, std::unique_ptr<ports::SystemClock> clock,
              std::unique_ptr<store::SqliteStore> store,
              std::unique_ptr<blobs::LocalBlobStore> blobs)
        : settings_(settings),
          version_(program.version),
          metrics_(std::move(metrics)),
          clock_(std::move(clock)),
          store_(std::move(store)),
          blobs_(std::move(blobs)),
          workers_(worker_settings(settings, program)),
          engine_(*store_, *blobs_, workers_, *clock_,
                  engine_settings(settings, std::move(models), *metrics_)) {}
    ~WholeNode() override { close(Millis{0}); }

    engine::Engine& engine() override { return engine_; }
    ports::Store& store() override { return *store_; }
    Result<void> start() override { return engine_.start(); }

    Result<std::uint16_t> listen() override {
        const api::NodeFacts facts{.version = version_,
                                   .data_directory = settings_.data_dir.string(),
                                   .database = "sqlite",
                                   .sandbox_level = workers_.limits().text(),
                                   .engine = settings_.engine,
                                   .model = settings_.model};
        api::ServerSettings server;
        server.host = settings_.listen_host;
        server.port = settings_.listen_port;
        server.upload_limit_bytes = settings_.upload_limit_bytes;
        server.cors_origins = settings_.cors_origins;
        server.websockets = settings_.enable_progress_websocket;
        server.slow_request = settings_.slow_request;
        server.access = access_settings(settings_);
        server.allowed_hosts = settings_.allowed_hosts;
        server.trusted_proxies = settings_.trusted_proxies;
        server.require_if_match = settings_.require_if_match;
        server.upload_retention = kDay * settings_.retention_uploads_days;
        server.task_defaults.engine = settings_.engine;
        server.task_defaults.model = settings_.model;
        server.task_defaults.language = settings_.language;
        if (auto sending = start_sender(); !sending) {
            return std::unexpected(sending.error());
        }
        if (auto watching = start_watch(server.task_defaults); !watching) {
            return std::unexpected(watching.error());
        }
        server.webhooks_changed = [this] { sender_->wake(); };
        server.webhook_addresses = addresses();
        raise_open_files();
        server_.emplace(engine_, *store_, *blobs_, facts, server, metrics_.get());
        if (auto started = server_->start(); !started) {
            server_.reset();
            return std::unexpected(started.error());
        }
        return server_->port();
    }

    std::string command_token() const override {
        return server_ ? server_->command_token() : std::string();
    }

    net::AddressPolicy addresses() const {
        return net::AddressPolicy::parse(settings_.allow_private_addresses).value();
    }

    // Tells those who asked of what happens, from the outbox on.
    Result<void> start_sender() {
        auto sender = webhooks::Sender::start(store_->webhooks(), *clock_,
                                              {.policy = addresses(),
                                               .dns_servers = settings_.dns_servers,
                                               .user_agent = "durascribe/" + version_});
        if (!sender) {
            return std::unexpected(sender.error());
        }
        sender_ = std::move(*sender);
        subscription_ =
            engine_.feed().subscribe([this](std::span<const ports::Event>) { sender_->wake(); });
        return {};
    }

    Result<void> start_watch(const domain::TaskOptions& options) {
        if (settings_.watch_folders.empty()) {
            return {};
        }
        auto watch = watch::WatchFolders::start(
            engine_, *store_, *clock_,
            {.folders = settings_.watch_folders,
             .outputs = settings_.watch_output,
             .settle = settings_.watch_settle,
             .subfolders = settings_.watch_subfolders,
             .options = options,
             .limit_bytes = settings_.upload_limit_bytes,
             .write = [](const std::filesystem::path& path, const std::string& content) {
                 return cli::write_output(path, content, false);
             }});
        if (!watch) {
            return std::unexpected(watch.error());
        }
        watch_ = std::move(*watch);
        return {};
    }

    // The units are handed back beside the requests: one of those may hold its thread for as long
    // as a disk takes to read gigabytes back. What a request or a watched folder brings meanwhile
    // waits in the store.
    void close(Millis grace) override {
        engine_.stop_claiming();
        {
            const std::jthread handing_back([&] { engine_.stop(grace); });
            if (server_) {
                server_->stop(grace);
            }
        }
        watch_.reset();
        server_.reset();
        if (subscription_) {
            engine_.feed().unsubscribe(*subscription_);
            subscription_.reset();
        }
        sender_.reset();
    }

  private:
    const cli::Settings settings_;
    const std::string version_;
    const std::unique_ptr<metrics::Metrics> metrics_;
    std::unique_ptr<ports::SystemClock> clock_;  // stays where the store found it
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<blobs::LocalBlobStore> blobs_;
    process::ProcessWorkerFactory workers_;
    engine::Engine engine_;
    std::unique_ptr<webhooks::Sender> sender_;
    std::optional<int> subscription_;  // of sender_, to the engine's feed
    std::unique_ptr<watch::WatchFolders> watch_;
    std::optional<api::Server> server_;
};

}  // namespace

Result<std::unique_ptr<cli::Node>> open_node(const cli::Settings& settings,
                                             const Program& program) {
    InstalledModels models = ask_for_models(program.worker);
    auto clock = std::make_unique<ports::SystemClock>();
    store::SqliteOptions options;
    options.longest_wait_after_restart =
        Millis{static_cast<std::int64_t>(static_cast<double>(settings.retry_backoff_max.count()) *
                                         (1 + settings.retry_backoff_jitter))};
    auto metrics = std::make_unique<metrics::Metrics>();
    options.on_commit = [&counted = *metrics](std::chrono::nanoseconds took, std::size_t verbs) {
        counted.committed(took, verbs);
    };
    auto store = store::SqliteStore::open(settings.data_dir, *clock, options);
    if (!store) {
        return std::unexpected(store.error());
    }
    auto blobs = blobs::LocalBlobStore::open(settings.data_dir);
    if (!blobs) {
        return std::unexpected(blobs.error());
    }
    return std::make_unique<WholeNode>(settings, program, std::move(models), std::move(metrics),
                                       std::move(clock), std::move(*store), std::move(*blobs));
}

}  // namespace durascribe
