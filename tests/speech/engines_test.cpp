// What is there to recognise with, and what a person is told where something is missing.
#include "durascribe/speech/engines/engines.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "scratch_directory.h"

namespace durascribe::speech {
namespace {

ModelFolders nowhere() {
    const std::filesystem::path folder =
        std::filesystem::path(::testing::TempDir()) / "no-models-here";
    return {.pocketsphinx = {folder}, .whisper = {folder}};
}

const EngineInfo& named(const std::vector<EngineInfo>& all, const std::string& name) {
    return *std::ranges::find(all, name, &EngineInfo::name);
}

TEST(Engines, FindTheModelThatDebianPackages) {
    const auto all = engines();
    const EngineInfo& info = named(all, "pocketsphinx");
    ASSERT_TRUE(info.usable());
    EXPECT_EQ(info.remedy, "");
    const auto model = std::ranges::find(info.models, "en-us", &Model::name);
    ASSERT_NE(model, info.models.end());
    EXPECT_EQ(model->language, "en");
}

TEST(Engines, SayWhatIsMissingAndHowToGetIt) {
    const auto all = engines(nowhere());
    EXPECT_FALSE(named(all, "pocketsphinx").usable());
    EXPECT_NE(named(all, "pocketsphinx").remedy.find("pocketsphinx-en-us"), std::string::npos);
    EXPECT_FALSE(named(all, "whisper").usable());
    EXPECT_NE(named(all, "whisper").remedy, "");
}

TEST(LoadEngine, WithoutAModelNamesThePackage) {
    for (const char* engine : {"auto", "pocketsphinx"}) {
        const auto loaded = load(engine, "auto", "en", nowhere());
        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error().cls, ErrorClass::model);
        EXPECT_EQ(loaded.error().code, "model_missing");
        EXPECT_NE(loaded.error().message.find("apt-get install pocketsphinx-en-us"),
                  std::string::npos);
    }
    const auto other = load("pocketsphinx", "klingon", "en");
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, "model_missing");
    EXPECT_NE(other.error().message.find("klingon"), std::string::npos);
}

TEST(LoadEngine, WithABrokenModelNamesIt) {
    namespace fs = std::filesystem;
    const auto all = engines();
    const auto installed =
        std::ranges::find(named(all, "pocketsphinx").models, "en-us", &Model::name);
    ASSERT_NE(installed, named(all, "pocketsphinx").models.end());
    const testing::ScratchDirectory scratch;
    const fs::path model = scratch.path() / "en-us";
    fs::create_directories(model / "en-us");
    for (const char* file : {"en-us.lm.bin", "en-us/mdef", "en-us/feat.params"}) {
        fs::create_symlink(installed->path / file, model / file);
    }
    const ModelFolders folders{.pocketsphinx = {scratch.path()}, .whisper = {}};
    for (const char* what : {"no dictionary", "no acoustic parameters"}) {
        const auto loaded = load("pocketsphinx", "en-us", "en", folders);
        ASSERT_FALSE(loaded) << what;
        EXPECT_EQ(loaded.error().cls, ErrorClass::model) << what;
        EXPECT_EQ(loaded.error().code, "model_broken") << what;
        EXPECT_NE(loaded.error().message.find(model.string()), std::string::npos)
            << loaded.error().message;
        std::ofstream(model / "words.dict") << "hello HH AH L OW\n";
    }
}

TEST(LoadEngine, ThatWasNotBuiltSaysWhatIsToBeDone) {
    const auto all = engines();
    if (named(all, "whisper").built_in) {
        GTEST_SKIP() << "every engine is part of this build";
    }
    const auto loaded = load("whisper", "auto", "en");
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().cls, ErrorClass::model);
    EXPECT_EQ(loaded.error().code, "engine_missing");
    EXPECT_NE(loaded.error().message.find(named(all, "whisper").remedy), std::string::npos)
        << loaded.error().message;
}

TEST(LoadEngine, RefusesALanguageAndSaysWhichThereAre) {
    const auto loaded = load("pocketsphinx", "auto", "de-AT");
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().cls, ErrorClass::input);
    EXPECT_EQ(loaded.error().code, "unsupported_language");
    EXPECT_NE(loaded.error().message.find("\"de-AT\""), std::string::npos);
    EXPECT_NE(loaded.error().message.find("it can: en"), std::string::npos)
        << loaded.error().message;
}

TEST(LoadEngine, TakesEveryNameOfEnglish) {
    for (const char* language : {"en", "EN", "en-US", "en_GB", "auto", ""}) {
        EXPECT_TRUE(asks_for_language(language, "en")) << language;
    }
    EXPECT_FALSE(asks_for_language("eng-x", "en"));
    EXPECT_TRUE(load("auto", "en-us", "en-GB"));
}

TEST(LoadEngine, RefusesAnUnknownEngine) {
    const auto loaded = load("parrot", "auto", "en");
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().cls, ErrorClass::input);
    EXPECT_EQ(loaded.error().code, "unknown_engine");
    EXPECT_NE(loaded.error().message.find("pocketsphinx"), std::string::npos);
}

}  // namespace
}  // namespace durascribe::speech
