#include <algorithm>
#include <system_error>

#include "durascribe/speech/pocketsphinx/pocketsphinx_recognizer.h"

namespace durascribe::speech::pocketsphinx {

std::vector<Model> find_models(const std::vector<std::filesystem::path>& folders) {
    namespace fs = std::filesystem;
    std::vector<Model> models;
    for (const fs::path& folder : folders) {
        const std::size_t first_of_folder = models.size();
        std::error_code unreadable;  // a folder that is not there has no models
        for (const fs::directory_entry& entry : fs::directory_iterator(folder, unreadable)) {
            std::error_code ignored;
            const std::string name = entry.path().filename();
            const bool whole = fs::is_regular_file(entry.path() / name / "mdef", ignored) &&
                               fs::is_regular_file(entry.path() / (name + ".lm.bin"), ignored);
            const bool shadowed =
                std::ranges::any_of(models, [&](const Model& m) { return m.name == name; });
            if (whole && !shadowed) {
                models.push_back({name, name.substr(0, name.find('-')), entry.path()});
            }
        }
        std::ranges::sort(models.begin() + static_cast<std::ptrdiff_t>(first_of_folder),
                          models.end(), {}, &Model::name);
    }
    return models;
}

std::string how_to_get_a_model() {
    return "Install the English model: apt-get install pocketsphinx-en-us";
}

}  // namespace durascribe::speech::pocketsphinx
