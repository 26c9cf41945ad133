#include "durascribe/engine/known_speeds.h"

#include <algorithm>

namespace durascribe::engine {

Result<std::vector<domain::StepSpeed>> known_speeds(ports::Store& store,
                                                    const EngineSettings& settings) {
    auto speeds = store.speeds();
    if (!speeds || !settings.models_known) {
        return speeds;
    }
    for (const domain::ModelCandidate& c : settings.models_known()) {
        const bool measured = std::ranges::any_of(*speeds, [&](const domain::StepSpeed& s) {
            return s.step == domain::Step::transcribe && s.engine == c.engine && s.model == c.model;
        });
        if (!measured && c.seconds_per_audio_second > 0) {
            speeds->push_back({.step = domain::Step::transcribe,
                               .seconds_per_audio_second = c.seconds_per_audio_second,
                               .engine = c.engine,
                               .model = c.model});
        }
    }
    return speeds;
}

}  // namespace durascribe::engine
