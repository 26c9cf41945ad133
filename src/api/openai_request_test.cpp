#include "durascribe/api/openai_request.h"

#include <gtest/gtest.h>

#include <vector>

#include "durascribe/api/openai_errors.h"
#include "durascribe/api/openai_models.h"

namespace durascribe::api {
namespace {

using Parts = std::vector<std::pair<std::string, std::string>>;

Result<OpenAiRequest> read(const Parts& parts) {
    OpenAiForm form;
    for (const auto& [name, value] : parts) {
        if (auto set = form.set(name, value); !set) {
            return std::unexpected(set.error());
        }
    }
    return form.finished();
}

// The parameter that the error names, as the client sees it.
std::string refused_param(const Parts& parts) {
    const auto request = read(parts);
    if (request) {
        return "(taken)";
    }
    const std::string text = openai_error_text(request.error());
    const std::string key = "\"param\":\"";
    const auto at = text.find(key) + key.size();
    return text.substr(at, text.find('"', at) - at);
}

TEST(OpenAiRequest, WhatIsNotGivenIsOpenAisDefault) {
    const auto request = read({});
    ASSERT_TRUE(request);
    EXPECT_EQ(request->format, OpenAiFormat::json);
    EXPECT_FALSE(request->stream);
    EXPECT_TRUE(request->segments);
    EXPECT_FALSE(request->words);
    EXPECT_FALSE(request->language);
}

TEST(OpenAiRequest, TakesWhatClientsSend) {
    const auto request = read({{"model", "whisper-1"},
                               {"language", "en"},
                               {"prompt", "Names: Ada"},
                               {"response_format", "verbose_json"},
                               {"temperature", "0.2"},
                               {"timestamp_granularities[]", "word"},
                               {"chunking_strategy", "auto"}});
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_EQ(request->model, "whisper-1");
    EXPECT_EQ(request->language, "en");
    EXPECT_TRUE(request->words);
    EXPECT_FALSE(request->segments) << "only words were asked for";
    const auto both = read({{"response_format", "verbose_json"},
                            {"timestamp_granularities", "word"},
                            {"timestamp_granularities", "segment"}});
    ASSERT_TRUE(both);
    EXPECT_TRUE(both->words && both->segments);
    EXPECT_TRUE(read({{"chunking_strategy", R"({"type": "server_vad", "threshold": 0.4})"}}));
    EXPECT_TRUE(read({{"chunking_strategy[type]", "server_vad"}}));
    EXPECT_TRUE(read({{"stream", "true"}})->stream);
    EXPECT_FALSE(read({{"stream", "false"}})->stream);
    EXPECT_TRUE(read({{"language", ""}})) << "empty is not given";
}

TEST(OpenAiRequest, ABadValueIsNamed) {
    EXPECT_EQ(refused_param({{"response_format", "xml"}}), "response_format");
    EXPECT_EQ(refused_param({{"temperature", "1.5"}}), "temperature");
    EXPECT_EQ(refused_param({{"temperature", "nan"}}), "temperature");
    EXPECT_EQ(refused_param({{"temperature", "0.5x"}}), "temperature");
    EXPECT_EQ(refused_param({{"stream", "maybe"}}), "stream");
    EXPECT_EQ(refused_param({{"language", "en us!"}}), "language");
    EXPECT_EQ(refused_param({{"timestamp_granularities[]", "line"}}), "timestamp_granularities[]");
    EXPECT_EQ(refused_param({{"include[]", "everything"}}), "include[]");
    EXPECT_EQ(refused_param({{"chunking_strategy", "fast"}}), "chunking_strategy");
    EXPECT_EQ(refused_param({{"chunking_strategy", R"({"type": "other"})"}}), "chunking_strategy");
    EXPECT_EQ(refused_param({{"prompt", "\xff"}}), "prompt");
}

TEST(OpenAiRequest, WhatDoesNotGoTogetherIsNamed) {
    EXPECT_EQ(refused_param({{"timestamp_granularities[]", "word"}}), "timestamp_granularities[]");
    EXPECT_EQ(refused_param({{"stream", "true"}, {"response_format", "srt"}}), "stream");
    EXPECT_EQ(refused_param({{"include[]", "logprobs"}, {"response_format", "text"}}), "include[]");
}

TEST(OpenAiRequest, OtherPartsAreNotKnown) {
    EXPECT_FALSE(OpenAiForm::size_max("known_speaker_names[]"));
    EXPECT_FALSE(OpenAiForm::size_max("file"));
    EXPECT_TRUE(OpenAiForm::size_max("prompt"));
}

TEST(OpenAiModels, NamesMeanTheServersChoiceOrAnInstalledModel) {
    const std::vector<domain::ModelCandidate> installed{
        {.engine = "whisper", .model = "base.en", .languages = {"en"}}};
    domain::TaskOptions defaults;
    defaults.engine = "chosen";
    defaults.language = "de";
    for (const char* name : {"auto", "whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"}) {
        const auto options =
            openai_task_options({.model = name, .language = {}}, defaults, installed);
        ASSERT_TRUE(options) << name;
        EXPECT_EQ(*options, defaults) << name;
    }
    const auto own =
        openai_task_options({.model = "base.en", .language = "en"}, defaults, installed);
    ASSERT_TRUE(own);
    EXPECT_EQ(own->engine, "whisper");
    EXPECT_EQ(own->model, "base.en");
    EXPECT_EQ(own->language, "en");
    const auto none =
        openai_task_options({.model = "whisper-2", .language = {}}, defaults, installed);
    ASSERT_FALSE(none);
    EXPECT_EQ(openai_status(none.error()), 404);
    EXPECT_EQ(none.error().code, "model_not_found");
    EXPECT_TRUE(none.error().message.contains("base.en")) << none.error().message;
}

}  // namespace
}  // namespace durascribe::api
