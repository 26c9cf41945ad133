#include "durascribe/base/ids.h"

#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <span>

#include "durascribe/base/error.h"

namespace durascribe {

namespace {

// A system call for many ids: of each thread, and never used twice.
std::span<const unsigned char, 16> random_16() {
    constexpr std::size_t kAtOnce = 256;  // as much as one call is sure to give
    thread_local std::array<unsigned char, kAtOnce> bytes;
    thread_local std::size_t used = kAtOnce;
    // A child that is forked has the same bytes before it: it gets others.
    static const int asked = pthread_atfork(nullptr, nullptr, [] { used = kAtOnce; });
    static_cast<void>(asked);  // fails without memory alone; then only forks are alike
    if (used == kAtOnce) {
        const ssize_t n = getrandom(bytes.data(), kAtOnce, 0);
        DURASCRIBE_ASSERT(n == kAtOnce);  // never fails once the kernel's pool is up
        used = 0;
    }
    used += 16;
    return std::span{bytes}.subspan(used - 16).first<16>();
}

}  // namespace

std::string new_uuid() {
    std::array<unsigned char, 16> bytes{};
    std::ranges::copy(random_16(), bytes.begin());
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    const auto ms = static_cast<std::uint64_t>(now);
    for (std::size_t i = 0; i < 6; ++i) {
        bytes[i] = static_cast<unsigned char>(ms >> (40 - 8 * i));
    }
    bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x70);
    bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    text.reserve(36);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            text += '-';
        }
        text += kHex[bytes[i] >> 4];
        text += kHex[bytes[i] & 0x0f];
    }
    return text;
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const auto c = static_cast<unsigned char>(text[i]);
        if (dash ? c != '-' : std::isxdigit(c) == 0) {
            return false;
        }
    }
    return true;
}

}  // namespace durascribe
