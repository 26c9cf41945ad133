#include "durascribe/api/json_text.h"

#include <array>
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

// Boost's serializer, one for a whole document: making one costs more than most values do.
class Writer {
  public:
    explicit Writer(std::string& out) : out_(out) {}

    void write(const json::value& value) {
        switch (value.kind()) {
            case json::kind::object: {
                out_ += '{';
                bool first = true;
                for (const auto& [key, member] : value.get_object()) {
                    if (!std::exchange(first, false)) {
                        out_ += ',';
                    }
                    write_text(json::string_view{key});
                    out_ += ':';
                    write(member);
                }
                out_ += '}';
                return;
            }
            case json::kind::array: {
                out_ += '[';
                bool first = true;
                for (const auto& element : value.get_array()) {
                    if (!std::exchange(first, false)) {
                        out_ += ',';
                    }
                    write(element);
                }
                out_ += ']';
                return;
            }
            case json::kind::double_: {
                const double number = value.get_double();
                if (!std::isfinite(number)) {
                    out_ += "null";
                } else {
                    fmt::format_to(std::back_inserter(out_), "{}", number);
                }
                return;
            }
            case json::kind::string:
                write_text(value.get_string());
                return;
            case json::kind::int64:
                fmt::format_to(std::back_inserter(out_), "{}", value.get_int64());
                return;
            case json::kind::uint64:
                fmt::format_to(std::back_inserter(out_), "{}", value.get_uint64());
                return;
            case json::kind::bool_:
                out_ += value.get_bool() ? "true" : "false";
                return;
            case json::kind::null:
                out_ += "null";
                return;
        }
    }

  private:
    // What needs no escape is most of it. (Without a way out of the loop it is done 16 at a time.)
    void write_text(json::string_view text) {
        bool escapes = false;
        for (const char c : text) {
            escapes |= static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
        }
        if (!escapes) {
            out_ += '"';
            out_.append(text.data(), text.size());
            out_ += '"';
            return;
        }
        serializer_.reset(text);
        drain();
    }

    void drain() {
        while (!serializer_.done()) {
            const json::string_view part = serializer_.read(buffer_.data(), buffer_.size());
            out_.append(part.data(), part.size());
        }
    }

    std::string& out_;
    json::serializer serializer_;
    std::array<char, 1'024> buffer_;
};

}  // namespace

std::string json_line(const json::value& value) {
    std::string out;
    Writer(out).write(value);
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
