// Which recognisers this build has, which models they find, and how one is loaded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "durascribe/speech/model.h"
#include "durascribe/speech/recognizer.h"

namespace durascribe::speech {

// What `durascribe doctor` and `durascribe models` show of an engine.
struct EngineInfo {
    std::string name;
    bool built_in = false;      // compiled into this program
    std::string version;        // empty where not built in
    std::vector<Model> models;  // found on this machine; empty where not built in
    std::string remedy;         // how to get what is missing; empty where nothing is
    bool usable() const { return built_in && !models.empty(); }
};

// Every engine durascribe knows, in the order in which "auto" prefers them. Looks at the disk anew
// each time; cheap, loads nothing.
std::vector<EngineInfo> engines(const ModelFolders& folders = default_model_folders());

// Loads a recogniser. `engine` "auto": the first usable one that has `model` and speaks `language`.
// `model` "auto": the engine's choice for `language`. `language`: BCP 47, or "auto".
// Errors: input "unknown_engine", model "engine_missing" (not in this build), model
// "model_missing", model "model_broken", input "unsupported_language".
Result<std::unique_ptr<Recognizer>> load(const std::string& engine, const std::string& model,
                                         const std::string& language,
                                         const ModelFolders& folders = default_model_folders());

}  // namespace durascribe::speech
