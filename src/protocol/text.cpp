#include "durascribe/protocol/text.h"

#include <cstdint>
#include <optional>

namespace durascribe::protocol {
namespace {

// Length of the well-formed, allowed character at the start of `text`; nullopt: there is none.
// RFC 3629 §4: no overlong forms, no surrogates, nothing above U+10FFFF.
std::optional<std::size_t> character_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) {
        const bool control = (first < 0x20 && first != '\t' && first != '\n') || first == 0x7f;
        return control ? std::nullopt : std::optional<std::size_t>(1);
    }
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) {
        return std::nullopt;
    }
    std::uint32_t code = first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) {
            return std::nullopt;
        }
        code = (code << 6) | (byte(i) & 0x3fU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    const bool control = code >= 0x80 && code < 0xa0;
    if (overlong || surrogate || control || code > 0x10ffff) {
        return std::nullopt;
    }
    return length;
}

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

}  // namespace

bool is_clean_text(std::string_view text, std::size_t bytes_max) {
    if (text.size() > bytes_max) {
        return false;
    }
    while (!text.empty()) {
        const auto length = character_length(text);
        if (!length) {
            return false;
        }
        text.remove_prefix(*length);
    }
    return true;
}

std::string clean_text(std::string_view text, std::size_t bytes_max) {
    std::string out;
    while (!text.empty()) {
        const auto length = character_length(text);
        const std::string_view next = length ? text.substr(0, *length) : kReplacement;
        if (out.size() + next.size() > bytes_max) {
            break;
        }
        out += next;
        text.remove_prefix(length.value_or(1));
    }
    return out;
}

}  // namespace durascribe::protocol
