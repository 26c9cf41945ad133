// Which engine and model a task gets: domain/model_choice.h, asked with what is installed, was
// measured and is free here.
#pragma once

#include "durascribe/domain/media_info.h"
#include "durascribe/engine/engine.h"

namespace durascribe::engine {

// For what was decoded. Empty where no list of models was given, or none of it is what the task
// asks for: then the worker's own default stands, or the recogniser's own error says what is
// missing and how to get it. Errors: the store's.
Result<domain::ModelChoice> choose_model(ports::Store& store, const EngineSettings& settings,
                                         const domain::TaskOptions& options, Millis duration,
                                         const domain::WaveformPeaks& peaks);

// For a new task over `media` that may take over decoded audio (TaskOptions::from_step), so that
// no extract of its own comes before it is recognised. Empty where it can't. Errors: the store's.
Result<domain::ModelChoice> choose_model_anew(ports::Store& store, const EngineSettings& settings,
                                              const domain::TaskOptions& options,
                                              const MediaId& media);

}  // namespace durascribe::engine
