// The table of settings: each key's names, what is expected, and how a text becomes its value.
// Private to cli.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "durascribe/cli/settings.h"

namespace durascribe::cli {

struct SettingKey {
    SettingName name;
    bool (*set)(Settings&, std::string_view);  // false: it is no such value, and nothing counts
};

// In the order of --help.
std::span<const SettingKey> setting_keys();

// Without the white space around it.
std::string_view trimmed(std::string_view text);

}  // namespace durascribe::cli
