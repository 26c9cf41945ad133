#include "durascribe/api/json_text.h"

#include <cmath>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/api/header_values.h"
#include "durascribe/api/problem.h"

namespace durascribe::api {
namespace {

namespace json = boost::json;

void append(std::string& out, const json::value& value) {
    switch (value.kind()) {
        case json::kind::object: {
            out += '{';
            bool first = true;
            for (const auto& [key, member] : value.get_object()) {
                if (!std::exchange(first, false)) {
                    out += ',';
                }
                out += json::serialize(json::string_view{key});
                out += ':';
                append(out, member);
            }
            out += '}';
            return;
        }
        case json::kind::array: {
            out += '[';
            bool first = true;
            for (const auto& element : value.get_array()) {
                if (!std::exchange(first, false)) {
                    out += ',';
                }
                append(out, element);
            }
            out += ']';
            return;
        }
        case json::kind::double_: {
            const double number = value.get_double();
            if (!std::isfinite(number)) {
                out += "null";
            } else {
                fmt::format_to(std::back_inserter(out), "{}", number);
            }
            return;
        }
        case json::kind::string:
        case json::kind::int64:
        case json::kind::uint64:
        case json::kind::bool_:
        case json::kind::null:
            out += json::serialize(value);
            return;
    }
}

}  // namespace

std::string json_line(const json::value& value) {
    std::string out;
    append(out, value);
    return out;
}

std::string json_text(const json::value& value) {
    std::string out = json_line(value);
    out += '\n';
    return out;
}

Result<json::object> parse_json_object(const std::string& text) {
    json::parse_options limits;
    limits.max_depth = 16;
    json::error_code error;
    json::stream_parser parser{{}, limits};
    const std::size_t read = parser.write_some(text.data(), text.size(), error);
    if (!error && read == text.size()) {
        parser.finish(error);
    }
    if (error || read != text.size()) {
        return fail(ErrorClass::request, "malformed_json",
                    fmt::format("The body is not JSON: it goes wrong at byte {} ({}).", read,
                                error ? error.message() : "more follows the value"));
    }
    json::value value = parser.release();
    if (!value.is_object()) {
        return std::unexpected(bad_value("The body", "a JSON object"));
    }
    return std::move(value.get_object());
}

bool is_json_type(std::string_view type) {
    return type == "application/json" || type.ends_with("+json");
}

Result<json::object> json_body(const Request& request) {
    const std::string* field = request.header("content-type");
    const auto type = field != nullptr ? parse_parameterized(*field) : std::nullopt;
    if (!type || !is_json_type(type->value)) {
        return fail(ErrorClass::request, "unsupported_content_type",
                    "Send the body as JSON, with Content-Type: application/json.");
    }
    return parse_json_object(request.body);
}

}  // namespace durascribe::api
