// What an operator can choose, and where each choice comes from: flags over environment over
// durascribe.toml over defaults. Unknown keys and bad values are errors that name the key, where it
// stands and what is expected. Nothing is opened here but the configuration file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/log.h"
#include "durascribe/base/log_fields.h"
#include "durascribe/base/time.h"
#include "durascribe/domain/subtitle_formats.h"

namespace durascribe::cli {

struct Settings {
    std::filesystem::path data_dir;  // absolute
    std::string listen_host = "127.0.0.1";
    std::uint16_t listen_port = 8000;  // 0: chosen by the system
    std::string database;              // "" and "sqlite": the database in the data directory
    bool no_auth = false;
    bool auth_on_loopback = false;
    bool metrics_public = false;
    std::vector<std::string> allowed_hosts;    // lower case
    std::vector<std::string> trusted_proxies;  // addresses, as the system writes them
    int token_requests_per_second = 0;         // 0: no limit, like the two below
    int token_max_jobs = 0;
    std::int64_t token_max_storage_bytes = 0;
    std::optional<log::Level> log_level;  // none: info for serve, error for the other commands
    log::Format log_format = log::Format::text;
    Millis slow_request{1'000};  // 0: none is logged
    std::int64_t upload_limit_bytes = 10LL << 30;

    std::optional<Millis> transcription_timeout;  // none: 1800 s, or four times what is predicted
    Millis transcription_stall_timeout{30'000};
    Millis lease{30'000};
    int max_concurrent_transcriptions = 2;
    int max_retry_attempts = 3;
    Millis retry_backoff{30'000};
    Millis retry_backoff_max{300'000};
    double retry_backoff_jitter = 0.2;
    std::optional<int> retention_media_days;  // none: for ever
    int retention_events_days = 30;
    std::int64_t retention_events_max = 1'000'000;
    int retention_attempts_days = 90;
    int retention_uploads_days = 3;
    int unfinished_uploads_max = 1'000;
    std::int64_t unfinished_uploads_bytes_max = 100LL << 30;
    bool enable_progress_websocket = true;
    bool require_if_match = false;
    std::vector<std::string> cors_origins;
    bool transcription_queue_enabled = true;
    std::int64_t max_memory_per_transcription = 2LL << 30;
    double cpu_limit_per_transcription = 2;
    std::string allow_private_addresses;  // networks, with commas between them
    std::string dns_servers;              // "": those of the system
    Millis import_timeout{6LL * 3600 * 1000};
    Millis import_stall_timeout{30'000};
    bool import_sites = true;  // where yt-dlp is installed
    std::vector<std::filesystem::path> watch_folders;
    std::vector<domain::DocumentFormat> watch_output;  // put beside the file
    Millis watch_settle{10'000};
    bool watch_subfolders = false;

    // What a task gets where its options say nothing else.
    std::string engine = "auto";
    std::string model = "auto";
    std::string language = "en";
};

// A key's names in the three places, for --help and the documentation.
struct SettingName {
    std::string_view toml;
    std::string_view environment;
    std::string_view flag;  // "" where there is none
    std::string_view expected;
};
std::span<const SettingName> setting_names();

// A value given on the command line, by the key's TOML name.
using FlagValues = std::vector<std::pair<std::string, std::string>>;
using Environment = std::map<std::string, std::string>;

Environment process_environment();

// `config_file` is what --config names; without it DURASCRIBE_CONFIG, then durascribe.toml in the
// data directory, where it may be missing. Errors: request "bad_setting", "unknown_setting",
// "bad_config_file".
Result<Settings> load_settings(const FlagValues& flags, const Environment& environment,
                               const std::optional<std::filesystem::path>& config_file);

// Whether only this machine can connect to that address.
bool is_loopback(std::string_view host);

// "2GB", "512 MB", "10GiB", "1048576"; K, M, G and T are powers of 1024 with and without the i.
std::optional<std::int64_t> bytes_from(std::string_view text);

}  // namespace durascribe::cli
