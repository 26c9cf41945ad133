// PocketSphinx as a recogniser: small, quick, English as Debian packages it, on every machine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "durascribe/speech/model.h"
#include "durascribe/speech/recognizer.h"

namespace durascribe::speech::pocketsphinx {

// Models found in the folders: each is a folder NAME (its language first, as in "en-us") that holds
// the acoustic model NAME/, the language model NAME.lm.bin and one pronunciation dictionary *.dict.
std::vector<Model> find_models(const std::vector<std::filesystem::path>& folders);

// Loads `model` ("auto": the first that speaks `language`). Takes about 0.3 s and 100 MB.
// Errors: model "model_missing", model "model_broken", input "unsupported_language".
Result<std::unique_ptr<Recognizer>> load(const std::string& model, const std::string& language,
                                         const std::vector<std::filesystem::path>& folders);

std::string version();
// What to do where no model is there.
std::string how_to_get_a_model();

}  // namespace durascribe::speech::pocketsphinx
