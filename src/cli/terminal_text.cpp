#include "durascribe/cli/terminal_text.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace durascribe::cli {
namespace {

struct Character {
    char32_t code = 0xFFFD;
    std::string_view bytes;
};

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The next character of `text`, which is not empty; malformed input gives one byte as U+FFFD
// (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
Character next(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return {lead, text.substr(0, 1)};
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length) {
        return {0xFFFD, text.substr(0, 1)};
    }
    char32_t code = lead & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) {
            return {0xFFFD, text.substr(0, 1)};
        }
        code = (code << 6U) | (byte(i) & 0x3FU);
    }
    constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kLeast[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
        return {0xFFFD, text.substr(0, 1)};
    }
    return {code, text.substr(0, length)};
}

bool is_control(char32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);  // bidi overrides
}

int width_of(char32_t c) {
    const auto in = [c](char32_t first, char32_t last) { return c >= first && c <= last; };
    if (in(0x300, 0x36F) || in(0x483, 0x489) || in(0x591, 0x5BD) || in(0x610, 0x61A) ||
        in(0x64B, 0x65F) || in(0x93A, 0x93A) || in(0xE31, 0xE31) || in(0xE34, 0xE3A) ||
        in(0x1AB0, 0x1AFF) || in(0x1DC0, 0x1DFF) || in(0x200B, 0x200F) || in(0x20D0, 0x20FF) ||
        in(0xFE00, 0xFE0F) || in(0xFE20, 0xFE2F) || c == 0xFEFF || in(0xE0100, 0xE01EF)) {
        return 0;
    }
    if (in(0x1100, 0x115F) || in(0x2E80, 0x303E) || in(0x3041, 0x33FF) || in(0x3400, 0x4DBF) ||
        in(0x4E00, 0x9FFF) || in(0xA000, 0xA4CF) || in(0xA960, 0xA97F) || in(0xAC00, 0xD7A3) ||
        in(0xF900, 0xFAFF) || in(0xFE30, 0xFE6F) || in(0xFF00, 0xFF60) || in(0xFFE0, 0xFFE6) ||
        in(0x1F300, 0x1F64F) || in(0x1F680, 0x1F6FF) || in(0x1F900, 0x1F9FF) ||
        in(0x1FA70, 0x1FAFF) || in(0x20000, 0x3FFFD)) {
        return 2;
    }
    return 1;
}

std::vector<Character> characters_of(std::string_view text) {
    std::vector<Character> out;
    while (!text.empty()) {
        out.push_back(next(text));
        text.remove_prefix(out.back().bytes.size());
    }
    return out;
}

}  // namespace

std::string printable(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    for (const Character& c : characters_of(bytes)) {
        out += (c.code == 0xFFFD || is_control(c.code)) ? kReplacement : c.bytes;
    }
    return out;
}

int display_width(std::string_view utf8) {
    int width = 0;
    for (const Character& c : characters_of(utf8)) {
        width += width_of(c.code);
    }
    return width;
}

std::string fit(std::string_view utf8, int width) {
    if (display_width(utf8) <= width) {
        return std::string(utf8);
    }
    if (width <= 0) {
        return {};
    }
    // A third of the room goes to the end: that is where names of recordings differ.
    const auto characters = characters_of(utf8);
    const int tail_room = (width - 1) / 3;
    const int head_room = width - 1 - tail_room;
    std::string head;
    int used = 0;
    for (const Character& c : characters) {
        used += width_of(c.code);
        if (used > head_room) {
            break;
        }
        head += c.bytes;
    }
    std::size_t tail_bytes = 0;
    used = 0;
    for (auto c = characters.rbegin(); c != characters.rend(); ++c) {
        used += width_of(c->code);
        if (used > tail_room) {
            break;
        }
        tail_bytes += c->bytes.size();
    }
    return head + "…" + std::string(utf8.substr(utf8.size() - tail_bytes));
}

std::string fit_and_pad(std::string_view utf8, int width) {
    std::string out = fit(utf8, width);
    out.append(static_cast<std::size_t>(std::max(0, width - display_width(out))), ' ');
    return out;
}

}  // namespace durascribe::cli
