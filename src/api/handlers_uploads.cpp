// Uploads in pieces: tus 1.0.0 over engine/resumable_uploads.h. What the header fields mean: tus.h.
#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/api/handlers.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/names.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"
#include "durascribe/api/tus.h"
#include "durascribe/base/log.h"
#include "durascribe/engine/resumable_uploads.h"

namespace durascribe::api {
namespace {

namespace json = boost::json;

std::string upload_path(const UploadId& id) {
    return fmt::format("{}/{}", kUploadsPath, id.value);
}

WallTime expiry(const Services& services, const ports::UploadRow& row) {
    return row.updated_at + services.settings.upload_retention;
}

// What an answer about an upload tells of it.
void add_fields(const Services& services, const ports::UploadRow& row, Response& response) {
    response.headers.emplace_back("Tus-Resumable", kTusVersion);
    response.headers.emplace_back("Cache-Control", "no-store");
    response.headers.emplace_back("Upload-Offset", std::to_string(row.offset));
    if (row.finished) {
        response.headers.emplace_back("X-Durascribe-Media-Id", row.media_id.value);
        response.headers.emplace_back("X-Durascribe-Task-Id", row.task_id.value);
    } else {
        response.headers.emplace_back("Upload-Expires", http_date(expiry(services, row)));
    }
}

Response created(const Services& services, const ports::UploadRow& row) {
    Response response;
    response.status = 201;
    response.headers.emplace_back("Location", upload_path(row.id));
    add_fields(services, row, response);
    return response;
}

engine::PieceRequest piece_of(const Services& services, const Request& request, bool checked) {
    engine::PieceRequest piece;
    piece.checked = checked;
    piece.limit_bytes = services.settings.upload_limit_bytes;
    piece.storage_max = request.who.charge.storage_max;
    if (!request.chunked) {
        piece.content_bytes = request.content_length.value_or(0);
    }
    return piece;
}

// A piece with its checksum, where it has one.
class PieceBody {
  public:
    PieceBody(std::unique_ptr<engine::UploadPiece> piece, std::unique_ptr<Checksum> checksum)
        : piece_(std::move(piece)), checksum_(std::move(checksum)) {}

    Result<void> write(std::string_view bytes) {
        if (checksum_) {
            checksum_->add(bytes);
        }
        return piece_->write(std::as_bytes(std::span{bytes.data(), bytes.size()}));
    }

    Result<ports::UploadRow> finish() {
        if (checksum_ && !checksum_->matches()) {
            piece_.reset();
            return fail(ErrorClass::request, "checksum_mismatch",
                        "The bytes that came are not those of the checksum; none of them was kept. "
                        "Send the piece again.");
        }
        return piece_->finish();
    }

  private:
    std::unique_ptr<engine::UploadPiece> piece_;
    std::unique_ptr<Checksum> checksum_;
};

class PatchBody final : public BodySink {
  public:
    PatchBody(const Services& services, PieceBody piece)
        : services_(services), piece_(std::move(piece)) {}

    Result<void> write(std::string_view bytes) override { return piece_.write(bytes); }
    Result<Response> finish() override {
        const auto row = piece_.finish();
        if (!row) {
            return std::unexpected(row.error());
        }
        Response response;
        response.status = 204;
        add_fields(services_, *row, response);
        return response;
    }

  private:
    const Services& services_;
    PieceBody piece_;
};

// A new upload, perhaps with its first piece. Where that fails, the upload goes: the client never
// heard its name. One with an Idempotency-Key stays: asked again, the client hears it then.
class CreationBody final : public BodySink {
  public:
    CreationBody(const Services& services, ports::UploadRow row, std::optional<PieceBody> piece,
                 bool replayed, bool keyed)
        : services_(services),
          row_(std::move(row)),
          piece_(std::move(piece)),
          replayed_(replayed),
          stays_(replayed || keyed) {}

    ~CreationBody() override {
        piece_.reset();
        if (!stays_) {
            if (const auto gone = services_.engine.uploads().remove(row_.id); !gone) {
                log::warning("upload {}: {}", row_.id.value, gone.error().message);
            }
        }
    }

    // Of one that had been created before (Idempotency-Key), the bytes are not taken again.
    Result<void> write(std::string_view bytes) override {
        return piece_ ? piece_->write(bytes) : Result<void>{};
    }

    Result<Response> finish() override {
        if (piece_) {
            auto row = piece_->finish();
            if (!row) {
                return std::unexpected(row.error());
            }
            row_ = std::move(*row);
        }
        Response response = created(services_, row_);
        stays_ = true;
        if (replayed_) {
            response.headers.emplace_back("Idempotency-Replayed", "true");
        }
        return response;
    }

  private:
    const Services& services_;
    ports::UploadRow row_;
    std::optional<PieceBody> piece_;
    const bool replayed_;
    bool stays_;
};

class RemovalBody final : public BodySink {
  public:
    RemovalBody(const Services& services, const Request& request)
        : services_(services), request_(request) {}
    Result<void> write(std::string_view) override { return {}; }
    Result<Response> finish() override { return remove_upload(services_, request_); }

  private:
    const Services& services_;
    const Request request_;
};

Result<ports::NewUpload> new_upload_of(const Services& services, const Request& request) {
    const auto length = announced_length(request);
    if (!length) {
        return std::unexpected(length.error());
    }
    const std::int64_t limit = services.settings.upload_limit_bytes;
    if (limit > 0 && length->value_or(0) > limit) {
        return fail(ErrorClass::request, "body_too_large",
                    fmt::format("The upload is larger than {} bytes, the limit of this server. "
                                "Send a smaller file, or raise the limit.",
                                limit));
    }
    auto metadata = parse_metadata(request);
    if (!metadata) {
        return std::unexpected(metadata.error());
    }
    auto key = idempotency_key_of(request);
    if (!key) {
        return std::unexpected(key.error());
    }
    if (*key) {
        (*key)->fingerprint += fmt::format("{}\n{}\n", length->value_or(-1), metadata->raw);
    }
    ports::NewUpload upload{
        .id = new_id<UploadId>(),
        .media_id = new_id<MediaId>(),
        .task_id = new_id<TaskId>(),
        .length = *length,
        .filename = metadata->filename,
        .title = metadata->fields.title().value_or(title_from_filename(metadata->filename)),
        .options = metadata->fields.over(services.settings.task_defaults),
        .metadata = metadata->raw,
        .idempotency = std::move(*key),
        .charge = request.who.charge};
    if (auto checked = services.engine.check_request(upload.options, upload.idempotency);
        !checked) {
        return std::unexpected(checked.error());
    }
    return upload;
}

}  // namespace

Result<std::unique_ptr<BodySink>> create_upload(const Services& services, const Request& request) {
    if (auto version = check_tus_version(request); !version) {
        return std::unexpected(version.error());
    }
    if (request.has_body()) {
        if (auto type = check_piece_type(request); !type) {
            return std::unexpected(type.error());
        }
    }
    auto checksum = Checksum::of(request);
    if (!checksum) {
        return std::unexpected(checksum.error());
    }
    const auto upload = new_upload_of(services, request);
    if (!upload) {
        return std::unexpected(upload.error());
    }
    auto row = services.engine.uploads().create(*upload);
    if (!row) {
        return std::unexpected(row.error());
    }
    const bool replayed = row->id != upload->id;
    const bool keyed = upload->idempotency.has_value();
    const UploadId id = row->id;
    if (!request.has_body() || replayed) {
        return std::make_unique<CreationBody>(services, std::move(*row), std::nullopt, replayed,
                                              keyed);
    }
    auto piece =
        services.engine.uploads().append(id, piece_of(services, request, *checksum != nullptr));
    auto body = std::make_unique<CreationBody>(
        services, std::move(*row),
        piece ? std::optional<PieceBody>(std::in_place, std::move(*piece), std::move(*checksum))
              : std::nullopt,
        false, keyed);
    if (!piece) {
        return std::unexpected(piece.error());
    }
    return body;
}

Result<std::unique_ptr<BodySink>> append_upload(const Services& services, const Request& request) {
    if (auto version = check_tus_version(request); !version) {
        return std::unexpected(version.error());
    }
    if (auto type = check_piece_type(request); !type) {
        return std::unexpected(type.error());
    }
    const auto id = upload_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto offset = bytes_field(request, "Upload-Offset");
    if (!offset || !*offset) {
        return std::unexpected(offset ? bad_value("Upload-Offset", "there, as HEAD told it")
                                      : offset.error());
    }
    const auto length = bytes_field(request, "Upload-Length");
    if (!length) {
        return std::unexpected(length.error());
    }
    auto checksum = Checksum::of(request);
    if (!checksum) {
        return std::unexpected(checksum.error());
    }
    auto asked = piece_of(services, request, *checksum != nullptr);
    asked.offset = **offset;
    asked.length = *length;
    auto piece = services.engine.uploads().append(*id, asked);
    if (!piece) {
        return std::unexpected(piece.error());
    }
    return std::make_unique<PatchBody>(services,
                                       PieceBody(std::move(*piece), std::move(*checksum)));
}

// For clients that can't send PATCH or DELETE.
Result<std::unique_ptr<BodySink>> overridden_upload(const Services& services,
                                                    const Request& request) {
    const std::string* method = request.header("x-http-method-override");
    if (method != nullptr && *method == "PATCH") {
        return append_upload(services, request);
    }
    if (method != nullptr && *method == "DELETE") {
        return std::make_unique<RemovalBody>(services, request);
    }
    return std::unexpected(bad_value("X-HTTP-Method-Override", "PATCH or DELETE"));
}

Result<Response> get_upload(const Services& services, const Request& request) {
    // A person with a browser may look as well.
    if (request.method == Method::head) {
        if (auto version = check_tus_version(request); !version) {
            return std::unexpected(version.error());
        }
    }
    const auto id = upload_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto row = services.engine.uploads().status(*id);
    if (!row) {
        return std::unexpected(row.error());
    }
    const auto or_null = [](bool there, const std::string& text) {
        return there ? json::value(text) : json::value(nullptr);
    };
    Response response = json_response(
        200, {{"id", row->id.value},
              {"offset", row->offset},
              {"length", row->length ? json::value(*row->length) : json::value(nullptr)},
              {"filename", row->filename},
              {"title", row->title},
              {"finished", row->finished},
              {"media_id", or_null(row->finished, row->media_id.value)},
              {"task_id", or_null(row->finished, row->task_id.value)},
              {"created_at", to_rfc3339(row->created_at)},
              {"expires_at", or_null(!row->finished, to_rfc3339(expiry(services, *row)))}});
    std::erase_if(response.headers, [](const auto& h) { return h.first == "Cache-Control"; });
    add_fields(services, *row, response);
    if (row->length) {
        response.headers.emplace_back("Upload-Length", std::to_string(*row->length));
    } else {
        response.headers.emplace_back("Upload-Defer-Length", "1");
    }
    if (!row->metadata.empty()) {
        response.headers.emplace_back("Upload-Metadata", row->metadata);
    }
    return response;
}

Result<Response> remove_upload(const Services& services, const Request& request) {
    if (auto version = check_tus_version(request); !version) {
        return std::unexpected(version.error());
    }
    const auto id = upload_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    if (const auto removed = services.engine.uploads().remove(*id); !removed) {
        return std::unexpected(removed.error());
    }
    Response response;
    response.status = 204;
    response.headers.emplace_back("Tus-Resumable", kTusVersion);
    return response;
}

Result<Response> get_upload_options(const Services& services, const Request& request) {
    Response response;
    response.status = 204;
    response.headers = {
        {"Allow", request.capture("id").empty() ? "POST, OPTIONS"
                                                : "GET, HEAD, PATCH, POST, DELETE, OPTIONS"},
        {"Tus-Resumable", std::string{kTusVersion}},
        {"Tus-Version", std::string{kTusVersion}},
        {"Tus-Extension", std::string{kTusExtensions}},
        {"Tus-Checksum-Algorithm", std::string{kTusChecksums}}};
    if (services.settings.upload_limit_bytes > 0) {
        response.headers.emplace_back("Tus-Max-Size",
                                      std::to_string(services.settings.upload_limit_bytes));
    }
    return response;
}

}  // namespace durascribe::api
