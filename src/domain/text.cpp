#include "durascribe/domain/text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace durascribe::domain {
namespace {

struct Range {
    char32_t first;
    char32_t last;
};

template <std::size_t N>
constexpr bool in(const std::array<Range, N>& ranges, char32_t c) {
    return std::ranges::any_of(ranges, [c](Range r) { return r.first <= c && c <= r.last; });
}

constexpr auto kWide = std::to_array<Range>({
    {0x1100, 0x115F},  // Hangul Jamo
    {0x231A, 0x231B},
    {0x2E80, 0x303E},  // CJK radicals, punctuation
    {0x3041, 0xA4CF},  // Kana … Yi
    {0xA960, 0xA97C},
    {0xAC00, 0xD7A3},  // Hangul
    {0xF900, 0xFAFF},
    {0xFE10, 0xFE19},
    {0xFE30, 0xFE6B},
    {0xFF01, 0xFF60},  // full-width forms
    {0xFFE0, 0xFFE6},
    {0x16FE0, 0x18CD5},
    {0x1B000, 0x1B2FB},
    {0x1F300, 0x1F64F},  // pictographs
    {0x1F680, 0x1F6FF},
    {0x1F900, 0x1FAFF},
    {0x20000, 0x3FFFD},
});

constexpr auto kWithoutSpaces = std::to_array<Range>({
    {0x2E80, 0x312F},
    {0x3190, 0x4DBF},
    {0x4E00, 0xA4CF},
    {0xF900, 0xFAFF},
    {0xFE30, 0xFE4F},
    {0xFF01, 0xFF0F},
    {0xFF1A, 0xFF20},
    {0xFF3B, 0xFF40},
    {0xFF5B, 0xFF9F},
    {0x1B000, 0x1B2FB},
    {0x20000, 0x3FFFD},
});

constexpr auto kClinging = std::to_array<Range>({
    {0x0300, 0x036F},                                      // combining marks
    {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200D, 0x200D},  // zero width joiner
    {0x20D0, 0x20FF}, {0x3001, 0x3002},                    // 、。
    {0x3009, 0x3009}, {0x300B, 0x300B}, {0x300D, 0x300D}, {0x300F, 0x300F},
    {0x3011, 0x3011}, {0x3099, 0x309C}, {0x30FC, 0x30FC},  // ー
    {0xFE00, 0xFE0F},                                      // variation selectors
    {0xFE20, 0xFE2F}, {0xFF01, 0xFF01},                    // ！
    {0xFF09, 0xFF09}, {0xFF0C, 0xFF0C},                    // ，
    {0xFF0E, 0xFF0E}, {0xFF1A, 0xFF1B}, {0xFF1F, 0xFF1F},  // ？
});

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Decoded {
    char32_t code_point = 0;
    std::size_t length = 1;
    bool valid = false;
};

// The code point at the start of `text` (Unicode table 3-7); where there is none, `length` is that
// of the maximal part that could have begun one.
Decoded decode(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return {lead, 1, true};
    }
    std::size_t length = 0;
    unsigned char low = 0x80;  // bounds of the second byte
    unsigned char high = 0xBF;
    char32_t c = 0;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
        c = lead & 0x1FU;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        c = lead & 0x0FU;
        low = lead == 0xE0 ? 0xA0 : 0x80;
        high = lead == 0xED ? 0x9F : 0xBF;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        c = lead & 0x07U;
        low = lead == 0xF0 ? 0x90 : 0x80;
        high = lead == 0xF4 ? 0x8F : 0xBF;
    } else {
        return {};
    }
    for (std::size_t i = 1; i < length; ++i) {
        if (i >= text.size() || byte(i) < low || byte(i) > high) {
            return {0, i, false};
        }
        c = c << 6 | (byte(i) & 0x3FU);
        low = 0x80;
        high = 0xBF;
    }
    return {c, length, true};
}

bool is_space(char32_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

// Also marks that turn the direction of what follows, and the byte order mark: in a subtitle they
// only ever deceive.
bool is_control(char32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x200B || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

}  // namespace

std::string clean_text(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    bool space = false;
    while (!text.empty()) {
        const Decoded d = decode(text);
        const std::string_view piece = d.valid ? text.substr(0, d.length) : kReplacement;
        text.remove_prefix(d.length);
        if (d.valid && is_space(d.code_point)) {
            space = true;
        } else if (!d.valid || !is_control(d.code_point)) {
            if (space && !clean.empty()) {
                clean += ' ';
            }
            space = false;
            clean += piece;
        }
    }
    return clean;
}

std::vector<std::string_view> code_points(std::string_view clean) {
    std::vector<std::string_view> points;
    while (!clean.empty()) {
        const std::size_t length = decode(clean).length;
        points.push_back(clean.substr(0, length));
        clean.remove_prefix(length);
    }
    return points;
}

int width_of(std::string_view clean) {
    int width = 0;
    while (!clean.empty()) {
        const Decoded d = decode(clean);
        width += in(kWide, d.code_point) ? 2 : 1;
        clean.remove_prefix(d.length);
    }
    return width;
}

bool writes_without_spaces(std::string_view code_point) {
    return !code_point.empty() && in(kWithoutSpaces, decode(code_point).code_point);
}

bool clings_to_previous(std::string_view code_point) {
    return !code_point.empty() && in(kClinging, decode(code_point).code_point);
}

void append_text(std::string& text, std::string_view more) {
    if (!text.empty() && !more.empty()) {
        std::size_t last = text.size() - 1;
        while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xC0U) == 0x80U) {
            --last;
        }
        if (!writes_without_spaces(std::string_view(text).substr(last)) ||
            !writes_without_spaces(more)) {
            text += ' ';
        }
    }
    text += more;
}

}  // namespace durascribe::domain
