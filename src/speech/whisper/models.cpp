#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "durascribe/speech/whisper/whisper_recognizer.h"

namespace durascribe::speech::whisper {
namespace {

// What is computed grows with the model, and so does its file. 3 ns a byte on one core, on two at
// the most (CPU_LIMIT_PER_TRANSCRIPTION), is what a slow machine takes: base 0.2 s for each second,
// large-v3 4.6 s. Until one was measured, a worker that is silent for some times as long is taken
// for hung, and whisper.cpp says nothing within its windows of 30 s.
double expected_speed(std::uintmax_t file_bytes) {
    constexpr double kSecondsPerByte = 3e-9;
    const unsigned cores = std::clamp(std::thread::hardware_concurrency(), 1U, 2U);
    return kSecondsPerByte * static_cast<double>(file_bytes) / cores;
}

}  // namespace

std::vector<Model> find_models(const std::vector<std::filesystem::path>& folders) {
    namespace fs = std::filesystem;
    constexpr std::string_view kPrefix = "ggml-";
    std::vector<std::pair<std::uintmax_t, Model>> found;
    for (const fs::path& folder : folders) {
        std::error_code unreadable;  // a folder that is not there has no models
        for (const fs::directory_entry& entry : fs::directory_iterator(folder, unreadable)) {
            const std::string file = entry.path().stem();
            if (entry.path().extension() != ".bin" || !file.starts_with(kPrefix)) {
                continue;
            }
            const std::string name = file.substr(kPrefix.size());
            std::error_code no_size;
            const std::uintmax_t size = entry.file_size(no_size);
            const bool shadowed =
                std::ranges::any_of(found, [&](const auto& f) { return f.second.name == name; });
            if (!no_size && !shadowed) {
                const bool english = name.ends_with(".en") || name.contains(".en-");
                found.push_back(
                    {size,
                     {name, english ? "en" : "multilingual", entry.path(), expected_speed(size)}});
            }
        }
    }
    std::ranges::sort(found, [](const auto& a, const auto& b) {
        return std::pair(a.first, a.second.name) < std::pair(b.first, b.second.name);
    });
    std::vector<Model> models;
    for (auto& [size, model] : found) {
        models.push_back(std::move(model));
    }
    return models;
}

std::string how_to_get_a_model(const std::vector<std::filesystem::path>& folders) {
    return fmt::format("Put a whisper.cpp model file (ggml-base.en.bin, for example) into {}.",
                       folders.empty() ? std::string("a folder named by DURASCRIBE_MODELS")
                                       : folders.front().string());
}

}  // namespace durascribe::speech::whisper
