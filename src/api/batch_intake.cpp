#include "durascribe/api/batch_intake.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "durascribe/api/header_values.h"
#include "durascribe/api/intake.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/multipart.h"
#include "durascribe/api/names.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"

namespace durascribe::api {
namespace {

using engine::Engine;

constexpr std::array<std::string_view, 3> kItemKinds{"url", "media_id", "upload_id"};
// What one part of a form may weigh that is no file, and all of them together.
constexpr std::size_t kFormValueMax = 8 << 10;
constexpr std::size_t kFormWordsMax = 4 << 20;
constexpr int kFormPartsMax = static_cast<int>(ports::kBatchItemsMax) + 16;

bool names_item(std::string_view key) {
    return std::ranges::find(kItemKinds, key) != kItemKinds.end();
}

// ---- items ----

Result<TaskFields> fields_of(const json::object& options) {
    TaskFields fields;
    for (const auto& [key, value] : options) {
        const std::string name{key.data(), key.size()};
        if (name == "title" || !TaskFields::knows(name)) {
            return std::unexpected(
                unknown_field(name, "of the options",
                              "language, engine, model, audio_track, diarize and priority"));
        }
        if (auto set = fields.set_json(name, value); !set) {
            return std::unexpected(set.error());
        }
    }
    return fields;
}

Result<std::string> id_of(const json::object& item, std::string_view key) {
    const json::string* text = item.at({key.data(), key.size()}).if_string();
    auto id = text != nullptr ? id_from({text->data(), text->size()}) : std::nullopt;
    return id ? Result<std::string>(std::move(*id)) : std::unexpected(bad_value(key, "a UUID"));
}

// {"media_id": …, options}: what is not given is as it was.
Result<Engine::NewBatch::Again> again_of(const Services& services, json::object item,
                                         const TaskFields& common) {
    const auto id = id_of(item, "media_id");
    if (!id) {
        return std::unexpected(id.error());
    }
    const MediaId media{*id};
    item.erase("media_id");
    const auto own = fields_of(item);
    if (!own) {
        return std::unexpected(own.error());
    }
    const auto before = services.store.newest_task(media);
    if (!before) {
        return std::unexpected(before.error());
    }
    const auto& defaults = *before ? (*before)->options : services.settings.task_defaults;
    return Engine::NewBatch::Again{media, own->over(common.over(defaults))};
}

// {"upload_id": …}: with what was chosen when it was created.
Result<ports::FromUpload> upload_of(const json::object& item) {
    const auto id = id_of(item, "upload_id");
    if (!id) {
        return std::unexpected(id.error());
    }
    if (item.size() > 1) {
        return std::unexpected(
            bad_value("upload_id", "alone: an upload has the options it was created with"));
    }
    return ports::FromUpload{UploadId{*id}};
}

Result<void> add_item(const Services& services, const json::value& value, const TaskFields& common,
                      Engine::NewBatch& batch) {
    const json::object* item = value.if_object();
    const auto named = [item](std::string_view key) {
        return item != nullptr && item->contains({key.data(), key.size()});
    };
    if (std::ranges::count_if(kItemKinds, named) != 1) {
        return std::unexpected(bad_value(
            "an item", "an object with one of url, media_id and upload_id, and its options"));
    }
    if (item->contains("upload_id")) {
        auto upload = upload_of(*item);
        if (!upload) {
            return std::unexpected(upload.error());
        }
        batch.items.emplace_back(std::move(*upload));
        return {};
    }
    if (item->contains("media_id")) {
        auto again = again_of(services, *item, common);
        if (!again) {
            return std::unexpected(again.error());
        }
        for (std::size_t i = 0; i < batch.items.size(); ++i) {
            const auto* before = std::get_if<Engine::NewBatch::Again>(&batch.items[i]);
            if (before != nullptr && before->media == again->media) {
                return std::unexpected(bad_value(
                    "media_id", fmt::format("another than that of items[{}]: a media has one task "
                                            "at a time",
                                            i)));
            }
        }
        batch.items.emplace_back(std::move(*again));
        return {};
    }
    auto import = import_of(*item, common, services.settings.task_defaults);
    if (!import) {
        return std::unexpected(import.error());
    }
    batch.items.emplace_back(std::move(*import));
    return {};
}

Result<Engine::NewBatch> batch_of(const Services& services, const json::object& body) {
    Engine::NewBatch batch;
    TaskFields common;
    const json::array* items = nullptr;
    for (const auto& [key, value] : body) {
        if (key != "title" && key != "options" && key != "items") {
            return std::unexpected(
                unknown_field({key.data(), key.size()}, "of a batch", "items, title and options"));
        }
        if (key == "title" && value.is_string()) {
            auto title = checked_title({value.get_string().data(), value.get_string().size()});
            if (!title) {
                return std::unexpected(title.error());
            }
            batch.title = std::move(*title);
        } else if (key == "options" && value.is_object()) {
            auto fields = fields_of(value.get_object());
            if (!fields) {
                return std::unexpected(fields.error());
            }
            common = std::move(*fields);
        } else if (key == "items" && value.is_array()) {
            items = &value.get_array();
        } else {
            return std::unexpected(
                bad_value("The body",
                          "{\"items\": […]}, with \"title\" (text) and \"options\" (an object) "
                          "where wanted"));
        }
    }
    if (items == nullptr || items->empty() || items->size() > ports::kBatchItemsMax) {
        return std::unexpected(
            bad_value("items", fmt::format("a list of 1 to {} items", ports::kBatchItemsMax)));
    }
    for (const json::value& item : *items) {
        if (auto added = add_item(services, item, common, batch); !added) {
            return std::unexpected(ports::in_batch_item(added.error(), batch.items.size()));
        }
    }
    return batch;
}

// ---- bodies ----

// Both kinds end the same way.
class NewBatchSink : public BodySink {
  public:
    NewBatchSink(const Services& services, const Request& request,
                 std::optional<ports::IdempotencyKey> key,
                 std::function<Response(const ports::BatchRow&)> answer)
        : services_(services),
          charge_(request.who.charge),
          key_(std::move(key)),
          answer_(std::move(answer)) {}

  protected:
    // `asked`: what was asked for, beside the files.
    Result<Response> submit(Engine::NewBatch batch, std::string_view asked) {
        if (key_) {
            key_->fingerprint += asked;
        }
        batch.idempotency = std::move(key_);
        batch.charge = charge_;
        const auto made = services_.engine.submit_batch(batch);
        if (!made) {
            return std::unexpected(made.error());
        }
        return answer_(*made);
    }

    const Services& services_;
    const ports::Charge charge_;
    std::optional<ports::IdempotencyKey> key_;

  private:
    const std::function<Response(const ports::BatchRow&)> answer_;
};

Result<void> check_length(const Services& services, std::int64_t bytes) {
    const std::int64_t most = services.settings.json_limit_bytes;
    if (bytes > most) {
        return fail(ErrorClass::request, "body_too_large",
                    fmt::format("The list is longer than {} bytes. Send it in parts.", most));
    }
    return {};
}

class BatchList final : public NewBatchSink {
  public:
    using NewBatchSink::NewBatchSink;

    Result<void> write(std::string_view bytes) override {
        body_ += bytes;
        return check_length(services_, static_cast<std::int64_t>(body_.size()));
    }

    Result<Response> finish() override {
        const auto body = parse_json_object(body_);
        if (!body) {
            return std::unexpected(body.error());
        }
        auto batch = batch_of(services_, *body);
        if (!batch) {
            return std::unexpected(batch.error());
        }
        return submit(std::move(*batch), body_);
    }

  private:
    std::string body_;
};

// Parts "file", "url", "media_id" and "upload_id", each any number of times, are the items in their
// order; the options are for all of them, wherever they stand, and "title" is the batch's.
class BatchForm final : public NewBatchSink, private PartReceiver {
  public:
    BatchForm(const std::string& boundary, const Services& services, const Request& request,
              std::optional<ports::IdempotencyKey> key,
              std::function<Response(const ports::BatchRow&)> answer)
        : NewBatchSink(services, request, std::move(key), std::move(answer)),
          parser_(boundary, *this, kFormPartsMax) {}

    Result<void> write(std::string_view bytes) override { return parser_.feed(bytes); }

    Result<Response> finish() override {
        if (auto ended = parser_.finish(); !ended) {
            return std::unexpected(ended.error());
        }
        if (items_.empty()) {
            return fail(
                ErrorClass::request, "no_file",
                "The form has no item. Send the media in parts named \"file\", addresses in "
                "parts named \"url\": curl -F file=@one.mp4 -F file=@two.mp4 …");
        }
        // The batch's, and not that of each of its items.
        Engine::NewBatch batch{.title = fields_.take_title().value_or("")};
        const domain::TaskOptions options = fields_.over(services_.settings.task_defaults);
        std::string asked = fmt::format("{}\n{}", batch.title, json_text(options_shape(options)));
        for (Item& item : items_) {
            const std::size_t position = batch.items.size();
            asked += fmt::format("{} {}\n", item.kind, item.value);
            if (item.upload) {
                batch.items.emplace_back(
                    Engine::NewBatch::File{.upload = std::move(item.upload),
                                           .filename = item.value,
                                           .title = title_from_filename(item.value),
                                           .options = options});
                continue;
            }
            const json::object words{{item.kind, item.value}};
            if (auto added = add_item(services_, words, fields_, batch); !added) {
                return std::unexpected(ports::in_batch_item(added.error(), position));
            }
        }
        return submit(std::move(batch), asked);
    }

  private:
    struct Item {
        std::string kind;
        std::string value;                       // of a file, its name
        std::unique_ptr<engine::Upload> upload;  // of a file
    };

    Result<void> part_begin(const PartHead& head) override {
        field_ = head.name;
        value_.clear();
        const bool item = field_ == "file" || names_item(field_);
        if (!item && !TaskFields::knows(field_)) {
            return fail(
                ErrorClass::request, "bad_value",
                fmt::format("The form has a part \"{}\", which is not known. There are: "
                            "file, url, media_id, upload_id, {}.",
                            is_valid_utf8(field_) ? field_ : "(not UTF-8)", TaskFields::names()));
        }
        if (!item) {
            return {};
        }
        if (items_.size() == ports::kBatchItemsMax) {
            return std::unexpected(bad_value(
                "The form", fmt::format("one with at most {} items", ports::kBatchItemsMax)));
        }
        Item& added = items_.emplace_back(Item{.kind = field_, .value = {}, .upload = {}});
        if (field_ != "file") {
            return {};
        }
        added.value = clean_filename(head.filename.value_or(""));
        auto upload =
            services_.engine.begin_upload(0, services_.settings.upload_limit_bytes, charge_);
        if (!upload) {
            return std::unexpected(upload.error());
        }
        added.upload = std::move(*upload);
        return {};
    }

    Result<void> part_data(std::string_view bytes) override {
        if (field_ == "file") {
            return named(items_.back().upload->write(std::as_bytes(std::span(bytes))));
        }
        value_ += bytes;
        words_ += bytes.size();
        if (value_.size() > kFormValueMax || words_ > kFormWordsMax) {
            return fail(ErrorClass::request, "bad_value",
                        fmt::format("{} is longer than {} bytes.", field_,
                                    value_.size() > kFormValueMax ? kFormValueMax : kFormWordsMax));
        }
        return {};
    }

    Result<void> part_end() override {
        if (field_ == "file") {
            if (auto kept = items_.back().upload->keep(); !kept) {
                return named(std::unexpected(kept.error()));
            }
            return {};
        }
        if (names_item(field_)) {
            items_.back().value = value_;
            return {};
        }
        return fields_.set(field_, value_);
    }

    Result<void> named(Result<void> done) const {
        return done ? done : std::unexpected(ports::in_batch_item(done.error(), items_.size() - 1));
    }

    MultipartParser parser_;
    TaskFields fields_;
    std::vector<Item> items_;
    std::string field_;  // the part now read
    std::string value_;
    std::size_t words_ = 0;  // of all parts that are no files
};

}  // namespace

Result<std::unique_ptr<BodySink>> make_batch_sink(
    const Services& services, const Request& request,
    std::function<Response(const ports::BatchRow&)> answer) {
    const std::string* field = request.header("content-type");
    const auto type = field != nullptr ? parse_parameterized(*field) : std::nullopt;
    const bool form = type && type->value == "multipart/form-data";
    if (!form && (!type || !is_json_type(type->value))) {
        return fail(ErrorClass::request, "unsupported_content_type",
                    "Send the items as JSON, with Content-Type: application/json, or as "
                    "multipart/form-data with parts named \"file\".");
    }
    auto key = idempotency_key_of(request);
    if (!key) {
        return std::unexpected(key.error());
    }
    if (!form) {
        if (auto fits = check_length(services, request.content_length.value_or(0)); !fits) {
            return std::unexpected(fits.error());
        }
        return std::make_unique<BatchList>(services, request, std::move(*key), std::move(answer));
    }
    const auto boundary = multipart_boundary(*field);
    if (!boundary) {
        return std::unexpected(boundary.error());
    }
    // Said before the bytes come, where it can be, as with one file.
    if (!*key) {
        const auto allowed =
            services.store.check_charge(request.who.charge, request.content_length.value_or(0));
        if (!allowed) {
            return std::unexpected(allowed.error());
        }
    }
    return std::make_unique<BatchForm>(*boundary, services, request, std::move(*key),
                                       std::move(answer));
}

}  // namespace durascribe::api
