// Transcripts are corrected: one segment, the speakers, or back to how it was.
#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "durascribe/api/compression.h"
#include "durascribe/api/handlers.h"
#include "durascribe/api/header_values.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/names.h"
#include "durascribe/api/negotiation.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"
#include "durascribe/domain/text.h"

namespace durascribe::api {
namespace {

constexpr std::size_t kTextBytesMax = 10'000;
constexpr std::size_t kSpeakerBytesMax = 100;
constexpr double kSecondsMax = 1e9;

template <typename Number>
std::optional<Number> number_from(std::string_view text) {
    Number number{};
    const char* const end = text.data() + text.size();
    const auto [read, failed] = std::from_chars(text.data(), end, number);
    return failed == std::errc{} && read == end && number >= 0 ? std::optional(number)
                                                               : std::nullopt;
}

Result<std::int64_t> segment_id_of(const Request& request) {
    const auto id = number_from<std::int64_t>(request.capture("segment"));
    if (!id) {
        return fail(ErrorClass::request, "not_found",
                    "There is no such segment: its id is a whole number, which …/segments tells.");
    }
    return *id;
}

// "task.revision" or "task.segment.revision".
std::optional<ports::SeenVersion> version_of(std::string_view tag) {
    const std::size_t dot = tag.find('.');
    if (dot == std::string_view::npos || !is_uuid(std::string{tag.substr(0, dot)})) {
        return std::nullopt;
    }
    ports::SeenVersion version{
        .task = TaskId{std::string{tag.substr(0, dot)}}, .segment = std::nullopt, .revision = 0};
    tag.remove_prefix(dot + 1);
    if (const std::size_t second = tag.find('.'); second != std::string_view::npos) {
        version.segment = number_from<std::int64_t>(tag.substr(0, second));
        if (!version.segment) {
            return std::nullopt;
        }
        tag.remove_prefix(second + 1);
    }
    const auto revision = number_from<int>(tag);
    version.revision = revision.value_or(0);
    return revision ? std::optional(version) : std::nullopt;
}

// Of one edit: all but what is edited.
Result<ports::TranscriptEdit> edit_of(const Services& services, const Request& request) {
    const auto id = media_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto task = id_parameter(request, "task_id");
    if (!task) {
        return std::unexpected(task.error());
    }
    const auto tags = if_match_of(services, request);
    if (!tags) {
        return std::unexpected(tags.error());
    }
    ports::TranscriptEdit edit{
        .media = *id, .task = std::nullopt, .if_newest = std::nullopt, .what = {}};
    if (*task) {
        edit.task = TaskId{**task};
    }
    if (*tags) {
        edit.if_newest.emplace();
        for (const std::string& tag : **tags) {
            if (auto version = version_of(tag)) {
                edit.if_newest->push_back(std::move(*version));
            }
        }
    }
    return edit;
}

Result<Response> answer(const Services& services, const Request& request,
                        const ports::TranscriptEdit& edit, bool of_one_segment) {
    const auto edited = services.store.edit_transcript(edit);
    if (!edited) {
        return std::unexpected(edited.error());
    }
    Response response = json_response(200, edited_shape(edit.media, *edited, dialect_of(request)));
    response.headers.emplace_back("ETag", of_one_segment && edited->changed.size() == 1
                                              ? segment_tag(edited->task, edited->changed.front())
                                              : transcript_tag(edited->task, edited->revision));
    return response;
}

std::string_view view(const json::string& s) {
    return {s.data(), s.size()};
}

Result<std::string> spoken_text(const json::value& value) {
    if (value.is_string() && value.get_string().size() <= kTextBytesMax &&
        is_valid_utf8(view(value.get_string()))) {
        std::string clean = domain::clean_text(view(value.get_string()));
        if (!clean.empty()) {
            return clean;
        }
    }
    return std::unexpected(bad_value(
        "text", fmt::format("1 to {} bytes of text; to take a segment away, merge it with "
                            "its neighbour",
                            kTextBytesMax)));
}

Result<std::string> speaker_name(std::string_view field, const json::value& value) {
    if (value.is_string() && value.get_string().size() <= kSpeakerBytesMax &&
        is_valid_utf8(view(value.get_string()))) {
        std::string clean = domain::clean_text(view(value.get_string()));
        if (!clean.empty()) {
            return clean;
        }
    }
    return std::unexpected(
        bad_value(field, fmt::format("a name of 1 to {} bytes", kSpeakerBytesMax)));
}

Result<Millis> seconds_of(std::string_view field, const json::value& value) {
    if (value.is_number()) {
        const double seconds = value.to_number<double>();
        if (seconds >= 0 && seconds <= kSecondsMax) {
            return Millis{std::llround(seconds * 1'000)};
        }
    }
    return std::unexpected(bad_value(field, "seconds, 0 or more"));
}

template <typename T>
Result<void> put(std::optional<T>& into, Result<T> value) {
    if (!value) {
        return std::unexpected(value.error());
    }
    into = std::move(*value);
    return {};
}

Result<void> read_field(std::string_view name, const json::value& value,
                        ports::ChangeSegment& change) {
    if (name == "text") {
        return put(change.text, spoken_text(value));
    }
    if (name == "start") {
        return put(change.start, seconds_of(name, value));
    }
    if (name == "end") {
        return put(change.end, seconds_of(name, value));
    }
    if (name == "speaker") {
        if (value.is_null()) {
            change.speaker.emplace(std::nullopt);
            return {};
        }
        auto speaker = speaker_name(name, value);
        if (!speaker) {
            return std::unexpected(speaker.error());
        }
        change.speaker.emplace(std::move(*speaker));
        return {};
    }
    return std::unexpected(unknown_field(name, "of a segment", "text, start, end and speaker"));
}

}  // namespace

Result<std::optional<std::vector<std::string>>> if_match_of(const Services& services,
                                                            const Request& request) {
    if (request.header("if-match") != nullptr) {
        auto tags = strong_tags(joined_fields(request, "if-match"));
        if (tags) {
            std::ranges::transform(*tags, tags->begin(), version_tag);
        }
        return tags;
    }
    if (services.settings.require_if_match) {
        return fail(ErrorClass::request, "precondition_required",
                    "This server takes an edit only with an If-Match that names what was read: the "
                    "ETag of that answer.");
    }
    return std::nullopt;
}

Result<Response> get_segment(const Services& services, const Request& request) {
    const auto wanted = segment_id_of(request);
    if (!wanted) {
        return std::unexpected(wanted.error());
    }
    const auto found = result_of(services, request);
    if (!found) {
        return std::unexpected(found.error());
    }
    if (!domain::is_terminal(found->task.state)) {
        return fail(ErrorClass::request, "transcript_not_final",
                    "The transcript is still being written: its segments have no ids yet.",
                    found->task.id.value);
    }
    const auto text = services.store.transcript(found->task.id);
    if (!text) {
        return std::unexpected(text.error());
    }
    for (std::size_t i = 0; i < text->segments.size(); ++i) {
        const ports::TranscriptSegment& segment = text->segments[i];
        if (segment.id == *wanted) {
            json::object body = segment_shape(segment, i, true);
            add_media_id(body, found->media.id, dialect_of(request));
            body["task_id"] = found->task.id.value;
            Response response = json_response(200, std::move(body));
            response.headers.emplace_back("ETag", segment_tag(found->task.id, segment));
            return response;
        }
    }
    return std::unexpected(not_found("segment", std::to_string(*wanted)));
}

namespace {

// What every edit of one segment needs, or the first thing that is wrong with it.
struct SegmentEdit {
    ports::TranscriptEdit edit;
    std::int64_t segment = 0;
    json::object body;
};

Result<SegmentEdit> segment_edit_of(const Services& services, const Request& request) {
    auto edit = edit_of(services, request);
    if (!edit) {
        return std::unexpected(edit.error());
    }
    const auto segment = segment_id_of(request);
    if (!segment) {
        return std::unexpected(segment.error());
    }
    auto body = json_body(request);
    if (!body) {
        return std::unexpected(body.error());
    }
    return SegmentEdit{std::move(*edit), *segment, std::move(*body)};
}

}  // namespace

Result<Response> change_segment(const Services& services, const Request& request) {
    auto asked = segment_edit_of(services, request);
    if (!asked) {
        return std::unexpected(asked.error());
    }
    auto& [edit, id, body] = *asked;
    ports::ChangeSegment change{.id = id};
    for (const auto& [name, value] : body) {
        if (auto read = read_field({name.data(), name.size()}, value, change); !read) {
            return std::unexpected(read.error());
        }
    }
    if (body.empty()) {
        return std::unexpected(
            bad_value("The body", "an object with any of text, start, end and speaker"));
    }
    edit.what = std::move(change);
    return answer(services, request, edit, true);
}

Result<Response> split_segment(const Services& services, const Request& request) {
    auto asked = segment_edit_of(services, request);
    if (!asked) {
        return std::unexpected(asked.error());
    }
    auto& [edit, id, body] = *asked;
    const json::value* at = body.if_contains("at");
    const json::value* word = body.if_contains("word");
    if (body.size() != 1 || (at == nullptr && word == nullptr)) {
        return std::unexpected(
            bad_value("The body",
                      "{\"at\": seconds} or {\"word\": the word that begins the second "
                      "half, counted from 0}"));
    }
    ports::SplitSegment split{.id = id, .at = 0};
    if (at != nullptr) {
        const auto seconds = seconds_of("at", *at);
        if (!seconds) {
            return std::unexpected(seconds.error());
        }
        split.at = *seconds;
    } else {
        constexpr std::int64_t kWordMax = 1'000'000;
        if (!word->is_int64() || word->get_int64() < 1 || word->get_int64() > kWordMax) {
            return std::unexpected(bad_value("word", "a whole number, 1 or more"));
        }
        split.at = static_cast<int>(word->get_int64());
    }
    edit.what = split;
    return answer(services, request, edit, false);
}

Result<Response> merge_segment(const Services& services, const Request& request) {
    auto edit = edit_of(services, request);
    if (!edit) {
        return std::unexpected(edit.error());
    }
    const auto id = segment_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    edit->what = ports::MergeSegments{*id};
    return answer(services, request, *edit, false);
}

Result<Response> rename_speaker(const Services& services, const Request& request) {
    auto edit = edit_of(services, request);
    if (!edit) {
        return std::unexpected(edit.error());
    }
    const auto body = json_body(request);
    if (!body) {
        return std::unexpected(body.error());
    }
    const json::value* name = body->if_contains("name");
    if (name == nullptr || body->size() != 1) {
        return std::unexpected(bad_value("The body", "{\"name\": \"…\"} and nothing else"));
    }
    auto to = speaker_name("name", *name);
    if (!to) {
        return std::unexpected(to.error());
    }
    edit->what = ports::RenameSpeaker{std::string{request.capture("label")}, std::move(*to)};
    return answer(services, request, *edit, false);
}

Result<Response> list_revisions(const Services& services, const Request& request) {
    const auto page = page_of(request);
    if (!page) {
        return std::unexpected(page.error());
    }
    const auto found = result_of(services, request);
    if (!found) {
        return std::unexpected(found.error());
    }
    const auto revisions = services.store.revisions(found->task.id, *page);
    if (!revisions) {
        return std::unexpected(revisions.error());
    }
    json::array items;
    for (const ports::TranscriptRevision& revision : revisions->rows) {
        items.push_back(revision_shape(revision));
    }
    json::object body = page_shape(std::move(items), revisions->next_cursor);
    add_media_id(body, found->media.id, dialect_of(request));
    body["task_id"] = found->task.id.value;
    return json_response(200, std::move(body));
}

Result<Response> restore_revision(const Services& services, const Request& request) {
    auto edit = edit_of(services, request);
    if (!edit) {
        return std::unexpected(edit.error());
    }
    const auto revision = number_from<int>(request.capture("revision"));
    if (!revision) {
        return fail(ErrorClass::request, "not_found",
                    "There is no such revision: it is a whole number, which …/revisions tells.");
    }
    edit->what = ports::RestoreRevision{*revision};
    return answer(services, request, *edit, false);
}

}  // namespace durascribe::api
