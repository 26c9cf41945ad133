#include "durascribe/engine/model_memory.h"

#include <algorithm>
#include <span>

namespace durascribe::engine {
namespace {

std::string or_auto(const std::string& name) {
    return name.empty() ? "auto" : name;
}

}  // namespace

SpeechModel ModelMemory::named(const std::string& engine, const std::string& model,
                               const std::string& language) const {
    const auto found = candidate(engine, model, language);
    return found ? SpeechModel{found->engine, found->model}
                 : SpeechModel{or_auto(engine), or_auto(model)};
}

std::int64_t ModelMemory::needed(const std::string& engine, const std::string& model,
                                 const std::string& language) {
    const auto found = candidate(engine, model, language);
    {
        const std::scoped_lock lock(mutex_);
        const auto seen = measured_.find(found ? SpeechModel{found->engine, found->model}
                                               : SpeechModel{or_auto(engine), or_auto(model)});
        if (seen != measured_.end()) {
            return seen->second;
        }
    }
    return found && found->memory_bytes > 0 ? found->memory_bytes : bytes_unknown_;
}

void ModelMemory::measured(const SpeechModel& model, std::int64_t bytes) {
    const std::scoped_lock lock(mutex_);
    std::int64_t& most = measured_[model];
    most = std::max(most, bytes);
}

// They come in the order in which engines are preferred.
std::optional<domain::ModelCandidate> ModelMemory::candidate(const std::string& engine,
                                                             const std::string& model,
                                                             const std::string& language) const {
    std::optional<domain::ModelCandidate> found;
    for (const domain::ModelCandidate& c :
         models_ ? models_() : std::vector<domain::ModelCandidate>{}) {
        if ((!found || (c.engine == found->engine && c.memory_bytes < found->memory_bytes)) &&
            domain::check_installed(or_auto(engine), or_auto(model), or_auto(language),
                                    std::span(&c, 1))) {
            found = c;
        }
    }
    return found;
}

}  // namespace durascribe::engine
