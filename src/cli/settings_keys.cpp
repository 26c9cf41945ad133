#include "durascribe/cli/settings_keys.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "durascribe/net/address_policy.h"
#include "durascribe/net/dns_resolver.h"

namespace durascribe::cli {
namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) {
        return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    });
    return out;
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

std::optional<Millis> seconds_from(std::string_view text, int least, int most) {
    const auto seconds = number_from<int>(text, least, most);
    return seconds ? std::optional(Millis{1000LL * *seconds}) : std::nullopt;
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

// Of an optional, what it holds.
template <typename T>
struct ValueOf {
    using type = T;
};
template <typename T>
struct ValueOf<std::optional<T>> {
    using type = T;
};

// What sets a member: a switch, a number within bounds, whole seconds, a size, a word.
template <auto Field>
bool flag(Settings& settings, std::string_view text) {
    return assign(settings.*Field, bool_from(text));
}
template <auto Field, auto least, auto most>
bool number(Settings& settings, std::string_view text) {
    using Number = typename ValueOf<std::remove_cvref_t<decltype(settings.*Field)>>::type;
    return assign(settings.*Field, number_from<Number>(text, least, most));
}
template <auto Field, int least, int most>
bool seconds(Settings& settings, std::string_view text) {
    return assign(settings.*Field, seconds_from(text, least, most));
}
template <auto Field>
bool bytes(Settings& settings, std::string_view text) {
    return assign(settings.*Field, bytes_from(text));
}
template <auto Field>
bool word(Settings& settings, std::string_view text) {
    return set_word(settings.*Field, text);
}

constexpr std::array kKeys{
    SettingKey{
        {"data", "DURASCRIBE_DATA", "--data", "a directory"},
        [](Settings& s, std::string_view v) {
            if (v.empty()) {
                return false;
            }
            std::error_code problem;
            s.data_dir =
                std::filesystem::absolute(std::filesystem::path(v), problem).lexically_normal();
            return !problem;
        }},
    SettingKey{{"listen", "DURASCRIBE_LISTEN", "--listen",
                "HOST:PORT, such as 127.0.0.1:8000 or [::1]:8000"},
               set_listen},
    SettingKey{{"database", "DURASCRIBE_DATABASE", "--database", "sqlite"},
               [](Settings& s, std::string_view v) {
                   s.database = v;
                   return true;
               }},
    SettingKey{{"no_auth", "DURASCRIBE_NO_AUTH", "--no-auth", "true or false"},
               flag<&Settings::no_auth>},
    SettingKey{{"auth_on_loopback", "AUTH_ON_LOOPBACK", "", "true or false"},
               flag<&Settings::auth_on_loopback>},
    SettingKey{{"metrics_public", "METRICS_PUBLIC", "", "true or false"},
               flag<&Settings::metrics_public>},
    SettingKey{{"log_format", "LOG_FORMAT", "", "text or json"},
               [](Settings& s, std::string_view v) {
                   s.log_format = lower(v) == "json" ? log::Format::json : log::Format::text;
                   return lower(v) == "json" || lower(v) == "text";
               }},
    SettingKey{{"slow_request_seconds", "SLOW_REQUEST_SECONDS", "", "a number from 0 to 3600"},
               [](Settings& s, std::string_view v) {
                   const auto seconds = number_from<double>(v, 0, 3'600);
                   return assign(
                       s.slow_request,
                       seconds ? std::optional(Millis{static_cast<std::int64_t>(1000 * *seconds)})
                               : std::nullopt);
               }},
    SettingKey{
        {"allowed_hosts", "ALLOWED_HOSTS", "", "names of hosts, separated by commas"},
        [](Settings& s, std::string_view v) { return set_list(s.allowed_hosts, v, host_from); }},
    SettingKey{{"trusted_proxies", "TRUSTED_PROXIES", "", "IP addresses, separated by commas"},
               [](Settings& s, std::string_view v) {
                   return set_list(s.trusted_proxies, v, address_from);
               }},
    SettingKey{{"token_requests_per_second", "TOKEN_REQUESTS_PER_SECOND", "",
                "a whole number from 0 to 1000000"},
               number<&Settings::token_requests_per_second, 0, 1'000'000>},
    SettingKey{{"token_max_jobs", "TOKEN_MAX_JOBS", "", "a whole number from 0 to 1000000000"},
               number<&Settings::token_max_jobs, 0, 1'000'000'000>},
    SettingKey{{"token_max_storage", "TOKEN_MAX_STORAGE", "", "a size, such as 10GB"},
               bytes<&Settings::token_max_storage_bytes>},
    SettingKey{
        {"log_level", "DURASCRIBE_LOG_LEVEL", "--log-level", "debug, info, warning, error or off"},
        [](Settings& s, std::string_view v) { return assign(s.log_level, level_from(v)); }},
    SettingKey{
        {"upload_limit", "DURASCRIBE_UPLOAD_LIMIT", "--upload-limit", "a size, such as 10GB"},
        bytes<&Settings::upload_limit_bytes>},
    SettingKey{{"engine", "DURASCRIBE_ENGINE", "", "the name of an engine, or auto"},
               word<&Settings::engine>},
    SettingKey{{"model", "DURASCRIBE_MODEL", "", "the name of a model, or auto"},
               word<&Settings::model>},
    SettingKey{{"language", "DURASCRIBE_LANGUAGE", "", "a language code, such as en"},
               word<&Settings::language>},
    SettingKey{{"transcription_timeout", "TRANSCRIPTION_TIMEOUT", "",
                "a whole number of seconds from 1 to 604800"},
               seconds<&Settings::transcription_timeout, 1, 604'800>},
    SettingKey{{"transcription_stall_timeout", "TRANSCRIPTION_STALL_TIMEOUT", "",
                "a whole number of seconds from 1 to 86400"},
               seconds<&Settings::transcription_stall_timeout, 1, 86'400>},
    SettingKey{{"lease_seconds", "LEASE_SECONDS", "", "a whole number from 1 to 3600"},
               seconds<&Settings::lease, 1, 3'600>},
    SettingKey{{"max_concurrent_transcriptions", "MAX_CONCURRENT_TRANSCRIPTIONS", "",
                "a whole number from 1 to 256"},
               number<&Settings::max_concurrent_transcriptions, 1, 256>},
    SettingKey{{"max_retry_attempts", "MAX_RETRY_ATTEMPTS", "", "a whole number from 0 to 100"},
               number<&Settings::max_retry_attempts, 0, 100>},
    SettingKey{
        {"retry_backoff_seconds", "RETRY_BACKOFF_SECONDS", "", "a whole number from 0 to 86400"},
        seconds<&Settings::retry_backoff, 0, 86'400>},
    SettingKey{{"retry_backoff_max_seconds", "RETRY_BACKOFF_MAX_SECONDS", "",
                "a whole number from 0 to 86400"},
               seconds<&Settings::retry_backoff_max, 0, 86'400>},
    SettingKey{{"retry_backoff_jitter", "RETRY_BACKOFF_JITTER", "", "a number from 0 to 1"},
               number<&Settings::retry_backoff_jitter, 0, 1>},
    SettingKey{
        {"retention_media_days", "RETENTION_MEDIA_DAYS", "", "a whole number from 1 to 36500"},
        number<&Settings::retention_media_days, 1, 36'500>},
    SettingKey{
        {"retention_events_days", "RETENTION_EVENTS_DAYS", "", "a whole number from 1 to 36500"},
        number<&Settings::retention_events_days, 1, 36'500>},
    SettingKey{{"retention_events_max", "RETENTION_EVENTS_MAX", "",
                "a whole number from 1000 to 1000000000"},
               number<&Settings::retention_events_max, 1'000, 1'000'000'000>},
    SettingKey{{"retention_attempts_days", "RETENTION_ATTEMPTS_DAYS", "",
                "a whole number from 1 to 36500"},
               number<&Settings::retention_attempts_days, 1, 36'500>},
    SettingKey{
        {"retention_uploads_days", "RETENTION_UPLOADS_DAYS", "", "a whole number from 1 to 36500"},
        number<&Settings::retention_uploads_days, 1, 36'500>},
    SettingKey{{"unfinished_uploads_max", "UNFINISHED_UPLOADS_MAX", "",
                "a whole number from 1 to 1000000"},
               number<&Settings::unfinished_uploads_max, 1, 1'000'000>},
    SettingKey{{"unfinished_uploads_size", "UNFINISHED_UPLOADS_SIZE", "", "a size, such as 100GB"},
               bytes<&Settings::unfinished_uploads_bytes_max>},
    SettingKey{
        {"cors_origins", "CORS_ORIGINS", "",
         "origins with commas between them, such as https://app.example,http://localhost:5173"},
        set_origins},
    SettingKey{{"enable_progress_websocket", "ENABLE_PROGRESS_WEBSOCKET", "", "true or false"},
               flag<&Settings::enable_progress_websocket>},
    SettingKey{{"require_if_match", "REQUIRE_IF_MATCH", "", "true or false"},
               flag<&Settings::require_if_match>},
    SettingKey{{"transcription_queue_enabled", "TRANSCRIPTION_QUEUE_ENABLED", "", "true or false"},
               flag<&Settings::transcription_queue_enabled>},
    SettingKey{{"max_memory_per_transcription", "MAX_MEMORY_PER_TRANSCRIPTION", "",
                "a size of at least 64MB, such as 2GB"},
               [](Settings& s, std::string_view v) {
                   const auto bytes = bytes_from(v);
                   return bytes >= (64LL << 20) && assign(s.max_memory_per_transcription, bytes);
               }},
    SettingKey{{"cpu_limit_per_transcription", "CPU_LIMIT_PER_TRANSCRIPTION", "",
                "a number of cores from 0.1 to 1024"},
               number<&Settings::cpu_limit_per_transcription, 0.1, 1024>},
    SettingKey{{"allow_private_addresses", "ALLOW_PRIVATE_ADDRESSES", "",
                "networks with commas between them, such as 10.0.0.0/8,127.0.0.1"},
               [](Settings& s, std::string_view v) {
                   s.allow_private_addresses = v;
                   return net::AddressPolicy::parse(v).has_value();
               }},
    SettingKey{{"watch_folders", "WATCH_FOLDERS", "",
                "absolute paths of folders, with colons between them"},
               set_watch_folders},
    SettingKey{
        {"watch_output", "WATCH_OUTPUT", "", "formats with commas between them, such as srt,vtt"},
        set_watch_output},
    SettingKey{
        {"watch_settle_seconds", "WATCH_SETTLE_SECONDS", "", "a whole number from 1 to 3600"},
        seconds<&Settings::watch_settle, 1, 3'600>},
    SettingKey{{"watch_subfolders", "WATCH_SUBFOLDERS", "", "true or false"},
               flag<&Settings::watch_subfolders>},
    SettingKey{
        {"import_timeout", "IMPORT_TIMEOUT", "", "a whole number of seconds from 1 to 604800"},
        seconds<&Settings::import_timeout, 1, 604'800>},
    SettingKey{{"import_stall_timeout", "IMPORT_STALL_TIMEOUT", "",
                "a whole number of seconds from 1 to 3600"},
               seconds<&Settings::import_stall_timeout, 1, 3'600>},
    SettingKey{{"import_sites", "IMPORT_SITES", "", "true or false"},
               flag<&Settings::import_sites>},
    SettingKey{{"dns_servers", "DNS_SERVERS", "",
                "addresses with commas between them, such as 192.0.2.53,192.0.2.54:5353"},
               [](Settings& s, std::string_view v) {
                   s.dns_servers = v;
                   return net::DnsResolver::create({.servers = s.dns_servers}).has_value();
               }},
};

}  // namespace

std::span<const SettingKey> setting_keys() {
    return kKeys;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const auto first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
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
