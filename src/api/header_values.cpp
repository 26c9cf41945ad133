#include "durascribe/api/header_values.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "durascribe/api/names.h"
#include "durascribe/domain/text.h"

namespace durascribe::api {
namespace {

constexpr std::string_view kSpace = " \t";

void skip_space(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
}

std::string_view trimmed(std::string_view text) {
    skip_space(text);
    return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

std::string lower(std::string_view text) {
    std::string out{text};
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

// Takes a quoted string from the front; nullopt: no closing quote.
std::optional<std::string> take_quoted(std::string_view& text) {
    std::string out;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') {
            text.remove_prefix(i + 1);
            return out;
        }
        if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) {
            ++i;
        }
        out += text[i];
    }
    return std::nullopt;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

// RFC 5987 §3.2: charset'language'percent-encoded. Latin-1 bytes are left as they are:
// clean_filename() reads what is not UTF-8 as Latin-1.
std::optional<std::string> extended_value(std::string_view text) {
    const std::size_t first = text.find('\'');
    const std::size_t second = first == std::string_view::npos ? first : text.find('\'', first + 1);
    if (second == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string charset = lower(text.substr(0, first));
    auto decoded = percent_decoded(text.substr(second + 1));
    if (!decoded || decoded->empty()) {
        return std::nullopt;
    }
    if (charset == "utf-8") {
        return is_valid_utf8(*decoded) ? decoded : std::nullopt;
    }
    return charset == "iso-8859-1" ? decoded : std::nullopt;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
    for (std::size_t at = text.find(what); at != std::string::npos;
         at = text.find(what, at + with.size())) {
        text.replace(at, what.size(), with);
    }
}

std::optional<std::int64_t> whole_number(std::string_view text) {
    std::int64_t value = 0;
    if (text.empty() || text.front() == '-') {
        return std::nullopt;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

}  // namespace

const std::string* ParameterizedValue::parameter(std::string_view name) const {
    const auto found =
        std::ranges::find(parameters, name, &std::pair<std::string, std::string>::first);
    return found == parameters.end() ? nullptr : &found->second;
}

std::optional<ParameterizedValue> parse_parameterized(std::string_view text) {
    ParameterizedValue out;
    const std::size_t semicolon = std::min(text.find(';'), text.size());
    out.value = lower(trimmed(text.substr(0, semicolon)));
    if (out.value.empty()) {
        return std::nullopt;
    }
    text.remove_prefix(semicolon);
    while (!text.empty()) {
        text.remove_prefix(1);  // the semicolon
        skip_space(text);
        if (text.empty() || text.front() == ';') {
            continue;
        }
        const std::size_t equals = text.find_first_of("=;");
        if (equals == std::string_view::npos || equals == 0 || text[equals] == ';') {
            return std::nullopt;
        }
        std::string name = lower(trimmed(text.substr(0, equals)));
        text.remove_prefix(equals + 1);
        skip_space(text);
        std::string value;
        if (text.starts_with('"')) {
            auto quoted = take_quoted(text);
            if (!quoted) {
                return std::nullopt;
            }
            value = std::move(*quoted);
            skip_space(text);
        } else {
            const std::size_t end = std::min(text.find(';'), text.size());
            value = std::string{trimmed(text.substr(0, end))};
            text.remove_prefix(end);
        }
        if (!text.empty() && text.front() != ';') {
            return std::nullopt;
        }
        out.parameters.emplace_back(std::move(name), std::move(value));
    }
    return out;
}

std::optional<std::string> filename_of(const ParameterizedValue& disposition) {
    if (const std::string* extended = disposition.parameter("filename*")) {
        if (auto name = extended_value(*extended)) {
            return name;
        }
    }
    const std::string* plain = disposition.parameter("filename");
    if (plain == nullptr) {
        return std::nullopt;
    }
    std::string name = *plain;
    replace_all(name, "%22", "\"");
    replace_all(name, "%0D", "\r");
    replace_all(name, "%0A", "\n");
    return name;
}

bool names_tag(const std::string* field, const std::string& tag) {
    return field != nullptr && (trimmed(*field) == "*" || field->contains(tag));
}

std::optional<std::vector<std::string>> strong_tags(std::string_view field) {
    field = trimmed(field);
    if (field == "*") {
        return std::nullopt;
    }
    std::vector<std::string> tags;
    while (!field.empty()) {
        const bool weak = field.starts_with("W/");
        field.remove_prefix(weak ? 2 : 0);
        const std::size_t close =
            field.starts_with('"') ? field.find('"', 1) : std::string_view::npos;
        if (close == std::string_view::npos) {
            break;  // not a list of tags: what follows names nothing
        }
        if (!weak) {  // weak ones never match here
            tags.emplace_back(field.substr(1, close - 1));
        }
        field.remove_prefix(close + 1);
        field.remove_prefix(std::min(field.find_first_not_of(" \t,"), field.size()));
    }
    return tags;
}

std::string content_disposition(Disposition kind, std::string_view any_name) {
    std::string filename = domain::clean_text(any_name);
    std::ranges::replace_if(filename, [](char c) { return c == '/' || c == '\\'; }, '_');
    std::string fallback;
    std::string encoded;
    for (const char c : filename) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\' && c != '%';
        if ((byte & 0xC0U) != 0x80U) {  // one sign for each character, not for each byte
            fallback += plain ? c : '_';
        }
        // attr-char of RFC 5987 §3.2.1
        const bool attr = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') || std::string_view{"!#$&+-.^_`|~"}.contains(c);
        if (attr) {
            encoded += c;
        } else {
            encoded += fmt::format("%{:02X}", byte);
        }
    }
    return fmt::format("{}; filename=\"{}\"; filename*=UTF-8''{}",
                       kind == Disposition::attachment ? "attachment" : "inline", fallback,
                       encoded);
}

std::variant<WholeBody, ByteRange, Unsatisfiable> parse_range(std::string_view header,
                                                              std::int64_t size) {
    const std::size_t equals = header.find('=');
    if (equals == std::string_view::npos || lower(trimmed(header.substr(0, equals))) != "bytes") {
        return WholeBody{};
    }
    const std::string_view spec = trimmed(header.substr(equals + 1));
    const std::size_t dash = spec.find('-');
    if (dash == std::string_view::npos || spec.contains(',')) {
        return WholeBody{};
    }
    const auto first = whole_number(trimmed(spec.substr(0, dash)));
    const auto last = whole_number(trimmed(spec.substr(dash + 1)));
    if (dash == 0) {  // the last so many bytes
        if (!last) {
            return WholeBody{};
        }
        if (*last == 0 || size == 0) {
            return Unsatisfiable{};
        }
        const std::int64_t length = std::min(*last, size);
        return ByteRange{size - length, length};
    }
    const bool open = dash + 1 == spec.size();
    if (!first || (!open && !last) || (last && *last < *first)) {
        return WholeBody{};
    }
    if (*first >= size) {
        return Unsatisfiable{};
    }
    const std::int64_t end = open ? size - 1 : std::min(*last, size - 1);
    return ByteRange{*first, end - *first + 1};
}

}  // namespace durascribe::api
