// Files that come in pieces, over days and restarts: bytes into a partial blob, how much of it is
// durable into the store, and once all of it is there, media and task. Knows nothing of tus.
//
// What holds at every moment, also after a kill or a power cut:
//  * An offset that was told is durable: the file was synced before the row said so, and what lies
//    behind the row's offset is dropped when the file is opened again.
//  * From the moment at which an upload is whole in the store (sealed), media and task come of it
//    exactly once, whether or not the client ever comes back: with the call itself, with the next
//    look at its status, or with housekeeping after a restart.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>

#include "durascribe/engine/blob_guard.h"
#include "durascribe/ports/blob_store.h"
#include "durascribe/ports/store.h"

namespace durascribe::engine {

// One piece on its way in. Dropped without finish(), what came of it stays, but for a piece whose
// checksum is to be compared: of that nothing does. One thread at a time.
class UploadPiece {
  public:
    virtual ~UploadPiece() = default;

    // Errors: storage (what came before stays); request "body_too_large" past the length or limit;
    // request "upload_taken_over" where another piece at the same offset began meanwhile.
    virtual Result<void> write(std::span<const std::byte> bytes) = 0;

    // The piece is durable when it returns and, where it was the last, media and task are made.
    // Errors: as write().
    virtual Result<ports::UploadRow> finish() = 0;
};

struct PieceRequest {
    std::int64_t offset = 0;
    std::optional<std::int64_t> length;         // of the whole, where it is said only now
    std::optional<std::int64_t> content_bytes;  // of the piece, where that is known
    bool checked = false;                       // it counts only once its checksum was compared
    std::int64_t limit_bytes = 0;               // of the whole; 0: none
    std::int64_t storage_max = 0;               // of the account, where no length was announced
};

// Thread-safe; outlives its pieces.
class ResumableUploads {
  public:
    // The references outlive it.
    ResumableUploads(ports::Store& store, ports::BlobStore& blobs, BlobGuard& guard,
                     ports::UploadLimits limits)
        : store_(store), blobs_(blobs), guard_(guard), limits_(limits) {}

    // Errors: storage "disk_full" where its length does not fit; as ports::Store::create_upload.
    Result<ports::UploadRow> create(const ports::NewUpload& upload);

    // What came so far is durable when it returns. Errors: request "not_found"; request
    // "upload_locked" while its last piece is being finished.
    Result<ports::UploadRow> status(const UploadId& id);

    // A second piece at the same offset takes over from the first: that one's connection may be
    // dead without anybody having noticed. Errors: request "upload_offset" where the upload is at
    // another one; "body_too_large"; "bad_value" (a length that can't be); "not_found";
    // "too_many_uploads" and "storage_quota", also of the piece's write() and finish(), for what
    // was not announced when it was created;
    // "upload_locked"; storage "disk_full" where the piece does not fit.
    Result<std::unique_ptr<UploadPiece>> append(const UploadId& id, const PieceRequest& request);

    // Its file and row go; what it became stays. Errors: request "not_found", "upload_locked".
    Result<void> remove(const UploadId& id);

    // After a restart: makes media and tasks of what was whole.
    void finish_sealed(std::stop_token stop);
    // Removes the files of uploads that are gone. Returns how many. Errors: the stores'.
    Result<int> sweep();

  private:
    struct Open;
    class Piece;
    class Use;

    Result<Use> use(const UploadId& id);
    Result<void> load(Open& open);
    Result<void> settle(Open& open);
    Result<void> complete(Open& open);
    Result<void> check_room(std::int64_t bytes);
    void forget_idle();

    ports::Store& store_;
    ports::BlobStore& blobs_;
    BlobGuard& guard_;
    const ports::UploadLimits limits_;
    std::mutex mutex_;
    // Co-owned by whoever uses one now; guarded by mutex_.
    std::map<UploadId, std::shared_ptr<Open>> open_;
};

}  // namespace durascribe::engine
