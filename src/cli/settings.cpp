#include "durascribe/cli/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <toml++/toml.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "durascribe/net/address_policy.h"
#include "durascribe/net/dns_resolver.h"

namespace durascribe::cli {
namespace {

constexpr std::string_view kFileName = "durascribe.toml";

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) {
        return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    });
    return out;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const auto first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

template <typename Number>
std::optional<Number> number_from(std::string_view text, Number least, Number most) {
    Number value{};
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || end != text.data() + text.size() ||
        !(value >= least && value <= most)) {
        return std::nullopt;
    }
    return value;
}

std::optional<bool> bool_from(std::string_view text) {
    const std::string word = lower(text);
    if (word == "true" || word == "1" || word == "yes" || word == "on") {
        return true;
    }
    if (word == "false" || word == "0" || word == "no" || word == "off") {
        return false;
    }
    return std::nullopt;
}

std::optional<log::Level> level_from(std::string_view text) {
    const std::string word = lower(text);
    if (word == "debug")
        return log::Level::debug;
    if (word == "info")
        return log::Level::info;
    if (word == "warning")
        return log::Level::warning;
    if (word == "error")
        return log::Level::error;
    if (word == "off")
        return log::Level::off;
    return std::nullopt;
}

// HOST:PORT, [IPv6]:PORT, :PORT is refused: an address that listens everywhere must be written out.
bool set_listen(Settings& settings, std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) {
        return false;
    }
    std::string_view host = text.substr(0, colon);
    if (host.front() == '[') {
        if (host.back() != ']' || host.size() < 3) {
            return false;
        }
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return false;
    }
    const auto port = number_from<std::uint16_t>(text.substr(colon + 1), 0, 65'535);
    if (!port) {
        return false;
    }
    settings.listen_host = host;
    settings.listen_port = *port;
    return true;
}

template <typename T, typename Field>
bool assign(Field& field, const std::optional<T>& value) {
    if (!value) {
        return false;
    }
    field = *value;
    return true;
}

bool set_word(std::string& field, std::string_view text) {
    if (text.empty() || text.size() > 200) {
        return false;
    }
    field = text;
    return true;
}

// A name without scheme, port or path.
std::optional<std::string> host_from(std::string_view text) {
    const bool plain = std::ranges::all_of(text, [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_';
    });
    return plain ? std::optional{lower(text)} : std::nullopt;
}

// As inet_ntop writes it, so that it is found again.
std::optional<std::string> address_from(std::string_view text) {
    const std::string given{text};
    std::array<unsigned char, sizeof(in6_addr)> address{};
    std::array<char, INET6_ADDRSTRLEN> shown{};
    for (const int family : {AF_INET, AF_INET6}) {
        if (::inet_pton(family, given.c_str(), address.data()) == 1) {
            return ::inet_ntop(family, address.data(), shown.data(), shown.size());
        }
    }
    return std::nullopt;
}

bool set_list(std::vector<std::string>& field, std::string_view text,
              std::optional<std::string> (*item_from)(std::string_view)) {
    std::vector<std::string> items;
    while (true) {
        const auto comma = std::min(text.find(','), text.size());
        const auto item = item_from(trimmed(text.substr(0, comma)));
        if (!item || item->empty()) {
            return false;
        }
        items.push_back(*item);
        if (comma == text.size()) {
            field = std::move(items);
            return true;
        }
        text.remove_prefix(comma + 1);
    }
}

// Calls `take` with each part between separators, without the empty ones; false: it refused one.
bool each_part(std::string_view list, char separator, auto take) {
    while (!list.empty()) {
        const auto end = list.find(separator);
        const std::string_view part = trimmed(list.substr(0, end));
        list = end == std::string_view::npos ? "" : list.substr(end + 1);
        if (!part.empty() && !take(part)) {
            return false;
        }
    }
    return true;
}

bool set_watch_folders(Settings& settings, std::string_view text) {
    settings.watch_folders.clear();
    return each_part(text, ':', [&](std::string_view part) {
        settings.watch_folders.emplace_back(part);
        return settings.watch_folders.back().is_absolute();
    });
}

bool set_watch_output(Settings& settings, std::string_view text) {
    settings.watch_output.clear();
    return each_part(text, ',', [&](std::string_view part) {
        const auto format = std::ranges::find(
            domain::kDocumentFormats, part, [](domain::DocumentFormat f) { return to_string(f); });
        if (format == std::end(domain::kDocumentFormats)) {
            return false;
        }
        settings.watch_output.push_back(*format);
        return true;
    });
}

// As browsers write one in a request: scheme, host in lower case, perhaps a port, and nothing more.
bool is_origin(std::string_view text) {
    for (const std::string_view scheme : {"https://", "http://"}) {
        if (text.starts_with(scheme)) {
            constexpr std::string_view kHostAndPort = "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]";
            const auto host = text.substr(scheme.size());
            return !host.empty() && host.front() != ':' &&
                   host.find_first_not_of(kHostAndPort) == std::string_view::npos;
        }
    }
    return false;
}

// A list with commas. False: one of them is no origin.
bool set_origins(Settings& settings, std::string_view text) {
    std::vector<std::string> origins;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        const auto origin = trimmed(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
        if (!is_origin(origin)) {
            return false;
        }
        origins.emplace_back(origin);
    }
    settings.cors_origins = std::move(origins);
    return true;
}

// One row for each key: its names, what is expected, and how a text becomes its value (false: it
// does not).
struct Key {
    SettingName name;
    bool (*set)(Settings&, std::string_view);
};

constexpr std::array kKeys{
    Key{{"data", "DURASCRIBE_DATA", "--data", "a directory"},
        [](Settings& s, std::string_view v) {
            if (v.empty()) {
                return false;
            }
            std::error_code problem;
            s.data_dir =
                std::filesystem::absolute(std::filesystem::path(v), problem).lexically_normal();
            return !problem;
        }},
    Key{{"listen", "DURASCRIBE_LISTEN", "--listen",
         "HOST:PORT, such as 127.0.0.1:8000 or [::1]:8000"},
        set_listen},
    Key{{"database", "DURASCRIBE_DATABASE", "--database", "sqlite"},
        [](Settings& s, std::string_view v) {
            s.database = v;
            return true;
        }},
    Key{{"no_auth", "DURASCRIBE_NO_AUTH", "--no-auth", "true or false"},
        [](Settings& s, std::string_view v) { return assign(s.no_auth, bool_from(v)); }},
    Key{{"auth_on_loopback", "AUTH_ON_LOOPBACK", "", "true or false"},
        [](Settings& s, std::string_view v) { return assign(s.auth_on_loopback, bool_from(v)); }},
    Key{{"metrics_public", "METRICS_PUBLIC", "", "true or false"},
        [](Settings& s, std::string_view v) { return assign(s.metrics_public, bool_from(v)); }},
    Key{{"log_format", "LOG_FORMAT", "", "text or json"},
        [](Settings& s, std::string_view v) {
            s.log_format = lower(v) == "json" ? log::Format::json : log::Format::text;
            return lower(v) == "json" || lower(v) == "text";
        }},
    Key{{"slow_request_seconds", "SLOW_REQUEST_SECONDS", "", "a number from 0 to 3600"},
        [](Settings& s, std::string_view v) {
            const auto seconds = number_from<double>(v, 0, 3'600);
            return assign(s.slow_request,
                          seconds
                              ? std::optional(Millis{static_cast<std::int64_t>(1000 * *seconds)})
                              : std::nullopt);
        }},
    Key{{"allowed_hosts", "ALLOWED_HOSTS", "", "names of hosts, separated by commas"},
        [](Settings& s, std::string_view v) { return set_list(s.allowed_hosts, v, host_from); }},
    Key{{"trusted_proxies", "TRUSTED_PROXIES", "", "IP addresses, separated by commas"},
        [](Settings& s, std::string_view v) {
            return set_list(s.trusted_proxies, v, address_from);
        }},
    Key{{"token_requests_per_second", "TOKEN_REQUESTS_PER_SECOND", "",
         "a whole number from 0 to 1000000"},
        [](Settings& s, std::string_view v) {
            return assign(s.token_requests_per_second, number_from<int>(v, 0, 1'000'000));
        }},
    Key{{"token_max_jobs", "TOKEN_MAX_JOBS", "", "a whole number from 0 to 1000000000"},
        [](Settings& s, std::string_view v) {
            return assign(s.token_max_jobs, number_from<int>(v, 0, 1'000'000'000));
        }},
    Key{{"token_max_storage", "TOKEN_MAX_STORAGE", "", "a size, such as 10GB"},
        [](Settings& s, std::string_view v) {
            return assign(s.token_max_storage_bytes, bytes_from(v));
        }},
    Key{{"log_level", "DURASCRIBE_LOG_LEVEL", "--log-level", "debug, info, warning, error or off"},
        [](Settings& s, std::string_view v) { return assign(s.log_level, level_from(v)); }},
    Key{{"upload_limit", "DURASCRIBE_UPLOAD_LIMIT", "--upload-limit", "a size, such as 10GB"},
        [](Settings& s, std::string_view v) {
            return assign(s.upload_limit_bytes, bytes_from(v));
        }},
    Key{{"engine", "DURASCRIBE_ENGINE", "", "the name of an engine, or auto"},
        [](Settings& s, std::string_view v) { return set_word(s.engine, v); }},
    Key{{"model", "DURASCRIBE_MODEL", "", "the name of a model, or auto"},
        [](Settings& s, std::string_view v) { return set_word(s.model, v); }},
    Key{{"language", "DURASCRIBE_LANGUAGE", "", "a language code, such as en"},
        [](Settings& s, std::string_view v) { return set_word(s.language, v); }},
    Key{{"transcription_timeout", "TRANSCRIPTION_TIMEOUT", "",
         "a whole number of seconds from 1 to 604800"},
        [](Settings& s, std::string_view v) {
            const auto seconds = number_from<int>(v, 1, 604'800);
            return assign(s.transcription_timeout,
                          seconds ? std::optional(Millis{1000LL * *seconds}) : std::nullopt);
        }},
    Key{{"transcription_stall_timeout", "TRANSCRIPTION_STALL_TIMEOUT", "",
         "a whole number of seconds from 1 to 86400"},
        [](Settings& s, std::string_view v) {
            const auto seconds = number_from<int>(v, 1, 86'400);
            return assign(s.transcription_stall_timeout,
                          seconds ? std::optional(Millis{1000LL * *seconds}) : std::nullopt);
        }},
    Key{{"lease_seconds", "LEASE_SECONDS", "", "a whole number from 1 to 3600"},
        [](Settings& s, std::string_view v) {
            const auto seconds = number_from<int>(v, 1, 3'600);
            return assign(s.lease,
                          seconds ? std::optional(Millis{1000LL * *seconds}) : std::nullopt);
        }},
    Key{{"max_concurrent_transcriptions", "MAX_CONCURRENT_TRANSCRIPTIONS", "",
         "a whole number from 1 to 256"},
        [](Settings& s, std::string_view v) {
            return assign(s.max_concurrent_transcriptions, number_from<int>(v, 1, 256));
        }},
    Key{{"max_retry_attempts", "MAX_RETRY_ATTEMPTS", "", "a whole number from 0 to 100"},
        [](Settings& s, std::string_view v) {
            return assign(s.max_retry_attempts, number_from<int>(v, 0, 100));
        }},
    Key{{"retry_backoff_seconds", "RETRY_BACKOFF_SECONDS", "", "a whole number from 0 to 86400"},
        [](Settings& s, std::string_view v) {
            const auto seconds = number_from<int>(v, 0, 86'400);
            return assign(s.retry_backoff,
                          seconds ? std::optional(Millis{1000LL * *seconds}) : std::nullopt);
        }},
    Key{{"retry_backoff_max_seconds", "RETRY_BACKOFF_MAX_SECONDS", "",
         "a whole number from 0 to 86400"},
        [](Settings& s, std::string_view v) {
            const auto seconds = number_from<int>(v, 0, 86'400);
            return assign(s.retry_backoff_max,
                          seconds ? std::optional(Millis{1000LL * *seconds}) : std::nullopt);
        }},
    Key{{"retry_backoff_jitter", "RETRY_BACKOFF_JITTER", "", "a number from 0 to 1"},
        [](Settings& s, std::string_view v) {
            return assign(s.retry_backoff_jitter, number_from<double>(v, 0, 1));
        }},
    Key{{"retention_media_days", "RETENTION_MEDIA_DAYS", "", "a whole number from 1 to 36500"},
        [](Settings& s, std::string_view v) {
            return assign(s.retention_media_days, number_from<int>(v, 1, 36'500));
        }},
    Key{{"retention_events_days", "RETENTION_EVENTS_DAYS", "", "a whole number from 1 to 36500"},
        [](Settings& s, std::string_view v) {
            return assign(s.retention_events_days, number_from<int>(v, 1, 36'500));
        }},
    Key{{"retention_events_max", "RETENTION_EVENTS_MAX", "",
         "a whole number from 1000 to 1000000000"},
        [](Settings& s, std::string_view v) {
            return assign(s.retention_events_max,
                          number_from<std::int64_t>(v, 1'000, 1'000'000'000));
        }},
    Key{{"retention_attempts_days", "RETENTION_ATTEMPTS_DAYS", "",
         "a whole number from 1 to 36500"},
        [](Settings& s, std::string_view v) {
            return assign(s.retention_attempts_days, number_from<int>(v, 1, 36'500));
        }},
    Key{{"retention_uploads_days", "RETENTION_UPLOADS_DAYS", "", "a whole number from 1 to 36500"},
        [](Settings& s, std::string_view v) {
            return assign(s.retention_uploads_days, number_from<int>(v, 1, 36'500));
        }},
    Key{{"unfinished_uploads_max", "UNFINISHED_UPLOADS_MAX", "",
         "a whole number from 1 to 1000000"},
        [](Settings& s, std::string_view v) {
            return assign(s.unfinished_uploads_max, number_from<int>(v, 1, 1'000'000));
        }},
    Key{{"unfinished_uploads_size", "UNFINISHED_UPLOADS_SIZE", "", "a size, such as 100GB"},
        [](Settings& s, std::string_view v) {
            return assign(s.unfinished_uploads_bytes_max, bytes_from(v));
        }},
    Key{{"cors_origins", "CORS_ORIGINS", "",
         "origins with commas between them, such as https://app.example,http://localhost:5173"},
        set_origins},
    Key{{"enable_progress_websocket", "ENABLE_PROGRESS_WEBSOCKET", "", "true or false"},
        [](Settings& s, std::string_view v) {
            return assign(s.enable_progress_websocket, bool_from(v));
        }},
    Key{{"require_if_match", "REQUIRE_IF_MATCH", "", "true or false"},
        [](Settings& s, std::string_view v) { return assign(s.require_if_match, bool_from(v)); }},
    Key{{"transcription_queue_enabled", "TRANSCRIPTION_QUEUE_ENABLED", "", "true or false"},
        [](Settings& s, std::string_view v) {
            return assign(s.transcription_queue_enabled, bool_from(v));
        }},
    Key{{"max_memory_per_transcription", "MAX_MEMORY_PER_TRANSCRIPTION", "",
         "a size of at least 64MB, such as 2GB"},
        [](Settings& s, std::string_view v) {
            const auto bytes = bytes_from(v);
            return bytes >= (64LL << 20) && assign(s.max_memory_per_transcription, bytes);
        }},
    Key{{"cpu_limit_per_transcription", "CPU_LIMIT_PER_TRANSCRIPTION", "",
         "a number of cores from 0.1 to 1024"},
        [](Settings& s, std::string_view v) {
            return assign(s.cpu_limit_per_transcription, number_from<double>(v, 0.1, 1024));
        }},
    Key{{"allow_private_addresses", "ALLOW_PRIVATE_ADDRESSES", "",
         "networks with commas between them, such as 10.0.0.0/8,127.0.0.1"},
        [](Settings& s, std::string_view v) {
            s.allow_private_addresses = v;
            return net::AddressPolicy::parse(v).has_value();
        }},
    Key{{"watch_folders", "WATCH_FOLDERS", "",
         "absolute paths of folders, with colons between them"},
        set_watch_folders},
    Key{{"watch_output", "WATCH_OUTPUT", "", "formats with commas between them, such as srt,vtt"},
        set_watch_output},
    Key{{"watch_settle_seconds", "WATCH_SETTLE_SECONDS", "", "a whole number from 1 to 3600"},
        [](Settings& s, std::string_view v) {
            const auto seconds = number_from<int>(v, 1, 3'600);
            return assign(s.watch_settle,
                          seconds ? std::optional(Millis{1000LL * *seconds}) : std::nullopt);
        }},
    Key{{"dns_servers", "DNS_SERVERS", "",
         "addresses with commas between them, such as 192.0.2.53,192.0.2.54:5353"},
        [](Settings& s, std::string_view v) {
            s.dns_servers = v;
            return net::DnsResolver::create({.servers = s.dns_servers}).has_value();
        }},
};

// DURASCRIBE_ names that are no settings of the server: where the configuration file is, where the
// worker looks for models, and what the build scripts read.
constexpr std::array<std::string_view, 3> kOtherVariables{"DURASCRIBE_CONFIG", "DURASCRIBE_MODELS",
                                                          "DURASCRIBE_LAUNCHER"};

const Key* key_of_toml(std::string_view name) {
    const auto found = std::ranges::find(kKeys, name, [](const Key& k) { return k.name.toml; });
    return found == kKeys.end() ? nullptr : &*found;
}

Result<void> set(Settings& settings, const Key& key, std::string_view value,
                 std::string_view shown_name, std::string_view place) {
    if (!key.set(settings, trimmed(value))) {
        return fail(ErrorClass::request, "bad_setting",
                    fmt::format("{} is \"{}\" ({}); expected {}.", shown_name, value, place,
                                key.name.expected));
    }
    return {};
}

Result<std::filesystem::path> default_data_dir(const Environment& environment) {
    const auto of = [&](const char* name) -> std::filesystem::path {
        const auto found = environment.find(name);
        return found == environment.end() ? std::filesystem::path()
                                          : std::filesystem::path(found->second);
    };
    // The XDG base directory specification: a relative path is to be ignored.
    if (const auto xdg = of("XDG_DATA_HOME"); xdg.is_absolute()) {
        return xdg / "durascribe";
    }
    if (const auto home = of("HOME"); home.is_absolute()) {
        return home / ".local" / "share" / "durascribe";
    }
    return fail(
        ErrorClass::request, "bad_setting",
        "There is no home directory to keep data in (HOME is not set). Name one with --data DIR.");
}

std::string line_of(const std::filesystem::path& file, const toml::source_region& at) {
    return fmt::format("{}, line {}", file.string(), at.begin.line);
}

std::optional<std::string> text_of(const toml::node& node) {
    if (const auto* text = node.as_string())
        return text->get();
    if (const auto* whole = node.as_integer())
        return fmt::format("{}", whole->get());
    if (const auto* real = node.as_floating_point())
        return fmt::format("{}", real->get());
    if (const auto* truth = node.as_boolean())
        return std::string(truth->get() ? "true" : "false");
    return std::nullopt;
}

Result<toml::table> parse(const std::filesystem::path& file) {
    try {
        return toml::parse_file(file.string());
    } catch (const toml::parse_error& e) {
        return fail(
            ErrorClass::request, "bad_config_file",
            fmt::format("{} can't be read: {}.", line_of(file, e.source()), e.description()));
    }
}

Result<void> read_file(Settings& settings, const std::filesystem::path& file, bool in_data_dir) {
    const auto table = parse(file);
    if (!table) {
        return std::unexpected(table.error());
    }
    for (const auto& [name, node] : *table) {
        const Key* key = key_of_toml(name.str());
        if (key == nullptr) {
            return fail(
                ErrorClass::request, "unknown_setting",
                fmt::format("{}: there is no setting \"{}\". Correct its name or remove the line; "
                            "`durascribe serve --help` lists the settings.",
                            line_of(file, node.source()), name.str()));
        }
        if (in_data_dir && key->name.toml == "data") {
            return fail(
                ErrorClass::request, "bad_setting",
                fmt::format(
                    "{}: \"data\" can't be set by the file in the data directory itself. Use "
                    "--data, DURASCRIBE_DATA, or a file named with --config.",
                    line_of(file, node.source())));
        }
        const auto text = text_of(node);
        if (!text) {
            return fail(ErrorClass::request, "bad_setting",
                        fmt::format("{}: {} is a table or a list; expected {}.",
                                    line_of(file, node.source()), name.str(), key->name.expected));
        }
        if (auto done = set(settings, *key, *text, name.str(), line_of(file, node.source()));
            !done) {
            return done;
        }
    }
    return {};
}

Result<void> read_environment(Settings& settings, const Environment& environment) {
    for (const Key& key : kKeys) {
        const auto found = environment.find(std::string(key.name.environment));
        // Set but empty is how a service file or a shell says "not set".
        if (found == environment.end() || found->second.empty()) {
            continue;
        }
        if (auto done =
                set(settings, key, found->second, key.name.environment, "in the environment");
            !done) {
            return done;
        }
    }
    for (const auto& [name, value] : environment) {
        const auto is_name = [&](const Key& key) { return key.name.environment == name; };
        if (name.starts_with("DURASCRIBE_") && std::ranges::none_of(kKeys, is_name) &&
            std::ranges::find(kOtherVariables, name) == kOtherVariables.end()) {
            return fail(
                ErrorClass::request, "unknown_setting",
                fmt::format(
                    "There is no setting {} (in the environment). Correct its name or unset it; "
                    "`durascribe serve --help` lists the settings.",
                    name));
        }
    }
    return {};
}

Result<void> read_flags(Settings& settings, const FlagValues& flags) {
    for (const auto& [name, value] : flags) {
        const Key* key = key_of_toml(name);
        DURASCRIBE_ASSERT(key != nullptr);
        if (auto done = set(settings, *key, value, key->name.flag, "on the command line"); !done) {
            return done;
        }
    }
    return {};
}

}  // namespace

std::span<const SettingName> setting_names() {
    static const auto names = [] {
        std::array<SettingName, kKeys.size()> out{};
        std::ranges::transform(kKeys, out.begin(), &Key::name);
        return out;
    }();
    return names;
}

Environment process_environment() {
    Environment out;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        if (const auto equals = text.find('='); equals != std::string_view::npos) {
            out.emplace(text.substr(0, equals), text.substr(equals + 1));
        }
    }
    return out;
}

Result<Settings> load_settings(const FlagValues& flags, const Environment& environment,
                               const std::optional<std::filesystem::path>& config_file) {
    // The file is below the environment and the flags, but where it lies depends on both: they are
    // read once to find it, and again to prevail over it.
    Settings where;
    if (auto done = read_environment(where, environment); !done) {
        return std::unexpected(done.error());
    }
    if (auto done = read_flags(where, flags); !done) {
        return std::unexpected(done.error());
    }
    Settings settings;
    if (where.data_dir.empty()) {
        auto data_dir = default_data_dir(environment);
        if (!data_dir) {
            return std::unexpected(data_dir.error());
        }
        where.data_dir = *data_dir;
    }
    settings.data_dir = where.data_dir;

    std::optional<std::filesystem::path> named = config_file;
    if (const auto found = environment.find("DURASCRIBE_CONFIG");
        !named && found != environment.end() && !found->second.empty()) {
        named = found->second;
    }
    std::error_code problem;
    const std::filesystem::path file = named ? *named : where.data_dir / kFileName;
    if (std::filesystem::exists(file, problem)) {
        if (auto done = read_file(settings, file, !named); !done) {
            return std::unexpected(done.error());
        }
    } else if (named) {
        return fail(ErrorClass::request, "bad_config_file",
                    fmt::format("The configuration file {} is not there.", file.string()));
    }
    if (auto done = read_environment(settings, environment); !done) {
        return std::unexpected(done.error());
    }
    if (auto done = read_flags(settings, flags); !done) {
        return std::unexpected(done.error());
    }
    if (!settings.database.empty() && settings.database != "sqlite") {
        return fail(
            ErrorClass::request, "bad_setting",
            fmt::format(
                "The database \"{}\" can't be used: this version keeps its data in SQLite, in the "
                "data directory. PostgreSQL comes with a later version; leave --database out.",
                settings.database));
    }
    return settings;
}

bool is_loopback(std::string_view host) {
    if (host == "localhost" || host == "::1") {
        return true;
    }
    // 127.0.0.0/8 in its four-part form; any other spelling counts as reachable from outside.
    int parts = 0;
    for (std::size_t start = 0; start <= host.size(); ++parts) {
        const auto end = std::min(host.find('.', start), host.size());
        const auto part = number_from<int>(host.substr(start, end - start), 0, 255);
        if (!part || (parts == 0 && *part != 127)) {
            return false;
        }
        start = end + 1;
    }
    return parts == 4;
}

std::optional<std::int64_t> bytes_from(std::string_view text) {
    text = trimmed(text);
    const auto unit_at = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto amount = number_from<double>(text.substr(0, unit_at), 0.0, 1e15);
    std::string unit = lower(trimmed(text.substr(unit_at)));
    if (!amount) {
        return std::nullopt;
    }
    if (unit.ends_with("ib")) {
        unit.resize(unit.size() - 2);
    } else if (unit.ends_with('b')) {
        unit.pop_back();
    }
    constexpr std::string_view kUnits = "kmgt";
    int power = 0;
    if (!unit.empty()) {
        const auto found = kUnits.find(unit);
        if (unit.size() != 1 || found == std::string_view::npos) {
            return std::nullopt;
        }
        power = static_cast<int>(found) + 1;
    }
    const double bytes = std::ldexp(*amount, 10 * power);
    if (bytes > 9e18 || bytes < 0) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(bytes);
}

}  // namespace durascribe::cli
