// What POST /v1/audio/transcriptions asks for: the parts of its form but the file, checked one by
// one. Pure. docs/openai.md says what each does here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "durascribe/base/error.h"

namespace durascribe::api {

enum class OpenAiFormat { json, text, srt, verbose_json, vtt, diarized_json };

struct OpenAiRequest {
    std::string model = "auto";
    std::optional<std::string> language;
    OpenAiFormat format = OpenAiFormat::json;
    bool stream = false;
    bool segments = true;  // verbose_json has them
    bool words = false;    // and these
    bool logprobs = false;
};

class OpenAiForm {
  public:
    // What a part of this name may weigh; nullopt: the name is not known, and its part is passed
    // over, as OpenAI does.
    static std::optional<std::size_t> size_max(std::string_view name);

    // An empty value means "not given". Requires size_max(name). Errors: bad_parameter.
    Result<void> set(std::string_view name, std::string_view value);

    // What belongs together is checked here. Errors: bad_parameter.
    Result<OpenAiRequest> finished() const;

    // As far as it is known while the form still comes.
    const OpenAiRequest& so_far() const { return request_; }

  private:
    Result<void> set_granularity(std::string_view value);

    OpenAiRequest request_;
    bool granularities_given_ = false;
};

}  // namespace durascribe::api
