#include "durascribe/api/openai_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/api/json_text.h"
#include "durascribe/api/names.h"
#include "durascribe/api/openai_errors.h"
#include "durascribe/api/parameters.h"

namespace durascribe::api {
namespace {

constexpr std::size_t kShort = 256;
constexpr std::size_t kLong = 64 << 10;

// Lists come with brackets behind their name from OpenAI's clients, and without from others.
constexpr std::array kParts{
    std::pair<std::string_view, std::size_t>{"model", kShort},
    std::pair<std::string_view, std::size_t>{"language", kShort},
    std::pair<std::string_view, std::size_t>{"prompt", kLong},
    std::pair<std::string_view, std::size_t>{"response_format", kShort},
    std::pair<std::string_view, std::size_t>{"temperature", kShort},
    std::pair<std::string_view, std::size_t>{"stream", kShort},
    std::pair<std::string_view, std::size_t>{"timestamp_granularities[]", kShort},
    std::pair<std::string_view, std::size_t>{"timestamp_granularities", kShort},
    std::pair<std::string_view, std::size_t>{"include[]", kShort},
    std::pair<std::string_view, std::size_t>{"include", kShort},
    std::pair<std::string_view, std::size_t>{"chunking_strategy", kLong},
    std::pair<std::string_view, std::size_t>{"chunking_strategy[type]", kShort},
};

constexpr std::array kFormats{
    std::pair<std::string_view, OpenAiFormat>{"json", OpenAiFormat::json},
    std::pair<std::string_view, OpenAiFormat>{"text", OpenAiFormat::text},
    std::pair<std::string_view, OpenAiFormat>{"srt", OpenAiFormat::srt},
    std::pair<std::string_view, OpenAiFormat>{"verbose_json", OpenAiFormat::verbose_json},
    std::pair<std::string_view, OpenAiFormat>{"vtt", OpenAiFormat::vtt},
    std::pair<std::string_view, OpenAiFormat>{"diarized_json", OpenAiFormat::diarized_json},
};

std::unexpected<Error> wrong(std::string_view param, std::string_view expected) {
    return std::unexpected(bad_parameter(param, fmt::format("{} must be {}.", param, expected)));
}

Result<OpenAiFormat> format_of(std::string_view value) {
    const auto* found =
        std::ranges::find(kFormats, value, &std::pair<std::string_view, OpenAiFormat>::first);
    if (found == kFormats.end()) {
        return wrong("response_format", "json, text, srt, verbose_json, vtt or diarized_json");
    }
    return found->second;
}

Result<bool> flag_of(std::string_view param, std::string_view value) {
    if (value == "true" || value == "True" || value == "1") {
        return true;
    }
    if (value == "false" || value == "False" || value == "0") {
        return false;
    }
    return wrong(param, "true or false");
}

Result<void> check_temperature(std::string_view value) {
    double number = -1;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    // Negated, so that NaN is refused.
    if (error != std::errc{} || end != value.data() + value.size() ||
        !(number >= 0 && number <= 1)) {
        return wrong("temperature", "a number from 0 to 1");
    }
    return {};
}

// "auto", or an object of the type server_vad; what else such an object says is about OpenAI's own
// voice detection.
Result<void> check_chunking(std::string_view value) {
    if (value == "auto" || value == "server_vad") {
        return {};
    }
    const auto object = parse_json_object(std::string{value});
    if (object) {
        const auto* type = object->if_contains("type");
        if (type != nullptr && type->is_string() && type->get_string() == "server_vad") {
            return {};
        }
    }
    return wrong("chunking_strategy", "\"auto\", or an object whose type is \"server_vad\"");
}

}  // namespace

std::optional<std::size_t> OpenAiForm::size_max(std::string_view name) {
    const auto* found =
        std::ranges::find(kParts, name, &std::pair<std::string_view, std::size_t>::first);
    return found == kParts.end() ? std::nullopt : std::optional{found->second};
}

Result<void> OpenAiForm::set_granularity(std::string_view value) {
    if (value != "word" && value != "segment") {
        return wrong("timestamp_granularities[]", "word or segment");
    }
    if (!std::exchange(granularities_given_, true)) {
        request_.segments = false;
    }
    (value == "word" ? request_.words : request_.segments) = true;
    return {};
}

Result<void> OpenAiForm::set(std::string_view name, std::string_view value) {
    if (value.empty()) {
        return {};
    }
    if (!is_valid_utf8(value)) {
        return wrong(name, "UTF-8 text");
    }
    if (name == "model") {
        request_.model = value;
    } else if (name == "language") {
        TaskFields fields;
        if (!fields.set("language", value)) {
            return wrong("language", "a language tag such as en or pt-BR");
        }
        request_.language = value;
    } else if (name == "response_format") {
        const auto format = format_of(value);
        if (!format) {
            return std::unexpected(format.error());
        }
        request_.format = *format;
    } else if (name == "temperature") {
        return check_temperature(value);
    } else if (name == "stream") {
        const auto stream = flag_of(name, value);
        if (!stream) {
            return std::unexpected(stream.error());
        }
        request_.stream = *stream;
    } else if (name.starts_with("timestamp_granularities")) {
        return set_granularity(value);
    } else if (name.starts_with("include")) {
        if (value != "logprobs") {
            return wrong("include[]", "logprobs, the only thing that can be included");
        }
        request_.logprobs = true;
    } else if (name.starts_with("chunking_strategy")) {
        return check_chunking(value);
    }
    return {};  // prompt: no recogniser here takes one
}

Result<OpenAiRequest> OpenAiForm::finished() const {
    if (granularities_given_ && request_.format != OpenAiFormat::verbose_json) {
        return std::unexpected(
            bad_parameter("timestamp_granularities[]",
                          "timestamp_granularities[] needs response_format=verbose_json: the other "
                          "formats have no place for them."));
    }
    if (request_.stream && request_.format != OpenAiFormat::json &&
        request_.format != OpenAiFormat::text) {
        return std::unexpected(
            bad_parameter("stream",
                          "stream=true goes with response_format json or text. Ask for the other "
                          "formats without it.",
                          "unsupported_value"));
    }
    if (request_.logprobs && request_.format != OpenAiFormat::json) {
        return std::unexpected(
            bad_parameter("include[]", "include[]=logprobs goes with response_format json alone."));
    }
    return request_;
}

}  // namespace durascribe::api
