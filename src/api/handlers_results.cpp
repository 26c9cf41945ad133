#include <array>
#include <limits>

#include "durascribe/api/handlers.h"
#include "durascribe/api/header_values.h"
#include "durascribe/api/names.h"
#include "durascribe/api/negotiation.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"

namespace durascribe::api {
namespace {

// `?original=true` is revision 0.
Result<std::optional<int>> revision_of(const Request& request) {
    const auto original = flag_parameter(request, "original");
    const auto revision = number_parameter(request, "revision", 0, std::numeric_limits<int>::max());
    if (!original || !revision) {
        return std::unexpected(original ? revision.error() : original.error());
    }
    if (original->value_or(false)) {
        if (revision->value_or(0) != 0) {
            return std::unexpected(bad_value("revision", "left out where original is true"));
        }
        return 0;
    }
    return *revision;
}

}  // namespace

Result<MediaAndTask> result_of(const Services& services, const Request& request) {
    const auto id = media_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    auto media = services.store.media(*id);
    if (!media) {
        return std::unexpected(media.error());
    }
    const auto chosen = id_parameter(request, "task_id");
    if (!chosen) {
        return std::unexpected(chosen.error());
    }
    if (*chosen) {
        auto task = services.store.task(TaskId{**chosen});
        if (!task) {
            return std::unexpected(task.error());
        }
        if (task->media_id != *id) {
            return std::unexpected(not_found("task of this media", **chosen));
        }
        return MediaAndTask{std::move(*media), std::move(*task)};
    }
    auto task = services.store.shown_task(*id);
    if (task && !*task) {
        task = services.store.newest_task(*id);
    }
    if (!task) {
        return std::unexpected(task.error());
    }
    if (!*task) {
        return std::unexpected(not_found("media", id->value));  // deleted between the two reads
    }
    return MediaAndTask{std::move(*media), std::move(**task)};
}

Result<Response> get_segments(const Services& services, const Request& request) {
    const auto words = flag_parameter(request, "words");
    if (!words) {
        return std::unexpected(words.error());
    }
    const auto found = result_of(services, request);
    if (!found) {
        return std::unexpected(found.error());
    }
    const auto revision = revision_of(request);
    if (!revision) {
        return std::unexpected(revision.error());
    }
    const auto text = services.store.transcript(found->task.id, *revision);
    if (!text) {
        return std::unexpected(text.error());
    }
    const auto gaps = services.store.gaps(found->task.id);
    if (!gaps) {
        return std::unexpected(gaps.error());
    }
    Response response =
        json_response(200, segments_shape(found->media.id, found->task, *text, *gaps,
                                          words->value_or(true), dialect_of(request)));
    if (domain::is_terminal(found->task.state)) {
        response.headers.emplace_back("ETag", transcript_tag(found->task.id, text->newest));
    }
    return response;
}

Result<Response> get_transcript(const Services& services, const Request& request) {
    const auto format = domain::document_format_from(request.capture("format"));
    if (!format) {
        return fail(ErrorClass::request, "not_found",
                    "There is no such format. Ask for transcript.srt, .vtt, .txt or .json.");
    }
    const std::string_view type = domain::mime_type(*format);
    const std::array gives{std::string{type.substr(0, type.find(';'))}};
    if (auto taken = check_accept(request, gives); !taken) {
        return std::unexpected(taken.error());
    }
    const auto found = result_of(services, request);
    if (!found) {
        return std::unexpected(found.error());
    }
    const auto revision = revision_of(request);
    if (!revision) {
        return std::unexpected(revision.error());
    }
    auto text = services.engine.document(found->task.id, *format, *revision);
    if (!text) {
        return std::unexpected(text.error());
    }
    Response response;
    response.headers = {
        {"Content-Type", std::string{type}},
        {"Content-Disposition",
         content_disposition(Disposition::attachment,
                             download_name(found->media.title, domain::to_string(*format)))},
        {"Cache-Control", "no-store"},
        {"X-Transcript-Complete", is_complete(found->task.state) ? "true" : "false"},
        {"X-Transcript-Status", std::string{domain::to_string(found->task.state)}},
        {"X-Transcript-Task", found->task.id.value},
    };
    response.body = std::move(*text);
    return response;
}

Result<Response> get_waveform(const Services& services, const Request& request) {
    const auto id = media_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    if (const auto media = services.store.media(*id); !media) {
        return std::unexpected(media.error());
    }
    const auto peaks = services.store.peaks(*id);
    if (!peaks) {
        return std::unexpected(peaks.error());
    }
    if (!*peaks) {
        return fail(ErrorClass::request, "waveform_not_ready",
                    "The waveform is not there yet: it comes when the audio has been loaded.");
    }
    return json_response(200, waveform_shape(*id, **peaks, dialect_of(request)));
}

}  // namespace durascribe::api
