// Reading what the server answers: JSON objects, or the error that one tells of.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "durascribe/base/error.h"
#include "durascribe/cli/http_connection.h"

namespace durascribe::cli {

namespace json = boost::json;

inline constexpr unsigned kFirstError = 300;  // of the statuses

// Empty, nullopt or nullptr where the key is missing or of another type.
std::string text_in(const json::object& object, std::string_view key);
std::optional<double> number_in(const json::object& object, std::string_view key);
const json::object* object_in(const json::object& object, std::string_view key);
const json::array* array_in(const json::object& object, std::string_view key);

std::unexpected<Error> strange_answer(std::string_view what);

// The answer's JSON object, or the error that it tells of (RFC 9457).
Result<json::object> object_of(const Result<HttpReply>& reply);

}  // namespace durascribe::cli
