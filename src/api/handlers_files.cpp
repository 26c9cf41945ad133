// What a media has as files: the upload, the decoded audio, the poster.
#include <array>
#include <cstring>

#include "durascribe/api/handlers.h"
#include "durascribe/api/header_values.h"
#include "durascribe/api/names.h"
#include "durascribe/api/negotiation.h"
#include "durascribe/api/problem.h"

namespace durascribe::api {
namespace {

constexpr std::size_t kWavHeaderBytes = 44;

// RIFF WAVE, PCM, 16 kHz, mono, 16 bit. What is longer than its 32 bits can say (37 hours) is said
// to be as long as they can, as is the custom for streams.
std::string wav_header(std::int64_t data_bytes) {
    constexpr std::uint32_t kRate = 16'000;
    constexpr std::int64_t kMost = 0xFFFFFFFF;
    std::string header;
    const auto number = [&header](std::int64_t value, int bytes) {
        for (int i = 0; i < bytes; ++i) {
            header += static_cast<char>((value >> (8 * i)) & 0xFF);
        }
    };
    header += "RIFF";
    number(std::min(data_bytes + static_cast<std::int64_t>(kWavHeaderBytes) - 8, kMost), 4);
    header += "WAVEfmt ";
    number(16, 4);
    number(1, 2);
    number(1, 2);
    number(kRate, 4);
    number(kRate * 2, 4);
    number(2, 2);
    number(16, 2);
    header += "data";
    number(std::min(data_bytes, kMost), 4);
    return header;
}

// Status, range and length of a body of `size` bytes that `tag` names, as the request asks for
// them; nullopt: the response is whole already (304, 416).
std::optional<ByteRange> choose_range(const Request& request, const std::string& tag,
                                      std::int64_t size, Response& response) {
    if (names_tag(request.header("if-none-match"), tag)) {
        response.status = 304;
        return std::nullopt;
    }
    const std::string* range = request.header("range");
    const std::string* if_range = request.header("if-range");
    // Of HEAD no range is defined, so that there is none in it (RFC 9110 §14.2).
    if (range == nullptr || request.method == Method::head ||
        (if_range != nullptr && *if_range != tag)) {
        return ByteRange{0, size};
    }
    const auto asked = parse_range(*range, size);
    if (std::holds_alternative<Unsatisfiable>(asked)) {
        response = problem_response(
            {ErrorClass::request,
             "range_not_satisfiable",
             "The range lies outside the file, which has " + std::to_string(size) + " bytes.",
             {}},
            request.path);
        response.headers.emplace_back("Content-Range", "bytes */" + std::to_string(size));
        return std::nullopt;
    }
    const auto* part = std::get_if<ByteRange>(&asked);
    if (part == nullptr) {
        return ByteRange{0, size};
    }
    response.status = 206;
    response.headers.emplace_back("Content-Range",
                                  "bytes " + std::to_string(part->first) + "-" +
                                      std::to_string(part->first + part->length - 1) + "/" +
                                      std::to_string(size));
    return *part;
}

Fields file_headers(std::string_view type, std::string disposition, const std::string& tag) {
    return {{"Content-Type", std::string{type}},
            {"Content-Disposition", std::move(disposition)},
            {"Accept-Ranges", "bytes"},
            {"ETag", tag},
            {"Cache-Control", "private, no-cache"},
            {"Content-Security-Policy", "default-src 'none'; sandbox"}};
}

}  // namespace

Result<Response> get_source(const Services& services, const Request& request) {
    const auto media = media_of(services, request);
    if (!media) {
        return std::unexpected(media.error());
    }
    if (media->source.empty()) {
        return fail(ErrorClass::request, "source_not_ready",
                    "The file has not been downloaded yet. Its status says how far it is.");
    }
    const std::string tag = "\"" + media->source.sha256 + "\"";
    Response response;
    response.headers =
        file_headers(media_mime_type(media->filename),
                     content_disposition(Disposition::inline_, media->filename), tag);
    const auto part = choose_range(request, tag, media->source.size_bytes, response);
    if (!part) {
        return response;
    }
    auto fd = services.blobs.open(media->source);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    response.file = FileBody{std::move(*fd), part->first, part->length};
    return response;
}

Result<Response> get_audio(const Services& services, const Request& request) {
    const auto media = media_of(services, request);
    if (!media) {
        return std::unexpected(media.error());
    }
    const auto audio = services.store.decoded_audio(media->id);
    if (!audio) {
        return std::unexpected(audio.error());
    }
    if (!*audio) {
        return fail(
            ErrorClass::request, "audio_not_kept",
            "The decoded audio is kept from when it was loaded until the task is completed. "
            "The file itself is at …/source.");
    }
    const std::string tag = "\"" + (*audio)->sha256 + "-wav\"";
    Response response;
    response.headers = file_headers(
        "audio/wav", content_disposition(Disposition::inline_, download_name(media->title, "wav")),
        tag);
    const std::string header = wav_header((*audio)->size_bytes);
    const auto before = static_cast<std::int64_t>(header.size());
    const auto part = choose_range(request, tag, before + (*audio)->size_bytes, response);
    if (!part) {
        return response;
    }
    auto fd = services.blobs.open(**audio);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    // The header is text, the samples are the file's: a part may have of both.
    const std::int64_t end = part->first + part->length;
    if (part->first < before) {
        response.body =
            header.substr(static_cast<std::size_t>(part->first),
                          static_cast<std::size_t>(std::min(end, before) - part->first));
    }
    const std::int64_t from = std::max(part->first, before);
    if (end > from) {
        response.file = FileBody{std::move(*fd), from - before, end - from};
    }
    return response;
}

Result<Response> get_poster(const Services& services, const Request& request) {
    const auto media = media_of(services, request);
    if (!media) {
        return std::unexpected(media.error());
    }
    auto poster = services.store.poster(media->id);
    if (!poster) {
        return std::unexpected(poster.error());
    }
    if (!*poster) {
        return fail(ErrorClass::request, "no_poster",
                    media->info
                        ? "This media has no picture."
                        : "The media has not been loaded yet; then its picture is there, if "
                          "it has one.");
    }
    if (auto taken = check_accept(request, std::array{(*poster)->mime_type}); !taken) {
        return std::unexpected(taken.error());
    }
    const bool jpeg = (*poster)->mime_type == "image/jpeg";
    const std::string tag = "\"" + media->id.value + "-" +
                            std::to_string(std::hash<std::string>{}((*poster)->bytes)) + "\"";
    Response response;
    response.headers =
        file_headers((*poster)->mime_type,
                     content_disposition(Disposition::inline_,
                                         download_name(media->title, jpeg ? "jpg" : "png")),
                     tag);
    const auto size = static_cast<std::int64_t>((*poster)->bytes.size());
    if (const auto part = choose_range(request, tag, size, response)) {
        response.body = (*poster)->bytes.substr(static_cast<std::size_t>(part->first),
                                                static_cast<std::size_t>(part->length));
    }
    return response;
}

}  // namespace durascribe::api
