#include "durascribe/speech/engines/engines.h"

#include <fmt/format.h>

#include "durascribe/speech/pocketsphinx/pocketsphinx_recognizer.h"
#ifdef DURASCRIBE_WHISPER
#include "durascribe/speech/whisper/whisper_recognizer.h"
#endif

namespace durascribe::speech {
namespace {

EngineInfo whisper_info([[maybe_unused]] const ModelFolders& folders) {
    EngineInfo info{.name = "whisper"};
#ifdef DURASCRIBE_WHISPER
    info.built_in = true;
    info.version = whisper::version();
    info.models = whisper::find_models(folders.whisper);
    if (info.models.empty()) {
        info.remedy = whisper::how_to_get_a_model(folders.whisper);
    }
#else
    info.remedy =
        "Install whisper.cpp so that CMake's find_package(whisper) finds it, and build durascribe "
        "again.";
#endif
    return info;
}

EngineInfo pocketsphinx_info(const ModelFolders& folders) {
    EngineInfo info{.name = "pocketsphinx",
                    .built_in = true,
                    .version = pocketsphinx::version(),
                    .models = pocketsphinx::find_models(folders.pocketsphinx)};
    if (info.models.empty()) {
        info.remedy = pocketsphinx::how_to_get_a_model();
    }
    return info;
}

Result<std::unique_ptr<Recognizer>> load_named(const EngineInfo& engine, const std::string& model,
                                               const std::string& language,
                                               const ModelFolders& folders) {
    if (!engine.built_in) {
        return fail(ErrorClass::model, "engine_missing",
                    fmt::format("The engine \"{}\" is not part of this durascribe. {}", engine.name,
                                engine.remedy));
    }
#ifdef DURASCRIBE_WHISPER
    if (engine.name == "whisper") {
        return whisper::load(model, language, folders.whisper);
    }
#endif
    DURASCRIBE_ASSERT(engine.name == "pocketsphinx");
    return pocketsphinx::load(model, language, folders.pocketsphinx);
}

}  // namespace

std::vector<EngineInfo> engines(const ModelFolders& folders) {
    return {whisper_info(folders), pocketsphinx_info(folders)};
}

Result<std::unique_ptr<Recognizer>> load(const std::string& engine, const std::string& model,
                                         const std::string& language, const ModelFolders& folders) {
    const std::vector<EngineInfo> known = engines(folders);
    std::string names;
    // Why the last engine could not: PocketSphinx's reason, the one with the simplest remedy.
    Error why;
    for (const EngineInfo& info : known) {
        if (engine == info.name) {
            return load_named(info, model, language, folders);
        }
        names += (names.empty() ? "" : ", ") + info.name;
        if (engine == "auto") {
            auto loaded = load_named(info, model, language, folders);
            if (loaded) {
                return loaded;
            }
            why = loaded.error();
            if (why.code == "model_broken") {
                return loaded;  // a choice that silently changes would hide it
            }
        }
    }
    if (engine == "auto") {
        return std::unexpected(why);
    }
    return fail(
        ErrorClass::input, "unknown_engine",
        fmt::format("There is no engine \"{}\". Choose auto, or one of: {}.", engine, names));
}

}  // namespace durascribe::speech
