#include "durascribe/base/log.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "durascribe/base/log_fields.h"
#include "durascribe/base/time.h"

namespace durascribe::log {
namespace {

std::atomic<Format> format_in_use{Format::text};

std::vector<std::pair<std::string, std::string>>& fields_of_thread() {
    thread_local std::vector<std::pair<std::string, std::string>> fields;
    return fields;
}

spdlog::level::level_enum native(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warning:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
        case Level::off:
            return spdlog::level::off;
    }
    return spdlog::level::info;
}

std::string_view name_of(Level level) {
    switch (level) {
        case Level::debug:
            return "debug";
        case Level::info:
            return "info";
        case Level::warning:
            return "warning";
        case Level::error:
            return "error";
        case Level::off:
            return "off";
    }
    return "info";
}

spdlog::logger& logger() {
    static const auto instance = [] {
        auto made = std::make_shared<spdlog::logger>(
            "durascribe", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
        return made;
    }();
    return *instance;
}

// The length of the well-formed UTF-8 sequence at `at` (RFC 3629); 0: it is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const unsigned first = byte(at);
    const std::size_t length = first < 0x80                     ? 1
                               : first >= 0xC2 && first <= 0xDF ? 2
                               : first >= 0xE0 && first <= 0xEF ? 3
                               : first >= 0xF0 && first <= 0xF4 ? 4
                                                                : 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(at + i) & 0xC0U) != 0x80U) {
            return 0;
        }
    }
    const unsigned second = byte(at + 1);
    const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
    const bool outside = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
    return overlong || outside ? 0 : length;
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        const std::size_t length = utf8_length(text, i);
        if (length == 0) {
            out += "\\ufffd";
        } else if (length > 1) {
            out += text.substr(i, length);
        } else if (c == '"' || c == '\\') {
            out += {'\\', c};
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
            out += c;
        }
        i += std::max<std::size_t>(length, 1);
    }
    out += '"';
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
    out += out.empty() ? "{" : ",";
    append_quoted(out, name);
    out += ':';
    append_quoted(out, value);
}

}  // namespace

Scope::Scope(std::initializer_list<std::pair<std::string_view, std::string_view>> fields)
    : before_(fields_of_thread().size()) {
    if (format_in_use == Format::text) {
        return;
    }
    for (const auto& [name, value] : fields) {
        if (!value.empty()) {
            fields_of_thread().emplace_back(name, value);
        }
    }
}

Scope::~Scope() {
    fields_of_thread().resize(before_);
}

std::string json_line(std::string_view time, std::string_view level, std::string_view message) {
    std::string out;
    append_member(out, "time", time);
    append_member(out, "level", level);
    append_member(out, "message", message);
    for (const auto& [name, value] : fields_of_thread()) {
        append_member(out, name, value);
    }
    return out + "}";
}

void set_format(Format format) {
    format_in_use = format;
    logger().set_pattern(format == Format::json ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z %l %v");
}

void set_up(Level level) {
    logger().set_level(native(level));
}

bool enabled(Level level) {
    return logger().should_log(native(level));
}

void write(Level level, std::string_view line) {
    if (format_in_use == Format::json) {
        const auto now = std::chrono::floor<Millis>(std::chrono::system_clock::now());
        const std::string whole = json_line(to_rfc3339(now), name_of(level), line);
        logger().log(native(level), spdlog::string_view_t(whole.data(), whole.size()));
        return;
    }
    logger().log(native(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace durascribe::log
