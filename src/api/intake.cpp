#include "durascribe/api/intake.h"

#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "durascribe/api/header_values.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/multipart.h"
#include "durascribe/api/names.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"
#include "durascribe/net/web_address.h"

namespace durascribe::api {
namespace {

// What a form may weigh beside its file.
constexpr std::int64_t kFormOverheadMax = 1 << 20;
constexpr std::size_t kFormValueMax = 4 << 10;

Error too_large(std::int64_t limit_bytes) {
    return {ErrorClass::request,
            "body_too_large",
            fmt::format("The upload is larger than {} bytes, the limit of this server. Send a "
                        "smaller file, or raise the limit.",
                        limit_bytes),
            {}};
}

std::span<const std::byte> as_bytes(std::string_view text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}

Result<Response> submit(engine::Upload& upload, const std::string& filename,
                        const TaskFields& fields, const domain::TaskOptions& defaults,
                        std::optional<ports::IdempotencyKey> key, Dialect dialect) {
    const std::string title = fields.title().value_or(title_from_filename(filename));
    const domain::TaskOptions options = fields.over(defaults);
    if (key) {
        key->fingerprint +=
            fmt::format("{}\n{}\n{}\n", filename, title, json_text(options_shape(options)));
    }
    const auto done = upload.finish(filename, title, options, std::move(key));
    if (!done) {
        return std::unexpected(done.error());
    }
    Response response =
        json_response(201, created_shape(done->media, done->task, done->stored_before, dialect));
    response.headers.emplace_back("Location", media_path(done->media.id));
    if (done->replayed) {
        response.headers.emplace_back("Idempotency-Replayed", "true");
    }
    return response;
}

class RawUpload final : public BodySink {
  public:
    RawUpload(std::unique_ptr<engine::Upload> upload, std::string filename, TaskFields fields,
              const domain::TaskOptions& defaults, std::optional<ports::IdempotencyKey> key,
              Dialect dialect)
        : upload_(std::move(upload)),
          filename_(std::move(filename)),
          fields_(std::move(fields)),
          defaults_(defaults),
          key_(std::move(key)),
          dialect_(dialect) {}

    Result<void> write(std::string_view bytes) override { return upload_->write(as_bytes(bytes)); }
    Result<Response> finish() override {
        return submit(*upload_, filename_, fields_, defaults_, key_, dialect_);
    }

  private:
    std::unique_ptr<engine::Upload> upload_;
    std::string filename_;
    TaskFields fields_;
    domain::TaskOptions defaults_;
    std::optional<ports::IdempotencyKey> key_;
    Dialect dialect_;
};

class FormUpload final : public BodySink, private PartReceiver {
  public:
    FormUpload(const std::string& boundary, UploadRules rules, TaskFields fields,
               std::optional<ports::IdempotencyKey> key, Dialect dialect)
        : parser_(boundary, *this),
          rules_(std::move(rules)),
          fields_(std::move(fields)),
          key_(std::move(key)),
          dialect_(dialect) {}

    Result<void> write(std::string_view bytes) override {
        received_bytes_ += static_cast<std::int64_t>(bytes.size());
        // The engine limits the file itself; this bounds what a form may carry beside it.
        if (rules_.limit_bytes > 0 && received_bytes_ > rules_.limit_bytes + kFormOverheadMax) {
            return std::unexpected(too_large(rules_.limit_bytes));
        }
        return parser_.feed(bytes);
    }

    Result<Response> finish() override {
        if (auto ended = parser_.finish(); !ended) {
            return std::unexpected(ended.error());
        }
        if (!upload_) {
            return fail(ErrorClass::request, "no_file",
                        "The form has no part named \"file\". Send the media in it: curl -F "
                        "file=@talk.mp4 …");
        }
        return submit(*upload_, filename_, fields_, rules_.defaults, key_, dialect_);
    }

  private:
    Result<void> part_begin(const PartHead& head) override {
        in_file_ = head.name == "file";
        field_ = head.name;
        value_.clear();
        if (!in_file_) {
            if (!TaskFields::knows(head.name)) {
                return fail(
                    ErrorClass::request, "bad_value",
                    fmt::format("The form has a part \"{}\", which is not known. There are: "
                                "file, {}.",
                                is_valid_utf8(head.name) ? head.name : "(not UTF-8)",
                                TaskFields::names()));
            }
            return {};
        }
        if (upload_) {
            return fail(ErrorClass::request, "bad_value",
                        "The form has more than one \"file\". Send one upload for each.");
        }
        filename_ = clean_filename(head.filename.value_or(""));
        if (auto checked = rules_.check(fields_.over(rules_.defaults), key_); !checked) {
            return std::unexpected(checked.error());
        }
        auto upload = rules_.begin(0);
        if (!upload) {
            return std::unexpected(upload.error());
        }
        upload_ = std::move(*upload);
        return {};
    }

    Result<void> part_data(std::string_view bytes) override {
        if (in_file_) {
            return upload_->write(as_bytes(bytes));
        }
        value_.append(bytes);
        if (value_.size() > kFormValueMax) {
            return fail(ErrorClass::request, "bad_value",
                        fmt::format("{} is longer than {} bytes.", field_, kFormValueMax));
        }
        return {};
    }

    Result<void> part_end() override {
        return in_file_ ? Result<void>{} : fields_.set(field_, value_);
    }

    MultipartParser parser_;
    UploadRules rules_;
    TaskFields fields_;
    std::optional<ports::IdempotencyKey> key_;
    Dialect dialect_;
    std::int64_t received_bytes_ = 0;
    bool in_file_ = false;
    std::string field_;  // the part now read
    std::string value_;
    std::string filename_;
    std::unique_ptr<engine::Upload> upload_;
};

Result<std::string> raw_filename(const Request& request) {
    auto given = text_parameter(request, "filename");
    if (!given) {
        return std::unexpected(given.error());
    }
    if (*given) {
        return clean_filename(**given);
    }
    const std::string* field = request.header("content-disposition");
    const auto disposition = field != nullptr ? parse_parameterized(*field) : std::nullopt;
    const auto name = disposition ? filename_of(*disposition) : std::nullopt;
    return clean_filename(name.value_or(""));
}

// {"url": …, options}: nothing comes with it but words.
class ImportRequest final : public BodySink {
  public:
    ImportRequest(UploadRules rules, TaskFields fields, std::optional<ports::IdempotencyKey> key,
                  Dialect dialect)
        : rules_(std::move(rules)),
          fields_(std::move(fields)),
          key_(std::move(key)),
          dialect_(dialect) {}

    Result<void> write(std::string_view bytes) override {
        body_ += bytes;
        if (static_cast<std::int64_t>(body_.size()) > rules_.json_limit_bytes) {
            return std::unexpected(too_large(rules_.json_limit_bytes));
        }
        return {};
    }

    Result<Response> finish() override {
        const auto body = parse_json_object(body_);
        if (!body) {
            return std::unexpected(body.error());
        }
        auto import = import_of(*body, std::move(fields_), rules_.defaults);
        if (!import) {
            return std::unexpected(import.error());
        }
        if (key_) {
            key_->fingerprint += body_;
        }
        import->idempotency = std::move(key_);
        const auto made = rules_.import(*import);
        if (!made) {
            return std::unexpected(made.error());
        }
        Response response =
            json_response(201, created_shape(made->media, made->task, false, dialect_));
        response.headers.emplace_back("Location", media_path(made->media.id));
        if (made->replayed) {
            response.headers.emplace_back("Idempotency-Replayed", "true");
        }
        return response;
    }

  private:
    UploadRules rules_;
    TaskFields fields_;
    std::optional<ports::IdempotencyKey> key_;
    Dialect dialect_;
    std::string body_;
};

}  // namespace

Result<engine::Engine::NewImport> import_of(const json::object& item, TaskFields fields,
                                            const domain::TaskOptions& defaults) {
    std::string url;
    for (const auto& [key, value] : item) {
        const std::string name{key.data(), key.size()};
        if (name == "url") {
            const json::string* text = value.if_string();
            if (text == nullptr) {
                return std::unexpected(bad_value("url", "text: an http or https address"));
            }
            url.assign(text->data(), text->size());
            continue;
        }
        if (!TaskFields::knows(name)) {
            return fail(
                ErrorClass::request, "bad_value",
                fmt::format("The body has a field \"{}\", which is not known. There are: "
                            "url, {}.",
                            is_valid_utf8(name) ? name : "(not UTF-8)", TaskFields::names()));
        }
        if (auto set = fields.set_json(name, value); !set) {
            return std::unexpected(set.error());
        }
    }
    if (url.empty()) {
        return std::unexpected(bad_value("url", "there: the http or https address of a file"));
    }
    const auto address = net::WebAddress::parse(url);
    if (!address) {
        return std::unexpected(address.error());
    }
    const std::string filename = clean_filename(address->file_name());
    return engine::Engine::NewImport{.url = address->text,
                                     .filename = filename,
                                     .title = fields.title().value_or(""),
                                     .title_until_known = title_from_filename(filename),
                                     .options = fields.over(defaults)};
}

Result<std::unique_ptr<BodySink>> make_upload_sink(const Request& request, UploadRules rules) {
    const std::string* type_field = request.header("content-type");
    const auto type = type_field != nullptr ? parse_parameterized(*type_field) : std::nullopt;
    const std::string kind = type ? type->value : "application/octet-stream";
    const bool form = kind == "multipart/form-data";
    const std::string* encoding = request.header("content-encoding");
    if (encoding != nullptr && *encoding != "identity") {
        return fail(ErrorClass::request, "unsupported_content_type",
                    "Compressed bodies are not taken. Send the file as it is.");
    }
    if (kind == "application/x-www-form-urlencoded") {
        return fail(ErrorClass::request, "unsupported_content_type",
                    "This is the body of a plain form, which carries no file (curl -d). Send the "
                    "file with curl -F file=@talk.mp4, or as the body with curl --data-binary "
                    "@talk.mp4 -H 'Content-Type: video/mp4'.");
    }
    const bool json = kind == "application/json";
    if ((!form && kind.starts_with("multipart/")) || (json && !rules.import)) {
        return fail(ErrorClass::request, "unsupported_content_type",
                    "Send the media as multipart/form-data with a part named \"file\", or as the "
                    "body itself with ?filename=.");
    }
    const std::int64_t announced = request.content_length.value_or(0);
    if (json && announced > rules.json_limit_bytes) {
        return std::unexpected(too_large(rules.json_limit_bytes));
    }
    if (rules.limit_bytes > 0 && announced > rules.limit_bytes + (form ? kFormOverheadMax : 0)) {
        return std::unexpected(too_large(rules.limit_bytes));
    }
    auto key = idempotency_key_of(request);
    if (!key) {
        return std::unexpected(key.error());
    }
    TaskFields fields;
    if (auto set = fields.set_from_query(request); !set) {
        return std::unexpected(set.error());
    }
    if (json) {
        return std::make_unique<ImportRequest>(std::move(rules), std::move(fields), std::move(*key),
                                               dialect_of(request));
    }
    if (form) {
        const auto boundary = multipart_boundary(*type_field);
        if (!boundary) {
            return std::unexpected(boundary.error());
        }
        return std::make_unique<FormUpload>(*boundary, std::move(rules), std::move(fields),
                                            std::move(*key), dialect_of(request));
    }
    auto filename = raw_filename(request);
    if (!filename) {
        return std::unexpected(filename.error());
    }
    if (!request.has_body()) {
        return fail(ErrorClass::input, "empty_file",
                    "The upload is empty. Send the bytes of an audio or video file.");
    }
    if (auto checked = rules.check(fields.over(rules.defaults), *key); !checked) {
        return std::unexpected(checked.error());
    }
    auto upload = rules.begin(announced);
    if (!upload) {
        return std::unexpected(upload.error());
    }
    return std::make_unique<RawUpload>(std::move(*upload), std::move(*filename), std::move(fields),
                                       rules.defaults, std::move(*key), dialect_of(request));
}

}  // namespace durascribe::api
