// Header field values with a grammar: Content-Disposition (RFC 6266, RFC 5987, RFC 7578), media
// types with parameters (RFC 9110 §8.3), Range (RFC 9110 §14.2). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace durascribe::api {

// `type; name=value; name="value"`: the type and the names in lower case.
struct ParameterizedValue {
    std::string value;
    std::vector<std::pair<std::string, std::string>> parameters;
    const std::string* parameter(std::string_view name) const;
};

// nullopt: malformed. Inside quotes, `\"` and `\\` are escapes, any other backslash is itself (a
// Windows path of an old browser).
std::optional<ParameterizedValue> parse_parameterized(std::string_view text);

// The file name that a Content-Disposition carries: filename* where it decodes (UTF-8 and
// ISO-8859-1), else filename, with the three characters that browsers percent-encode in forms
// (quote, CR, LF) decoded. nullopt: none.
std::optional<std::string> filename_of(const ParameterizedValue& disposition);

// Whether an If-None-Match (RFC 9110 §13.1.2) names this tag, or any. nullptr: there is none.
bool names_tag(const std::string* field, const std::string& tag);

// The strong entity tags of an If-Match (RFC 9110 §13.1.1), without their quotes; nullopt: "*".
std::optional<std::vector<std::string>> strong_tags(std::string_view field);

enum class Disposition { attachment, inline_ };

// A Content-Disposition for any name: an ASCII fallback and filename*. Control characters, marks
// that turn the direction of what follows, and what could be a path are taken out of it.
std::string content_disposition(Disposition kind, std::string_view filename);

struct ByteRange {
    std::int64_t first = 0;
    std::int64_t length = 0;
    bool operator==(const ByteRange&) const = default;
};
struct WholeBody {
    bool operator==(const WholeBody&) const = default;
};
struct Unsatisfiable {
    bool operator==(const Unsatisfiable&) const = default;
};

// What a Range header asks of a body of `size` bytes. A malformed header, another unit or several
// ranges are ignored, as RFC 9110 §14.2 allows: the whole body.
std::variant<WholeBody, ByteRange, Unsatisfiable> parse_range(std::string_view header,
                                                              std::int64_t size);

}  // namespace durascribe::api
