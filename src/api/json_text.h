// JSON as text: numbers as people write them (12.5, where Boost.JSON 1.81 writes 1.25E1).
#pragma once

#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "durascribe/api/message.h"
#include "durascribe/base/error.h"

namespace durascribe::api {

// Ends with a line feed; json_line() does not. Numbers that JSON does not know become null; strings
// are taken to be UTF-8.
std::string json_text(const boost::json::value& value);
std::string json_line(const boost::json::value& value);

// Errors: request "malformed_json", which says where; request "bad_value" where it is no object.
// Nesting is limited.
Result<boost::json::object> parse_json_object(const std::string& text);

// Of a Content-Type, without its parameters: "application/json", "application/merge-patch+json".
bool is_json_type(std::string_view type);

// The body of a request that must be a JSON object. Errors: as above, and request
// "unsupported_content_type" where its Content-Type is another.
Result<boost::json::object> json_body(const Request& request);

}  // namespace durascribe::api
