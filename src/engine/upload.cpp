#include "durascribe/engine/upload.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "durascribe/base/failpoint.h"

namespace durascribe::engine {
namespace {

class StoredUpload final : public Upload {
  public:
    StoredUpload(ports::Store& store, BlobGuard& guard, std::unique_ptr<ports::PendingBlob> blob,
                 std::int64_t limit_bytes, const ports::Charge& charge, CheckRequest check)
        : store_(store),
          guard_(guard),
          blob_(std::move(blob)),
          limit_bytes_(limit_bytes),
          charge_(charge),
          check_(std::move(check)) {}
    ~StoredUpload() override { let_go(); }

    Result<void> write(std::span<const std::byte> bytes) override {
        if (limit_bytes_ > 0 &&
            blob_->size_bytes() + static_cast<std::int64_t>(bytes.size()) > limit_bytes_) {
            return std::unexpected(body_too_large(limit_bytes_));
        }
        return blob_->write(bytes);
    }

    std::int64_t size_bytes() const override {
        return blob_ ? blob_->size_bytes() : kept_.size_bytes;
    }

    Result<Submitted> finish(const std::string& filename, const std::string& title,
                             const domain::TaskOptions& options,
                             std::optional<ports::IdempotencyKey> idempotency, bool join,
                             std::optional<ports::WatchedFile> watched) override {
        if (size_bytes() == 0) {
            return std::unexpected(empty(filename));
        }
        if (auto checked = check_(options, idempotency); !checked) {
            return std::unexpected(checked.error());
        }
        auto blob = keep();
        if (!blob) {
            return std::unexpected(blob.error());
        }
        if (idempotency) {
            idempotency->fingerprint += blob->sha256;
        }
        join = join && !idempotency;
        const ports::NewMedia media{.id = new_id<MediaId>(),
                                    .task_id = new_id<TaskId>(),
                                    .title = title.empty() ? filename : title,
                                    .filename = filename,
                                    .source = *blob,
                                    .options = options,
                                    .idempotency = std::move(idempotency),
                                    .watched = std::move(watched),
                                    .join = join,
                                    .charge = charge_};
        auto made = store_.submit(media);
        if (!made) {
            if (made.error().code == "in_doubt") {
                leave_in_doubt();
            }
            let_go();
            return std::unexpected(made.error());
        }
        DURASCRIBE_FAILPOINT("upload.recorded");
        if (!made->replayed) {
            kept_ = {};  // named
        }
        let_go();  // replayed: what it made may be gone by now, and these bytes with it
        return Submitted{.media = std::move(made->media),
                         .task = std::move(made->task),
                         .stored_before = made->source_known,
                         .replayed = made->replayed};
    }

    Result<ports::BlobRef> keep() override {
        if (!kept_.empty()) {
            return kept_;
        }
        if (blob_->size_bytes() == 0) {
            return std::unexpected(empty({}));
        }
        const auto address = blob_->address();
        if (!address) {
            return std::unexpected(address.error());
        }
        kept_ = *address;
        hold_ = guard_.hold(kept_);
        auto blob = blob_->commit();
        if (!blob) {
            let_go();
            return blob;
        }
        DURASCRIBE_FAILPOINT("upload.blob_stored");
        blob_.reset();  // and its descriptor: many may be kept at once
        return blob;
    }

    void leave_in_doubt() override { kept_ = {}; }

  private:
    static Error empty(const std::string& filename) {
        return {ErrorClass::input,
                "empty_file",
                fmt::format("{} is empty: there is nothing to transcribe.",
                            filename.empty() ? "The file" : filename),
                {}};
    }

    // Whoever was to name it has, or never will.
    void let_go() {
        hold_.release();
        guard_.collect(std::array{std::exchange(kept_, {})});
    }

    ports::Store& store_;
    BlobGuard& guard_;
    std::unique_ptr<ports::PendingBlob> blob_;
    ports::BlobRef kept_;  // empty: not kept, or let go
    BlobGuard::Hold hold_;
    std::int64_t limit_bytes_;
    const ports::Charge charge_;
    CheckRequest check_;
};

}  // namespace

Error body_too_large(std::int64_t limit_bytes) {
    return {ErrorClass::request, "body_too_large",
            fmt::format("The file is larger than this server takes ({} bytes). Raise upload_limit, "
                        "or cut the file.",
                        limit_bytes),
            ""};
}

Result<std::unique_ptr<Upload>> begin_upload(ports::Store& store, ports::BlobStore& blobs,
                                             BlobGuard& guard, std::int64_t expected_bytes,
                                             std::int64_t limit_bytes, const ports::Charge& charge,
                                             CheckRequest check) {
    if (limit_bytes > 0 && expected_bytes > limit_bytes) {
        return std::unexpected(body_too_large(limit_bytes));
    }
    auto blob = blobs.create(expected_bytes);
    if (!blob) {
        return std::unexpected(blob.error());
    }
    return std::make_unique<StoredUpload>(store, guard, std::move(*blob), limit_bytes, charge,
                                          std::move(check));
}

}  // namespace durascribe::engine
