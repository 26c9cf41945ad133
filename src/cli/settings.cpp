#include "durascribe/cli/settings.h"

#include <algorithm>
#include <array>

#include <toml++/toml.h>

#include <unistd.h>

#include "durascribe/cli/settings_keys.h"

namespace durascribe::cli {
namespace {

constexpr std::string_view kFileName = "durascribe.toml";

// DURASCRIBE_ names that are no settings of the server: where the configuration file is, where the
// worker looks for models, and what the build scripts read.
constexpr std::array<std::string_view, 3> kOtherVariables{"DURASCRIBE_CONFIG", "DURASCRIBE_MODELS",
                                                          "DURASCRIBE_LAUNCHER"};

const SettingKey* key_of_toml(std::string_view name) {
    const auto keys = setting_keys();
    const auto found =
        std::ranges::find(keys, name, [](const SettingKey& k) { return k.name.toml; });
    return found == keys.end() ? nullptr : &*found;
}

Result<void> set(Settings& settings, const SettingKey& key, std::string_view value,
                 std::string_view shown_name, std::string_view place) {
    if (!key.set(settings, trimmed(value))) {
        return fail(ErrorClass::request, "bad_setting",
                    fmt::format("{} is \"{}\" ({}); expected {}.", shown_name, value, place,
                                key.name.expected));
    }
    return {};
}

Result<std::filesystem::path> default_data_dir(const Environment& environment) {
    const auto of = [&](const char* name) -> std::filesystem::path {
        const auto found = environment.find(name);
        return found == environment.end() ? std::filesystem::path()
                                          : std::filesystem::path(found->second);
    };
    // The XDG base directory specification: a relative path is to be ignored.
    if (const auto xdg = of("XDG_DATA_HOME"); xdg.is_absolute()) {
        return xdg / "durascribe";
    }
    if (const auto home = of("HOME"); home.is_absolute()) {
        return home / ".local" / "share" / "durascribe";
    }
    return fail(
        ErrorClass::request, "bad_setting",
        "There is no home directory to keep data in (HOME is not set). Name one with --data DIR.");
}

std::string line_of(const std::filesystem::path& file, const toml::source_region& at) {
    return fmt::format("{}, line {}", file.string(), at.begin.line);
}

std::optional<std::string> text_of(const toml::node& node) {
    if (const auto* text = node.as_string())
        return text->get();
    if (const auto* whole = node.as_integer())
        return fmt::format("{}", whole->get());
    if (const auto* real = node.as_floating_point())
        return fmt::format("{}", real->get());
    if (const auto* truth = node.as_boolean())
        return std::string(truth->get() ? "true" : "false");
    return std::nullopt;
}

Result<toml::table> parse(const std::filesystem::path& file) {
    try {
        return toml::parse_file(file.string());
    } catch (const toml::parse_error& e) {
        return fail(
            ErrorClass::request, "bad_config_file",
            fmt::format("{} can't be read: {}.", line_of(file, e.source()), e.description()));
    }
}

Result<void> read_file(Settings& settings, const std::filesystem::path& file, bool in_data_dir) {
    const auto table = parse(file);
    if (!table) {
        return std::unexpected(table.error());
    }
    for (const auto& [name, node] : *table) {
        const SettingKey* key = key_of_toml(name.str());
        if (key == nullptr) {
            return fail(
                ErrorClass::request, "unknown_setting",
                fmt::format("{}: there is no setting \"{}\". Correct its name or remove the line; "
                            "`durascribe serve --help` lists the settings.",
                            line_of(file, node.source()), name.str()));
        }
        if (in_data_dir && key->name.toml == "data") {
            return fail(
                ErrorClass::request, "bad_setting",
                fmt::format(
                    "{}: \"data\" can't be set by the file in the data directory itself. Use "
                    "--data, DURASCRIBE_DATA, or a file named with --config.",
                    line_of(file, node.source())));
        }
        const auto text = text_of(node);
        if (!text) {
            return fail(ErrorClass::request, "bad_setting",
                        fmt::format("{}: {} is a table or a list; expected {}.",
                                    line_of(file, node.source()), name.str(), key->name.expected));
        }
        if (auto done = set(settings, *key, *text, name.str(), line_of(file, node.source()));
            !done) {
            return done;
        }
    }
    return {};
}

Result<void> read_environment(Settings& settings, const Environment& environment) {
    for (const SettingKey& key : setting_keys()) {
        const auto found = environment.find(std::string(key.name.environment));
        // Set but empty is how a service file or a shell says "not set".
        if (found == environment.end() || found->second.empty()) {
            continue;
        }
        if (auto done =
                set(settings, key, found->second, key.name.environment, "in the environment");
            !done) {
            return done;
        }
    }
    for (const auto& [name, value] : environment) {
        const auto is_name = [&](const SettingKey& key) { return key.name.environment == name; };
        if (name.starts_with("DURASCRIBE_") && std::ranges::none_of(setting_keys(), is_name) &&
            std::ranges::find(kOtherVariables, name) == kOtherVariables.end()) {
            return fail(
                ErrorClass::request, "unknown_setting",
                fmt::format(
                    "There is no setting {} (in the environment). Correct its name or unset it; "
                    "`durascribe serve --help` lists the settings.",
                    name));
        }
    }
    return {};
}

Result<void> read_flags(Settings& settings, const FlagValues& flags) {
    for (const auto& [name, value] : flags) {
        const SettingKey* key = key_of_toml(name);
        DURASCRIBE_ASSERT(key != nullptr);
        if (auto done = set(settings, *key, value, key->name.flag, "on the command line"); !done) {
            return done;
        }
    }
    return {};
}

}  // namespace

std::span<const SettingName> setting_names() {
    static const auto names = [] {
        std::vector<SettingName> out;
        for (const SettingKey& key : setting_keys()) {
            out.push_back(key.name);
        }
        return out;
    }();
    return names;
}

Environment process_environment() {
    Environment out;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        if (const auto equals = text.find('='); equals != std::string_view::npos) {
            out.emplace(text.substr(0, equals), text.substr(equals + 1));
        }
    }
    return out;
}

Result<Settings> load_settings(const FlagValues& flags, const Environment& environment,
                               const std::optional<std::filesystem::path>& config_file) {
    // The file is below the environment and the flags, but where it lies depends on both: they are
    // read once to find it, and again to prevail over it.
    Settings where;
    if (auto done = read_environment(where, environment); !done) {
        return std::unexpected(done.error());
    }
    if (auto done = read_flags(where, flags); !done) {
        return std::unexpected(done.error());
    }
    Settings settings;
    if (where.data_dir.empty()) {
        auto data_dir = default_data_dir(environment);
        if (!data_dir) {
            return std::unexpected(data_dir.error());
        }
        where.data_dir = *data_dir;
    }
    settings.data_dir = where.data_dir;

    std::optional<std::filesystem::path> named = config_file;
    if (const auto found = environment.find("DURASCRIBE_CONFIG");
        !named && found != environment.end() && !found->second.empty()) {
        named = found->second;
    }
    std::error_code problem;
    const std::filesystem::path file = named ? *named : where.data_dir / kFileName;
    if (std::filesystem::exists(file, problem)) {
        if (auto done = read_file(settings, file, !named); !done) {
            return std::unexpected(done.error());
        }
    } else if (named) {
        return fail(ErrorClass::request, "bad_config_file",
                    fmt::format("The configuration file {} is not there.", file.string()));
    }
    if (auto done = read_environment(settings, environment); !done) {
        return std::unexpected(done.error());
    }
    if (auto done = read_flags(settings, flags); !done) {
        return std::unexpected(done.error());
    }
    if (!settings.database.empty() && settings.database != "sqlite") {
        return fail(
            ErrorClass::request, "bad_setting",
            fmt::format(
                "The database \"{}\" can't be used: this version keeps its data in SQLite, in the "
                "data directory. PostgreSQL comes with a later version; leave --database out.",
                settings.database));
    }
    return settings;
}

}  // namespace durascribe::cli
