// Errors as OpenAI's clients read them: {"error": {"message", "type", "param", "code"}}.
#pragma once

#include <string>
#include <string_view>

#include "durascribe/api/message.h"
#include "durascribe/base/error.h"

namespace durascribe::api {

// Whether what lives at this path answers in OpenAI's shape.
bool speaks_openai(std::string_view path);

// Of a value that a client gave: class request, and a `detail` that openai_error_response reads the
// parameter's name from.
Error bad_parameter(std::string_view param, std::string message,
                    std::string_view code = "invalid_value");

// The status is http_status(), but that what is wrong with the media (class input) is a 400, as
// OpenAI's is: that is what clients take for "do not send it again".
int openai_status(const Error& error);
Response openai_error_response(const Error& error);

// The body alone, for an error in the middle of a stream. One line.
std::string openai_error_text(const Error& error);

}  // namespace durascribe::api
