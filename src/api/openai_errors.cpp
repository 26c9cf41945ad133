#include "durascribe/api/openai_errors.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/json.hpp>

#include "durascribe/api/json_text.h"
#include "durascribe/api/problem.h"

namespace durascribe::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kParam = "param=";

// Errors of the engine and of the intake that are about one parameter.
constexpr std::array kParamOfCode{
    std::pair<std::string_view, std::string_view>{"unknown_model", "model"},
    std::pair<std::string_view, std::string_view>{"unknown_engine", "model"},
    std::pair<std::string_view, std::string_view>{"unsupported_language", "language"},
    std::pair<std::string_view, std::string_view>{"no_diarizer", "response_format"},
    std::pair<std::string_view, std::string_view>{"no_file", "file"},
    std::pair<std::string_view, std::string_view>{"empty_file", "file"},
    std::pair<std::string_view, std::string_view>{"body_too_large", "file"},
};

json::value param_of(const Error& error) {
    if (std::string_view{error.detail}.starts_with(kParam)) {
        return json::value(error.detail.substr(kParam.size()));
    }
    const auto* found = std::ranges::find(kParamOfCode, std::string_view{error.code},
                                          &std::pair<std::string_view, std::string_view>::first);
    if (found != kParamOfCode.end()) {
        return json::value(json::string{found->second.data(), found->second.size()});
    }
    return error.cls == ErrorClass::input ? json::value("file") : json::value(nullptr);
}

// In the words of this API: a request here has no option "diarize".
std::string message_of(const Error& error) {
    return error.code == "no_diarizer"
               ? "response_format diarized_json needs a diarizer, and none is installed here. Ask "
                 "for json or verbose_json."
               : error.message;
}

const char* type_of(int status) {
    return status >= 500   ? "server_error"
           : status == 429 ? "rate_limit_error"
                           : "invalid_request_error";
}

json::object body_of(const Error& error) {
    return {{"error", json::object{{"message", message_of(error)},
                                   {"type", type_of(openai_status(error))},
                                   {"param", param_of(error)},
                                   {"code", error.code}}}};
}

}  // namespace

bool speaks_openai(std::string_view path) {
    return path == "/v1" || path.starts_with("/v1/");
}

Error bad_parameter(std::string_view param, std::string message, std::string_view code) {
    return {ErrorClass::request, std::string{code}, std::move(message),
            std::string{kParam} + std::string{param}};
}

int openai_status(const Error& error) {
    const int status = http_status(error);
    return status == 422 && error.cls == ErrorClass::input ? 400 : status;
}

Response openai_error_response(const Error& error) {
    Response response;
    response.status = openai_status(error);
    response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
    add_refusal_fields(response, error);
    response.body = json_text(body_of(error));
    return response;
}

std::string openai_error_text(const Error& error) {
    return json_line(body_of(error));
}

}  // namespace durascribe::api
