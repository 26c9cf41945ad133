#include "durascribe/speech/model.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace durascribe::speech {

ModelFolders default_model_folders() {
    ModelFolders folders;
    const auto add_to_both = [&](const std::filesystem::path& folder) {
        folders.pocketsphinx.push_back(folder);
        folders.whisper.push_back(folder);
    };
    // Read once at start-up, before any thread could change the environment.
    if (const char* own = std::getenv("DURASCRIBE_MODELS"); own != nullptr && *own != '\0') {
        add_to_both(own);
    }
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
        add_to_both(std::filesystem::path(home) / ".local/share/durascribe/models");
    }
    folders.pocketsphinx.emplace_back(DURASCRIBE_POCKETSPHINX_MODELS);
    folders.whisper.emplace_back("/usr/local/share/whisper.cpp/models");
    folders.whisper.emplace_back("/usr/share/whisper.cpp/models");
    return folders;
}

bool asks_for_language(const std::string& tag, const std::string& primary) {
    if (tag.empty() || tag == "auto") {
        return true;
    }
    const std::string asked = tag.substr(0, tag.find_first_of("-_"));
    return std::ranges::equal(asked, primary, [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) ==
               std::tolower(static_cast<unsigned char>(b));
    });
}

}  // namespace durascribe::speech
