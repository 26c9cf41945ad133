// What only the worker program knows: which FFmpeg and recognisers it has, and their models.
#pragma once

#include <filesystem>
#include <vector>

#include <boost/json/object.hpp>

#include "durascribe/base/error.h"
#include "durascribe/domain/model_choice.h"

namespace durascribe::cli {

// What `durascribe-worker --describe` prints: {"version", "media": [{"name", "version"}],
// "engines":
// [{"name", "version", "models": [{"name", "languages": [...], "present": bool, "install",
// "memory_bytes", "accuracy", "expected_seconds_per_audio_second"}]}]}. Runs it for that, some
// milliseconds. Errors: internal "worker_unusable".
Result<boost::json::object> describe_worker(const std::filesystem::path& program);

// The models that are present, as choose_model takes them. Errors: as describe_worker.
Result<std::vector<domain::ModelCandidate>> installed_models(const std::filesystem::path& program);

}  // namespace durascribe::cli
