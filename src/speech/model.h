// Models on disk: what an engine found, and where it looked.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace durascribe::speech {

struct Model {
    std::string name;      // what a user asks for: "en-us", "base.en"
    std::string language;  // BCP 47, or "multilingual"
    std::filesystem::path path;
    // Seconds that a second of audio is thought to take on this machine, rather too many than too
    // few, for an engine that tells of its progress seldom; 0: no need to guess.
    double expected_seconds_per_audio_second = 0;
};

// Folders in which models are looked for, first hit wins.
struct ModelFolders {
    std::vector<std::filesystem::path> pocketsphinx;
    std::vector<std::filesystem::path> whisper;
};

// The engines' usual folders, after $DURASCRIBE_MODELS where that is set.
ModelFolders default_model_folders();

// Whether a BCP 47 tag ("en", "en-US", "auto") asks for `primary`, the primary language ("en").
// "auto" and "" leave the choice to the engine.
bool asks_for_language(const std::string& tag, const std::string& primary);

}  // namespace durascribe::speech
