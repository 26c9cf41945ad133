// whisper.cpp as a recogniser: slower than PocketSphinx, far more accurate, many languages.
// Compiled only where CMake finds whisper.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "durascribe/speech/model.h"
#include "durascribe/speech/recognizer.h"

namespace durascribe::speech::whisper {

// Models found in the folders: files ggml-NAME.bin, smallest first. NAME ends in ".en" (as in
// "base.en", or "base.en-q5_1") where it speaks English alone.
std::vector<Model> find_models(const std::vector<std::filesystem::path>& folders);

// Loads `model`. "auto": of those that speak `language`, a base one, else the smallest; English
// alone goes before multilingual for English.
// Errors: model "model_missing", model "model_broken", input "unsupported_language".
Result<std::unique_ptr<Recognizer>> load(const std::string& model, const std::string& language,
                                         const std::vector<std::filesystem::path>& folders);

std::string version();
std::string how_to_get_a_model(const std::vector<std::filesystem::path>& folders);

}  // namespace durascribe::speech::whisper
