#include "durascribe/api/parameters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/api/names.h"
#include "durascribe/api/problem.h"

namespace durascribe::api {
namespace {

constexpr std::size_t kIdempotencyKeyMax = 255;

constexpr std::size_t kTitleBytesMax = 500;
constexpr int kPageMax = 200;
constexpr std::array<std::string_view, 8> kFields{
    "title", "language", "engine", "model", "audio_track", "diarize", "priority", "from_step"};

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Result<int> whole_number(std::string_view field, std::string_view text, int least, int most) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
        return std::unexpected(
            bad_value(field, fmt::format("a whole number from {} to {}", least, most)));
    }
    return value;
}

// An engine, a model, a language tag: short, and safe wherever it is shown or passed on.
Result<std::string> word(std::string_view field, std::string_view text, std::string_view also,
                         std::string_view expected) {
    const bool ok =
        text.size() <= 64 && is_alphanumeric(text.front()) &&
        std::ranges::all_of(text, [&](char c) { return is_alphanumeric(c) || also.contains(c); });
    if (!ok) {
        return std::unexpected(bad_value(field, expected));
    }
    return std::string{text};
}

Result<bool> truth(std::string_view field, std::string_view text) {
    if (text == "true" || text == "1") {
        return true;
    }
    if (text == "false" || text == "0") {
        return false;
    }
    return std::unexpected(bad_value(field, "true or false"));
}

template <typename T>
Result<void> store_in(std::optional<T>& field, Result<T> value) {
    if (!value) {
        return std::unexpected(value.error());
    }
    field = std::move(*value);
    return {};
}

}  // namespace

Result<std::optional<std::string>> text_parameter(const Request& request, std::string_view name) {
    std::optional<std::string> found;
    for (const auto& [key, value] : request.query) {
        if (key != name) {
            continue;
        }
        if (found) {
            return std::unexpected(bad_value(name, "given once"));
        }
        found = value;
    }
    return found;
}

Result<std::optional<bool>> flag_parameter(const Request& request, std::string_view name) {
    const auto text = text_parameter(request, name);
    if (!text) {
        return std::unexpected(text.error());
    }
    if (!*text) {
        return std::nullopt;
    }
    const auto value = truth(name, **text);
    return value ? Result<std::optional<bool>>{*value} : std::unexpected(value.error());
}

Result<std::optional<int>> number_parameter(const Request& request, std::string_view name,
                                            int least, int most) {
    const auto text = text_parameter(request, name);
    if (!text) {
        return std::unexpected(text.error());
    }
    if (!*text) {
        return std::nullopt;
    }
    const auto value = whole_number(name, **text, least, most);
    return value ? Result<std::optional<int>>{*value} : std::unexpected(value.error());
}

std::optional<std::string> id_from(std::string_view text) {
    if (!is_uuid(text)) {
        return std::nullopt;
    }
    std::string id{text};
    std::ranges::transform(id, id.begin(), [](char c) {
        return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return id;
}

Result<std::optional<std::string>> id_parameter(const Request& request, std::string_view name) {
    auto text = text_parameter(request, name);
    if (text && *text) {
        *text = id_from(**text);
        if (!*text) {
            return std::unexpected(bad_value(name, "a UUID"));
        }
    }
    return text;
}

Result<std::optional<Millis>> seconds_parameter(const Request& request, std::string_view name) {
    const auto text = text_parameter(request, name);
    if (!text) {
        return std::unexpected(text.error());
    }
    if (!*text) {
        return std::nullopt;
    }
    constexpr double kMost = 1e9;
    double value = -1;
    const char* const end = (*text)->data() + (*text)->size();
    const auto [read, failed] = std::from_chars((*text)->data(), end, value);
    if (failed != std::errc{} || read != end || !(value >= 0) || value > kMost) {
        return std::unexpected(bad_value(name, "seconds, 0 or more"));
    }
    return Millis{std::llround(value * 1'000)};
}

Result<std::optional<WallTime>> time_parameter(const Request& request, std::string_view name) {
    auto text = text_parameter(request, name);
    if (!text) {
        return std::unexpected(text.error());
    }
    if (!*text) {
        return std::nullopt;
    }
    constexpr std::size_t kDay = 10;  // 2026-11-22
    std::string whole = **text;
    if (whole.size() == kDay) {
        whole += "T00:00:00Z";
    }
    const auto time = wall_time_from_rfc3339(whole);
    if (!time) {
        return std::unexpected(bad_value(name, "a time such as 2026-11-22T08:00:00Z, or a day"));
    }
    return *time;
}

Result<ports::Page> page_of(const Request& request) {
    ports::Page page;
    const auto limit = text_parameter(request, "limit");
    const auto cursor = text_parameter(request, "cursor");
    if (!limit || !cursor) {
        return std::unexpected(limit ? cursor.error() : limit.error());
    }
    if (*limit) {
        const auto number = whole_number("limit", **limit, 1, kPageMax);
        if (!number) {
            return std::unexpected(number.error());
        }
        page.limit = *number;
    }
    page.cursor = cursor->value_or("");
    return page;
}

Result<std::optional<domain::TaskState>> state_parameter(const Request& request) {
    const auto text = text_parameter(request, "status");
    if (!text) {
        return std::unexpected(text.error());
    }
    if (!*text || (*text)->empty()) {
        return std::nullopt;
    }
    const auto state = domain::task_state_from(**text);
    if (!state) {
        return std::unexpected(bad_value("status",
                                         "pending, processing, retrying, completed, "
                                         "partial_failure, failed or cancelled"));
    }
    return state;
}

Result<std::optional<ports::IdempotencyKey>> idempotency_key_of(const Request& request) {
    const std::string* key = request.header("idempotency-key");
    if (key == nullptr) {
        return std::nullopt;
    }
    const bool printable = std::ranges::all_of(*key, [](char c) { return c >= 0x20 && c <= 0x7E; });
    const bool once =
        std::ranges::count(request.headers, "idempotency-key", &Fields::value_type::first) == 1;
    if (key->empty() || key->size() > kIdempotencyKeyMax || !printable || !once) {
        return std::unexpected(bad_value(
            "Idempotency-Key",
            fmt::format("one, of 1 to {} printable ASCII characters", kIdempotencyKeyMax)));
    }
    // Whose it is stands here, too, as it always did: keys from before an update stay good.
    std::string fingerprint =
        fmt::format("{}{} {}", request.who.token.value, to_string(request.method), request.path);
    for (const auto& [name, value] : request.query) {
        fingerprint += fmt::format("\n{}={}", name, value);
    }
    return ports::IdempotencyKey{.key = *key,
                                 .fingerprint = fingerprint + "\n" + request.body + "\n",
                                 .owner = request.who.token.value};
}

Result<std::string> checked_title(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    text = first == std::string_view::npos
               ? std::string_view{}
               : text.substr(first, text.find_last_not_of(" \t") - first + 1);
    const bool has_control = std::ranges::any_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
    if (text.empty() || text.size() > kTitleBytesMax || has_control || !is_valid_utf8(text)) {
        return std::unexpected(bad_value(
            "title", fmt::format("1 to {} bytes of UTF-8 text on one line", kTitleBytesMax)));
    }
    return std::string{text};
}

TaskFields TaskFields::of_known_media() {
    TaskFields fields;
    fields.known_media_ = true;
    return fields;
}

bool TaskFields::knows(std::string_view name) {
    return std::ranges::find(kFields, name) != kFields.end();
}

std::string_view TaskFields::names() {
    return "title, language, engine, model, audio_track, diarize and priority";
}

Result<void> TaskFields::set(std::string_view name, std::string_view value) {
    DURASCRIBE_ASSERT(knows(name));
    if (value.empty()) {
        return {};
    }
    if (name == "title") {
        return store_in(title_, checked_title(value));
    }
    if (name == "language") {
        return store_in(language_, word(name, value, "-", "a language tag such as en or pt-BR"));
    }
    if (name == "engine") {
        return store_in(engine_, word(name, value, "-_.", "the name of an engine, or auto"));
    }
    if (name == "model") {
        return store_in(model_, word(name, value, "-_.", "the name of a model, or auto"));
    }
    if (name == "audio_track") {
        if (value == "auto") {
            audio_track_.emplace(std::nullopt);
            return {};
        }
        const auto track = whole_number(name, value, 0, 255);
        if (!track) {
            return std::unexpected(bad_value(name, "auto, or a whole number from 0 to 255"));
        }
        audio_track_.emplace(*track);
        return {};
    }
    if (name == "diarize") {
        return store_in(diarize_, truth(name, value));
    }
    if (name == "from_step") {
        if (!known_media_) {
            return std::unexpected(
                bad_value(name,
                          "left out here: it is for …/reprocess, which starts a media that "
                          "was worked on before from a later step"));
        }
        const auto step = domain::step_from(value);
        if (!step || *step == domain::Step::acquire) {
            return std::unexpected(bad_value(name, "extract, transcribe, diarize or finalize"));
        }
        from_step_ = *step;
        return {};
    }
    return store_in(priority_, whole_number(name, value, -100, 100));
}

Result<void> TaskFields::set_json(std::string_view name, const boost::json::value& value) {
    if (const auto* text = value.if_string()) {
        return set(name, {text->data(), text->size()});
    }
    if (const auto* number = value.if_int64()) {
        return set(name, std::to_string(*number));
    }
    if (const auto* flag = value.if_bool()) {
        return set(name, *flag ? "true" : "false");
    }
    return std::unexpected(bad_value(name, "text, a whole number, true or false"));
}

Result<void> TaskFields::set_from_query(const Request& request) {
    for (const std::string_view name : kFields) {
        const auto value = text_parameter(request, name);
        if (!value) {
            return std::unexpected(value.error());
        }
        if (auto done = set(name, value->value_or("")); !done) {
            return done;
        }
    }
    return {};
}

domain::TaskOptions TaskFields::over(domain::TaskOptions options) const {
    options.language = language_.value_or(options.language);
    options.engine = engine_.value_or(options.engine);
    options.model = model_.value_or(options.model);
    options.diarize = diarize_.value_or(options.diarize);
    options.priority = priority_.value_or(options.priority);
    options.audio_track = audio_track_.value_or(options.audio_track);
    // Of this task alone: what the one before started from says nothing.
    options.from_step = from_step_;
    return options;
}

domain::TaskOptions TaskFields::chosen() const {
    domain::TaskOptions options;
    options.language = language_.value_or("auto");
    options.engine = engine_.value_or("auto");
    options.model = model_.value_or("auto");
    return options;
}

}  // namespace durascribe::api
