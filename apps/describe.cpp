#include "describe.h"

#include <filesystem>
#include <system_error>

#include <boost/json.hpp>

extern "C" {
#include <libavutil/avutil.h>
}

#include "durascribe/speech/engines/engines.h"

namespace durascribe {
namespace {

namespace json = boost::json;

// A recogniser's own working memory beside its model, as seen with both engines' small models.
constexpr std::int64_t kWorkingMemory = 80LL << 20;

// The model's files and the working memory: what a worker is expected to hold.
std::int64_t memory_of(const speech::Model& model) {
    namespace fs = std::filesystem;
    std::error_code unreadable;
    if (!fs::is_directory(model.path, unreadable)) {
        const auto size = fs::file_size(model.path, unreadable);
        return kWorkingMemory + (unreadable ? 0 : static_cast<std::int64_t>(size));
    }
    std::int64_t bytes = kWorkingMemory;
    for (const auto& entry : fs::recursive_directory_iterator(model.path, unreadable)) {
        std::error_code gone;
        const auto size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
        bytes += gone ? 0 : static_cast<std::int64_t>(size);
    }
    return bytes;
}

json::object describe(const speech::EngineInfo& engine, int engines_after) {
    json::array models;
    // Within an engine they come by size, and the larger makes fewer errors; engines come in the
    // order in which they are preferred, the best first.
    int accuracy = 1'000 * engines_after;
    for (const speech::Model& model : engine.models) {
        models.push_back(json::object{
            {"name", model.name},
            {"languages", json::array{model.language}},
            {"present", true},
            {"install", ""},
            {"memory_bytes", memory_of(model)},
            {"accuracy", accuracy++},
            {"expected_seconds_per_audio_second", model.expected_seconds_per_audio_second}});
    }
    if (models.empty()) {
        models.push_back(json::object{{"name", "-"},
                                      {"languages", json::array{}},
                                      {"present", false},
                                      {"install", engine.remedy}});
    }
    return {{"name", engine.name}, {"version", engine.version}, {"models", std::move(models)}};
}

}  // namespace

std::string describe_worker() {
    json::array engines;
    const std::vector<speech::EngineInfo> known = speech::engines();
    int after = static_cast<int>(known.size());
    for (const speech::EngineInfo& engine : known) {
        engines.push_back(describe(engine, --after));
    }
    const json::array media{json::object{{"name", "FFmpeg"}, {"version", av_version_info()}}};
    return json::serialize(json::object{{"media", media}, {"engines", std::move(engines)}});
}

}  // namespace durascribe
