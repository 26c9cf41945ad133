#include "durascribe/api/names.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace durascribe::api {
namespace {

// The length of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7), or 0.
std::size_t sequence_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) -> std::uint8_t {
        return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
    };
    const auto trails = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
    const std::uint8_t b0 = byte(at);
    if (b0 < 0x80) {
        return 1;
    }
    const std::uint8_t b1 = byte(at + 1);
    if (b0 >= 0xC2 && b0 <= 0xDF) {
        return trails(at + 1) ? 2 : 0;
    }
    if (b0 >= 0xE0 && b0 <= 0xEF) {
        const bool ok = trails(at + 1) && trails(at + 2) && (b0 != 0xE0 || b1 >= 0xA0) &&
                        (b0 != 0xED || b1 <= 0x9F);
        return ok ? 3 : 0;
    }
    if (b0 >= 0xF0 && b0 <= 0xF4) {
        const bool ok = trails(at + 1) && trails(at + 2) && trails(at + 3) &&
                        (b0 != 0xF0 || b1 >= 0x90) && (b0 != 0xF4 || b1 <= 0x8F);
        return ok ? 4 : 0;
    }
    return 0;
}

std::string latin1_to_utf8(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<std::uint8_t>(c);
        if (byte < 0x80) {
            out += c;
        } else {
            out += static_cast<char>(0xC0U | (byte >> 6U));
            out += static_cast<char>(0x80U | (byte & 0x3FU));
        }
    }
    return out;
}

// With its dot; empty where there is none, or where it is too long to be one.
std::string_view extension_of(std::string_view filename) {
    const std::size_t dot = filename.rfind('.');
    if (dot == std::string_view::npos || dot == 0 || filename.size() - dot > 16) {
        return {};
    }
    return filename.substr(dot);
}

bool is_control(char c) {
    return static_cast<std::uint8_t>(c) < 0x20 || c == 0x7F;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(' ');
    return first == std::string_view::npos
               ? std::string_view{}
               : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = sequence_length(text, at);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) {
        return text;
    }
    std::size_t end = bytes_max;
    while (end > 0 && (static_cast<std::uint8_t>(text[end]) & 0xC0U) == 0x80U) {
        --end;
    }
    return text.substr(0, end);
}

std::string clean_filename(std::string_view raw) {
    const std::size_t slash = raw.find_last_of("/\\");
    if (slash != std::string_view::npos) {
        raw.remove_prefix(slash + 1);
    }
    std::string name = is_valid_utf8(raw) ? std::string{raw} : latin1_to_utf8(raw);
    std::ranges::replace_if(name, is_control, '_');
    name = std::string{trimmed(name)};
    if (name.empty() || name == "." || name == "..") {
        return "recording";
    }
    if (name.size() > kFilenameBytesMax) {
        const std::string extension{extension_of(name)};
        const std::string_view stem =
            std::string_view{name}.substr(0, name.size() - extension.size());
        name = std::string{utf8_prefix(stem, kFilenameBytesMax - extension.size())} + extension;
    }
    return name;
}

std::string title_from_filename(std::string_view filename) {
    return std::string{filename.substr(0, filename.size() - extension_of(filename).size())};
}

std::string download_name(std::string_view title, std::string_view extension) {
    std::string name{title};
    std::ranges::replace_if(
        name, [](char c) { return is_control(c) || std::string_view{"/\\:*?\"<>|"}.contains(c); },
        '_');
    name = std::string{trimmed(utf8_prefix(name, kFilenameBytesMax - extension.size() - 1))};
    if (name.empty() || name.find_first_not_of('.') == std::string::npos) {
        name = "transcript";
    }
    return name + "." + std::string{extension};
}

std::string_view media_mime_type(std::string_view filename) {
    static constexpr std::array kTypes{
        std::pair<std::string_view, std::string_view>{".mp3", "audio/mpeg"},
        std::pair<std::string_view, std::string_view>{".m4a", "audio/mp4"},
        std::pair<std::string_view, std::string_view>{".aac", "audio/aac"},
        std::pair<std::string_view, std::string_view>{".wav", "audio/wav"},
        std::pair<std::string_view, std::string_view>{".flac", "audio/flac"},
        std::pair<std::string_view, std::string_view>{".ogg", "audio/ogg"},
        std::pair<std::string_view, std::string_view>{".oga", "audio/ogg"},
        std::pair<std::string_view, std::string_view>{".opus", "audio/ogg"},
        std::pair<std::string_view, std::string_view>{".weba", "audio/webm"},
        std::pair<std::string_view, std::string_view>{".mp4", "video/mp4"},
        std::pair<std::string_view, std::string_view>{".m4v", "video/mp4"},
        std::pair<std::string_view, std::string_view>{".mov", "video/quicktime"},
        std::pair<std::string_view, std::string_view>{".webm", "video/webm"},
        std::pair<std::string_view, std::string_view>{".ogv", "video/ogg"},
        std::pair<std::string_view, std::string_view>{".mkv", "video/x-matroska"},
        std::pair<std::string_view, std::string_view>{".avi", "video/x-msvideo"},
        std::pair<std::string_view, std::string_view>{".mpg", "video/mpeg"},
        std::pair<std::string_view, std::string_view>{".mpeg", "video/mpeg"},
    };
    std::string extension{extension_of(filename)};
    std::ranges::transform(extension, extension.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    const auto* found = std::ranges::find(kTypes, std::string_view{extension},
                                          &std::pair<std::string_view, std::string_view>::first);
    return found == kTypes.end() ? "application/octet-stream" : found->second;
}

}  // namespace durascribe::api
