#include "durascribe/api/openai_intake.h"

#include <optional>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/api/header_values.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/multipart.h"
#include "durascribe/api/names.h"
#include "durascribe/api/openai_errors.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/shapes.h"

namespace durascribe::api {
namespace {

// What a form may weigh beside its file.
constexpr std::int64_t kFormOverheadMax = 1 << 20;

Error too_large(std::int64_t limit_bytes) {
    return {ErrorClass::request,
            "body_too_large",
            fmt::format("The upload is larger than {} bytes, the limit of this server. Send a "
                        "smaller file, or raise the limit.",
                        limit_bytes),
            {}};
}

class OpenAiUpload final : public BodySink, private PartReceiver {
  public:
    OpenAiUpload(const std::string& boundary, OpenAiIntakeRules rules,
                 std::optional<ports::IdempotencyKey> key)
        : parser_(boundary, *this), rules_(std::move(rules)), key_(std::move(key)) {}

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
                        "The form has no part named \"file\". Send the recording in it.");
        }
        const auto request = form_.finished();
        if (!request) {
            return std::unexpected(request.error());
        }
        const auto options = rules_.options(*request);
        if (!options) {
            return std::unexpected(options.error());
        }
        if (key_) {
            // The key names the job: in which format its result comes is not part of it.
            key_->fingerprint += json_text(options_shape(*options));
        }
        const auto done =
            upload_->finish(filename_, title_from_filename(filename_), *options, key_, true);
        if (!done) {
            return std::unexpected(done.error());
        }
        return rules_.answer(*done, *request);
    }

  private:
    Result<void> part_begin(const PartHead& head) override {
        field_ = head.name;
        value_.clear();
        value_max_ = OpenAiForm::size_max(head.name);
        in_file_ = head.name == "file";
        if (!in_file_) {
            return {};
        }
        if (upload_) {
            return std::unexpected(bad_parameter(
                "file", "The form has more than one \"file\". Send one request for each."));
        }
        filename_ = clean_filename(head.filename.value_or(""));
        if (auto options = rules_.options(form_.so_far()); !options) {
            return std::unexpected(options.error());
        }
        auto upload = rules_.begin();
        if (!upload) {
            return std::unexpected(upload.error());
        }
        upload_ = std::move(*upload);
        return {};
    }

    Result<void> part_data(std::string_view bytes) override {
        if (in_file_) {
            return upload_->write(std::as_bytes(std::span{bytes.data(), bytes.size()}));
        }
        if (!value_max_) {
            return {};
        }
        value_.append(bytes);
        if (value_.size() > *value_max_) {
            return std::unexpected(bad_parameter(
                field_, fmt::format("{} is longer than {} bytes.", field_, *value_max_)));
        }
        return {};
    }

    Result<void> part_end() override {
        return value_max_ ? form_.set(field_, value_) : Result<void>{};
    }

    MultipartParser parser_;
    OpenAiIntakeRules rules_;
    std::optional<ports::IdempotencyKey> key_;
    OpenAiForm form_;
    std::int64_t received_bytes_ = 0;
    bool in_file_ = false;
    std::string field_;  // the part now read
    std::string value_;
    std::optional<std::size_t> value_max_;  // none: it is passed over
    std::string filename_;
    std::unique_ptr<engine::Upload> upload_;
};

}  // namespace

Result<std::unique_ptr<BodySink>> make_openai_sink(const Request& request,
                                                   OpenAiIntakeRules rules) {
    const std::string* type_field = request.header("content-type");
    const auto type = type_field != nullptr ? parse_parameterized(*type_field) : std::nullopt;
    const std::string* encoding = request.header("content-encoding");
    if (!type || type->value != "multipart/form-data" ||
        (encoding != nullptr && *encoding != "identity")) {
        return fail(ErrorClass::request, "unsupported_content_type",
                    "Send the recording as multipart/form-data with a part named \"file\", not "
                    "compressed.");
    }
    if (rules.limit_bytes > 0 &&
        request.content_length.value_or(0) > rules.limit_bytes + kFormOverheadMax) {
        return std::unexpected(too_large(rules.limit_bytes));
    }
    const auto boundary = multipart_boundary(*type_field);
    if (!boundary) {
        return std::unexpected(boundary.error());
    }
    auto key = idempotency_key_of(request);
    if (!key) {
        return std::unexpected(bad_parameter("Idempotency-Key", key.error().message));
    }
    return std::make_unique<OpenAiUpload>(*boundary, std::move(rules), std::move(*key));
}

}  // namespace durascribe::api
