#include "durascribe/base/time.h"

#include <algorithm>

#include <fmt/compile.h>

namespace durascribe {

std::string to_rfc3339(WallTime t) {
    const auto days = std::chrono::floor<std::chrono::days>(t);
    const std::chrono::year_month_day date{days};
    const std::chrono::hh_mm_ss clock{t - days};
    return fmt::format(FMT_COMPILE("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z"),
                       static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

std::optional<WallTime> wall_time_from_rfc3339(std::string_view text) {
    constexpr std::size_t kSeconds = 19;  // 2026-11-22T08:00:00
    if (text.size() <= kSeconds || text[4] != '-' || text[7] != '-' ||
        (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':') {
        return std::nullopt;
    }
    bool ok = true;
    const auto number = [&](std::size_t at, std::size_t length) {
        int value = 0;
        ok = ok && at + length <= text.size();
        for (std::size_t i = at; ok && i < at + length; ++i) {
            ok = text[i] >= '0' && text[i] <= '9';
            value = value * 10 + (text[i] - '0');
        }
        return value;
    };
    const std::chrono::year_month_day date{std::chrono::year{number(0, 4)},
                                           std::chrono::month{static_cast<unsigned>(number(5, 2))},
                                           std::chrono::day{static_cast<unsigned>(number(8, 2))}};
    const int h = number(11, 2);
    const int m = number(14, 2);
    const int s = number(17, 2);
    std::size_t at = kSeconds;
    int ms = 0;
    if (text[at] == '.') {
        const std::size_t end = std::min(text.find_first_not_of("0123456789", ++at), text.size());
        ok = ok && end > at;
        for (int i = 0, worth = 100; i < 3 && at + static_cast<std::size_t>(i) < end; ++i) {
            ms += (text[at + static_cast<std::size_t>(i)] - '0') * worth;
            worth /= 10;
        }
        at = end;
    }
    const std::string_view zone = text.substr(std::min(at, text.size()));
    std::chrono::minutes east{0};
    if (zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':') {
        const int hours = number(at + 1, 2);
        const int minutes = number(at + 4, 2);
        ok = ok && hours <= 23 && minutes <= 59;
        east = std::chrono::hours{hours} + std::chrono::minutes{minutes};
        east = zone[0] == '-' ? -east : east;
    } else {
        ok = ok && (zone == "Z" || zone == "z");
    }
    constexpr int kLeapSecond = 60;
    if (!ok || !date.ok() || h > 23 || m > 59 || s > kLeapSecond) {
        return std::nullopt;
    }
    return std::chrono::sys_days{date} + std::chrono::hours{h} + std::chrono::minutes{m} +
           std::chrono::seconds{s} + Millis{ms} - east;
}

}  // namespace durascribe
