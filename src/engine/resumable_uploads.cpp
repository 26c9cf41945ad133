#include "durascribe/engine/resumable_uploads.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/log.h"
#include "durascribe/engine/upload.h"

namespace durascribe::engine {
namespace {

// What a kill in the middle of a piece costs at most.
constexpr std::int64_t kSyncEvery = 16LL << 20;
// Kept open with their hash while no piece comes; of others the file is read back at the end.
constexpr std::size_t kOpenMax = 256;
constexpr std::chrono::milliseconds kLockPatience{1'000};

Error locked() {
    return {ErrorClass::request,
            "upload_locked",
            "The last piece of this upload is just being stored. Ask again in a moment.",
            {}};
}

Error wrong_offset(std::int64_t at) {
    return {
        ErrorClass::request, "upload_offset",
        fmt::format("The upload is at offset {}. Ask for it with HEAD, and go on from there.", at),
        std::to_string(at)};
}

Error past_its_length(std::int64_t length) {
    return {ErrorClass::request,
            "body_too_large",
            fmt::format("The piece goes past the end of the upload, whose length was said to be {} "
                        "bytes.",
                        length),
            {}};
}

}  // namespace

// An upload in use. All but the mutex is guarded by it.
struct ResumableUploads::Open {
    explicit Open(UploadId upload) : id(std::move(upload)) {}

    const UploadId id;
    std::timed_mutex mutex;
    ports::UploadRow row;                      // as in the store, once loaded
    bool loaded = false;                       // false: the store and the file say where it is
    bool gone = false;                         // removed meanwhile
    std::unique_ptr<ports::PartialBlob> file;  // while it is not whole
    const void* writer = nullptr;              // the piece that may write
    bool checked = false;                      // … and what it writes does not count yet
    std::int64_t storage_max = 0;              // of the last piece's request

    std::int64_t size() const { return file ? file->size_bytes() : row.offset; }
    // Something failed between the file and the store: both are asked anew.
    void doubt() {
        file.reset();
        writer = nullptr;
        loaded = checked = false;
    }
};

// An Open with its lock.
class ResumableUploads::Use {
  public:
    Use(std::shared_ptr<Open> open, std::unique_lock<std::timed_mutex> lock)
        : open_(std::move(open)), lock_(std::move(lock)) {}
    Open& operator*() const { return *open_; }
    Open* operator->() const { return open_.get(); }
    const std::shared_ptr<Open>& shared() const { return open_; }

  private:
    std::shared_ptr<Open> open_;
    std::unique_lock<std::timed_mutex> lock_;  // ends before what it locks
};

class ResumableUploads::Piece final : public UploadPiece {
  public:
    Piece(ResumableUploads& owner, std::shared_ptr<Open> open, const PieceRequest& request)
        : owner_(owner),
          open_(std::move(open)),
          limit_bytes_(request.limit_bytes),
          length_(request.length) {}

    ~Piece() override {
        const std::scoped_lock lock(open_->mutex);
        if (open_->writer != this) {
            return;
        }
        open_->writer = nullptr;
        if (std::exchange(open_->checked, false)) {
            if (const auto cut = open_->file->cut(open_->row.offset); !cut) {
                log::warning("upload {}: {}", open_->id.value, cut.error().message);
                open_->doubt();
            }
        } else if (const auto kept = owner_.settle(*open_); !kept) {
            log::warning("upload {}: {}", open_->id.value, kept.error().message);
        }
    }

    Result<void> write(std::span<const std::byte> bytes) override {
        const std::scoped_lock lock(open_->mutex);
        const auto mine = open_->row.source.empty() ? check_mine() : Result<void>{};
        if (!mine) {
            return mine;
        }
        const std::int64_t end = open_->size() + static_cast<std::int64_t>(bytes.size());
        const auto length = open_->row.length ? open_->row.length : length_;
        if (length && end > *length) {
            return std::unexpected(past_its_length(*length));
        }
        if (limit_bytes_ > 0 && end > limit_bytes_) {
            return std::unexpected(body_too_large(limit_bytes_));
        }
        if (bytes.empty()) {
            return {};
        }
        if (auto room = owner_.check_room(static_cast<std::int64_t>(bytes.size())); !room) {
            return room;
        }
        if (auto written = open_->file->write(bytes); !written) {
            return written;
        }
        const bool last = length && end == *length;  // finish() is next
        const bool due = end - open_->row.offset >= kSyncEvery;
        return due && !last && !open_->checked ? owner_.settle(*open_) : Result<void>{};
    }

    Result<ports::UploadRow> finish() override {
        const std::scoped_lock lock(open_->mutex);
        if (open_->writer != this && open_->loaded && !open_->row.source.empty()) {
            // A look at its status found it whole.
            const auto settled = owner_.settle(*open_);
            return settled ? Result<ports::UploadRow>(open_->row)
                           : std::unexpected(settled.error());
        }
        if (auto mine = check_mine(); !mine) {
            return std::unexpected(mine.error());
        }
        open_->writer = nullptr;
        open_->checked = false;
        if (length_ && !open_->row.length) {
            open_->row.length = length_;
        }
        if (auto settled = owner_.settle(*open_); !settled) {
            return std::unexpected(settled.error());
        }
        return open_->row;
    }

  private:
    Result<void> check_mine() const {
        if (open_->gone) {
            return fail(ErrorClass::request, "not_found", "This upload was removed meanwhile.");
        }
        if (open_->writer != this) {
            return fail(ErrorClass::request, "upload_taken_over",
                        "Another request goes on with this upload. Ask with HEAD where it is.");
        }
        return {};
    }

    ResumableUploads& owner_;
    const std::shared_ptr<Open> open_;
    const std::int64_t limit_bytes_;
    const std::optional<std::int64_t> length_;
};

// ---- what is asked of an upload -----------------------------------------------------------------

Result<ports::UploadRow> ResumableUploads::create(const ports::NewUpload& upload) {
    if (auto room = check_room(upload.length.value_or(1)); !room) {
        return std::unexpected(room.error());
    }
    auto row = store_.create_upload(upload, limits_);
    DURASCRIBE_FAILPOINT("resumable.created");
    return row;
}

Result<ports::UploadRow> ResumableUploads::status(const UploadId& id) {
    auto open = use(id);
    if (!open) {
        return std::unexpected(open.error());
    }
    if (auto settled = settle(**open); !settled) {
        return std::unexpected(settled.error());
    }
    return (*open)->row;
}

Result<std::unique_ptr<UploadPiece>> ResumableUploads::append(const UploadId& id,
                                                              const PieceRequest& request) {
    std::unique_ptr<Piece> piece;  // before the lock: where it is dropped, it takes it
    auto used = use(id);
    if (!used) {
        return std::unexpected(used.error());
    }
    Open& open = **used;
    // Of a piece that was begun and whose checksum is not known yet, nothing counts.
    const std::int64_t at = open.checked ? open.row.offset : open.size();
    if (request.offset != at) {
        return std::unexpected(wrong_offset(at));
    }
    const auto length = open.row.length ? open.row.length : request.length;
    if (request.length && (*request.length != *length || *length < at || *length == 0)) {
        return fail(ErrorClass::request, "bad_value",
                    "Upload-Length must be the length that was said before, and no less than what "
                    "is there.");
    }
    if (length && at + request.content_bytes.value_or(0) > *length) {
        return std::unexpected(past_its_length(*length));
    }
    if (request.limit_bytes > 0 &&
        std::max(length.value_or(0), at + request.content_bytes.value_or(0)) >
            request.limit_bytes) {
        return std::unexpected(body_too_large(request.limit_bytes));
    }
    if (request.content_bytes.value_or(1) > 0) {
        if (auto room = check_room(request.content_bytes.value_or(1)); !room) {
            return std::unexpected(room.error());
        }
    }
    piece = std::make_unique<Piece>(*this, used->shared(), request);
    if (!open.row.source.empty()) {
        return piece;  // whole: finish() tells what it became
    }
    if (open.checked) {
        if (auto cut = open.file->cut(open.row.offset); !cut) {
            open.doubt();
            return std::unexpected(cut.error());
        }
        open.checked = false;
    }
    open.writer = piece.get();
    open.storage_max = request.storage_max;
    if (length && !open.row.length && at < *length) {
        auto recorded =
            store_.record_upload(id, open.row.offset, length, limits_, request.storage_max);
        if (!recorded) {
            open.doubt();
            return std::unexpected(recorded.error());
        }
        open.row = std::move(*recorded);
    }
    if (request.checked) {
        if (auto settled = settle(open); !settled) {
            return std::unexpected(settled.error());
        }
        open.checked = true;
    }
    return piece;
}

Result<void> ResumableUploads::remove(const UploadId& id) {
    auto open = use(id);
    if (!open) {
        return std::unexpected(open.error());
    }
    if (auto removed = store_.delete_upload(id); !removed) {
        return removed;
    }
    DURASCRIBE_FAILPOINT("resumable.removed");
    Open& one = **open;
    one.gone = true;
    one.doubt();
    if (const auto removed = blobs_.remove_partial(id.value); !removed) {
        log::warning("upload {}: {}", id.value, removed.error().message);  // the sweep's, then
    }
    if (!one.row.source.empty() && !one.row.finished) {
        guard_.collect(std::array{one.row.source});
    }
    const std::scoped_lock lock(mutex_);
    open_.erase(id);
    return {};
}

// ---- housekeeping -------------------------------------------------------------------------------

void ResumableUploads::finish_sealed(std::stop_token stop) {
    const auto ids = store_.sealed_uploads();
    if (!ids) {
        log::warning("whole uploads could not be looked for: {}", ids.error().message);
        return;
    }
    for (const UploadId& id : *ids) {
        if (stop.stop_requested()) {
            return;
        }
        if (const auto done = status(id); !done) {
            log::warning("the whole upload {} could not be finished: {}", id.value,
                         done.error().message);
        }
    }
}

Result<int> ResumableUploads::sweep() {
    const auto names = blobs_.list_partials();
    if (!names) {
        return std::unexpected(names.error());
    }
    int removed = 0;
    for (const std::string& name : *names) {
        // A row is there before its file is, so that a file without one belongs to nobody.
        const auto row = store_.upload(UploadId{name});
        if (row ? !row->finished : row.error().code != "not_found") {
            continue;
        }
        const auto import = store_.import_of(MediaId{name});  // of a media that is being fetched
        if (!import || *import) {
            continue;
        }
        if (auto done = blobs_.remove_partial(name); !done) {
            return std::unexpected(done.error());
        }
        DURASCRIBE_FAILPOINT("resumable.swept");
        ++removed;
    }
    return removed;
}

// ---- an upload in use ---------------------------------------------------------------------------

// Loaded and locked.
Result<ResumableUploads::Use> ResumableUploads::use(const UploadId& id) {
    std::shared_ptr<Open> open;
    {
        const std::scoped_lock lock(mutex_);
        forget_idle();
        auto& entry = open_[id];
        if (!entry) {
            entry = std::make_shared<Open>(id);
        }
        open = entry;
    }
    std::unique_lock lock(open->mutex, kLockPatience);
    if (!lock.owns_lock()) {
        return std::unexpected(locked());
    }
    Result<void> loaded;
    if (open->gone) {
        loaded = fail(ErrorClass::request, "not_found", "This upload was removed.");
    } else if (!open->loaded) {
        loaded = load(*open);
    } else if (open->writer == nullptr) {
        if (auto there = store_.upload(id); !there) {  // it has expired, perhaps
            loaded = std::unexpected(there.error());
        }
    }
    if (!loaded) {
        open->doubt();
        return std::unexpected(loaded.error());
    }
    return Use(std::move(open), std::move(lock));
}

Result<void> ResumableUploads::load(Open& open) {
    auto row = store_.upload(open.id);
    if (!row) {
        return std::unexpected(row.error());
    }
    open.row = std::move(*row);
    if (open.row.source.empty()) {
        auto file = blobs_.open_partial(open.id.value, open.row.offset);
        if (!file) {
            return std::unexpected(file.error());
        }
        open.file = std::move(*file);
        if (open.size() < open.row.offset) {  // after a backup was restored, or a person's hand
            log::warning("upload {}: {} bytes are there of {}", open.id.value, open.size(),
                         open.row.offset);
            auto recorded = store_.record_upload(open.id, open.size());
            if (!recorded) {
                return std::unexpected(recorded.error());
            }
            open.row = std::move(*recorded);
        }
    }
    open.loaded = true;
    return {};
}

// Makes durable what has come and counts, in the file, then in the store, and finishes what is
// whole.
Result<void> ResumableUploads::settle(Open& open) {
    if (open.row.finished || open.checked) {
        return {};
    }
    if (!open.row.source.empty()) {
        return complete(open);
    }
    const bool whole = open.row.length && open.size() == *open.row.length;
    if (!whole && open.size() == open.row.offset) {
        return {};
    }
    const auto failed = [&](const Error& error) {
        open.doubt();
        return std::unexpected(error);
    };
    if (auto synced = open.file->sync(); !synced) {
        return failed(synced.error());
    }
    DURASCRIBE_FAILPOINT("resumable.piece_synced");
    if (!whole) {
        auto recorded = store_.record_upload(open.id, open.size(), {}, limits_, open.storage_max);
        if (!recorded) {
            return failed(recorded.error());
        }
        open.row = std::move(*recorded);
        DURASCRIBE_FAILPOINT("resumable.offset_recorded");
        return {};
    }
    const auto address = open.file->address();
    if (!address) {
        return failed(address.error());
    }
    auto sealed = store_.seal_upload(open.id, *address);
    if (!sealed) {
        return failed(sealed.error());
    }
    DURASCRIBE_FAILPOINT("resumable.sealed");
    open.row = std::move(*sealed);
    open.writer = nullptr;
    open.file.reset();
    return complete(open);
}

Result<void> ResumableUploads::complete(Open& open) {
    auto hold = guard_.hold(open.row.source);
    if (auto placed = blobs_.place_partial(open.id.value, open.row.source); !placed) {
        if (placed.error().code != "blob_missing") {
            return placed;
        }
        // Nothing is left of it: the client is to begin anew.
        log::warning("upload {}: {}", open.id.value, placed.error().message);
        auto dropped = store_.delete_upload(open.id);
        open.doubt();
        return dropped ? fail(ErrorClass::request, "not_found", placed.error().message) : dropped;
    }
    DURASCRIBE_FAILPOINT("resumable.placed");
    if (const auto made = store_.finish_upload(open.id); !made) {
        return std::unexpected(made.error());
    }
    DURASCRIBE_FAILPOINT("resumable.finished");
    open.row.finished = true;
    return {};
}

Result<void> ResumableUploads::check_room(std::int64_t bytes) {
    const auto free = blobs_.free_bytes();
    if (!free) {
        return std::unexpected(free.error());
    }
    if (*free >= bytes) {
        return {};
    }
    constexpr std::int64_t kMiB = 1024 * 1024;
    return fail(ErrorClass::storage, "disk_full",
                fmt::format("The disk is full: {} MiB are free for files, and {} MiB are needed. "
                            "Free some space, then go on.",
                            *free / kMiB, bytes / kMiB + 1));
}

// Requires mutex_.
void ResumableUploads::forget_idle() {
    if (open_.size() >= kOpenMax) {
        std::erase_if(open_, [](const auto& entry) { return entry.second.use_count() == 1; });
    }
}

}  // namespace durascribe::engine
