// How long each step is taken to need, before and after it was measured here.
#pragma once

#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/domain/progress.h"
#include "durascribe/engine/engine.h"
#include "durascribe/ports/store.h"

namespace durascribe::engine {

// What was learned on this machine; and of each model that was not used on it yet, what its engine
// guesses (0 samples), where it does. Never waits. Errors: as ports::Store::speeds.
Result<std::vector<domain::StepSpeed>> known_speeds(ports::Store& store,
                                                    const EngineSettings& settings);

}  // namespace durascribe::engine
