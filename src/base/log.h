// Log lines, to standard error. The one place that knows the logging library.
// A state change is logged after its commit, by the store's listener (engine/), nowhere else.
#pragma once

#include <string_view>

#include <fmt/format.h>

namespace durascribe::log {

enum class Level { debug, info, warning, error, off };

// Sets the level and the shape of the lines; call once, before threads start. Without it: info.
void set_up(Level level);
void write(Level level, std::string_view line);
bool enabled(Level level);

template <typename... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(Level::debug)) {
        write(Level::debug, fmt::format(text, std::forward<Args>(args)...));
    }
}
template <typename... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(Level::info)) {
        write(Level::info, fmt::format(text, std::forward<Args>(args)...));
    }
}
template <typename... Args>
void warning(fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(Level::warning)) {
        write(Level::warning, fmt::format(text, std::forward<Args>(args)...));
    }
}
template <typename... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(Level::error)) {
        write(Level::error, fmt::format(text, std::forward<Args>(args)...));
    }
}

}  // namespace durascribe::log
