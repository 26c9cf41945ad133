#include "durascribe/engine/choose_model.h"

#include <utility>
#include <vector>

namespace durascribe::engine {

Result<domain::ModelChoice> choose_model(ports::Store& store, const EngineSettings& settings,
                                         const domain::TaskOptions& options, Millis duration,
                                         const domain::WaveformPeaks& peaks) {
    if (!settings.models) {
        return domain::ModelChoice{};
    }
    std::vector<domain::ModelCandidate> candidates = settings.models();
    const auto speeds = store.speeds();
    if (!speeds) {
        return std::unexpected(speeds.error());
    }
    for (domain::ModelCandidate& c : candidates) {
        for (const domain::StepSpeed& s : *speeds) {
            if (s.step == domain::Step::transcribe && s.engine == c.engine && s.model == c.model) {
                c.seconds_per_audio_second = s.seconds_per_audio_second;
            }
        }
    }
    auto choice = domain::choose_model(
        {.engine = options.engine,
         .model = options.model,
         .language = options.language,
         .duration = duration,
         .signal_to_noise_db = domain::estimate_signal_to_noise_db(peaks),
         .memory_limit_bytes = settings.memory_limit_bytes,
         .memory_free_bytes = settings.free_memory_bytes ? settings.free_memory_bytes() : 0},
        candidates);
    return choice ? std::move(*choice) : domain::ModelChoice{};
}

Result<domain::ModelChoice> choose_model_anew(ports::Store& store, const EngineSettings& settings,
                                              const domain::TaskOptions& options,
                                              const MediaId& media) {
    // Also from a later step: where the chunks are gone it begins with transcribe.
    if (!options.from_step || *options.from_step < domain::Step::transcribe) {
        return domain::ModelChoice{};
    }
    const auto row = store.media(media);
    if (!row && row.error().code != "not_found") {  // that, the submission says
        return std::unexpected(row.error());
    }
    if (!row || !row->info) {
        return domain::ModelChoice{};
    }
    const auto peaks = store.peaks(media);
    if (!peaks) {
        return std::unexpected(peaks.error());
    }
    return choose_model(store, settings, options, row->info->duration,
                        peaks->value_or(domain::WaveformPeaks{}));
}

}  // namespace durascribe::engine
