#include "durascribe/api/handlers.h"
#include "durascribe/api/header_values.h"
#include "durascribe/api/names.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"

namespace durascribe::api {
namespace {

struct MediaAndTask {
    ports::MediaRow media;
    ports::TaskRow task;
};

Result<MediaAndTask> newest_task_of(const Services& services, const Request& request) {
    const auto id = media_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    auto media = services.store.media(*id);
    if (!media) {
        return std::unexpected(media.error());
    }
    auto task = services.store.newest_task(*id);
    if (!task) {
        return std::unexpected(task.error());
    }
    if (!*task) {
        return fail(ErrorClass::request, "no_transcript",
                    "This media was never transcribed. Start it with POST …/run_sync.");
    }
    return MediaAndTask{std::move(*media), std::move(**task)};
}

bool names_tag(const std::string* field, const std::string& tag) {
    return field != nullptr && (*field == "*" || field->contains(tag));
}

}  // namespace

Result<Response> get_segments(const Services& services, const Request& request) {
    const auto words = flag_parameter(request, "words");
    if (!words) {
        return std::unexpected(words.error());
    }
    const auto found = newest_task_of(services, request);
    if (!found) {
        return std::unexpected(found.error());
    }
    const auto segments = services.store.segments(found->task.id);
    if (!segments) {
        return std::unexpected(segments.error());
    }
    const auto gaps = services.store.gaps(found->task.id);
    if (!gaps) {
        return std::unexpected(gaps.error());
    }
    return json_response(200, segments_shape(found->media.id, found->task, *segments, *gaps,
                                             words->value_or(true), dialect_of(request)));
}

Result<Response> get_transcript(const Services& services, const Request& request) {
    const auto format = domain::document_format_from(request.capture("format"));
    if (!format) {
        return fail(ErrorClass::request, "not_found",
                    "There is no such format. Ask for transcript.srt, .vtt, .txt or .json.");
    }
    const auto found = newest_task_of(services, request);
    if (!found) {
        return std::unexpected(found.error());
    }
    auto text = services.engine.document(found->task.id, *format);
    if (!text) {
        return std::unexpected(text.error());
    }
    Response response;
    std::string type{domain::mime_type(*format)};
    if (!type.contains("charset") && type.starts_with("text/")) {
        type += "; charset=utf-8";
    }
    response.headers = {
        {"Content-Type", std::move(type)},
        {"Content-Disposition",
         content_disposition(Disposition::attachment,
                             download_name(found->media.title, domain::to_string(*format)))},
        {"Cache-Control", "no-store"},
        {"X-Transcript-Complete", is_complete(found->task.state) ? "true" : "false"},
        {"X-Transcript-Status", std::string{domain::to_string(found->task.state)}},
    };
    response.body = std::move(*text);
    return response;
}

Result<Response> get_source(const Services& services, const Request& request) {
    const auto id = media_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto media = services.store.media(*id);
    if (!media) {
        return std::unexpected(media.error());
    }
    if (media->source.empty()) {
        return fail(ErrorClass::request, "source_not_ready",
                    "The file has not been downloaded yet. Its status says how far it is.");
    }
    const std::string tag = "\"" + media->source.sha256 + "\"";
    Response response;
    response.headers = {
        {"Content-Type", std::string{media_mime_type(media->filename)}},
        {"Content-Disposition", content_disposition(Disposition::inline_, media->filename)},
        {"Accept-Ranges", "bytes"},
        {"ETag", tag},
        {"Cache-Control", "private, no-cache"},
        {"Content-Security-Policy", "default-src 'none'; sandbox"},
    };
    if (names_tag(request.header("if-none-match"), tag)) {
        response.status = 304;
        return response;
    }
    const std::int64_t size = media->source.size_bytes;
    FileBody file{{}, 0, size};
    const std::string* range = request.header("range");
    const std::string* if_range = request.header("if-range");
    if (range != nullptr && (if_range == nullptr || *if_range == tag)) {
        const auto asked = parse_range(*range, size);
        if (std::holds_alternative<Unsatisfiable>(asked)) {
            Response refused = problem_response(
                {ErrorClass::request,
                 "range_not_satisfiable",
                 "The range lies outside the file, which has " + std::to_string(size) + " bytes.",
                 {}},
                request.path);
            refused.headers.emplace_back("Content-Range", "bytes */" + std::to_string(size));
            return refused;
        }
        if (const auto* part = std::get_if<ByteRange>(&asked)) {
            file.offset = part->first;
            file.length = part->length;
            response.status = 206;
            response.headers.emplace_back("Content-Range",
                                          "bytes " + std::to_string(part->first) + "-" +
                                              std::to_string(part->first + part->length - 1) + "/" +
                                              std::to_string(size));
        }
    }
    auto fd = services.blobs.open(media->source);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    file.fd = std::move(*fd);
    response.file = std::move(file);
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
