// durascribe backup and durascribe restore.
#include <fmt/format.h>

#include "durascribe/cli/commands.h"

namespace durascribe::cli {
namespace {

std::string contents(const Composition::Copied& copied) {
    const std::string missing =
        copied.missing > 0 ? fmt::format(", without {} files that were gone before", copied.missing)
                           : "";
    return fmt::format("{} media, {} tasks, {:.1f} MB{}", copied.media, copied.tasks,
                       static_cast<double>(copied.bytes) / 1e6, missing);
}

}  // namespace

int back_up(const Settings& settings, const Composition& composition,
            const std::filesystem::path& destination) {
    const auto copied = composition.back_up(settings.data_dir, destination);
    if (!copied) {
        return report(copied.error());
    }
    fmt::print("{}: {}\n", destination.string(), contents(*copied));
    return kOk;
}

int restore(const Settings& settings, const Composition& composition,
            const std::filesystem::path& source) {
    const auto copied = composition.restore(source, settings.data_dir);
    if (!copied) {
        return report(copied.error());
    }
    fmt::print("{}: {}. Start it with: durascribe serve --data {}\n", settings.data_dir.string(),
               contents(*copied), settings.data_dir.string());
    return kOk;
}

}  // namespace durascribe::cli
