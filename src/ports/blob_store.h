// Where bytes live: uploads, decoded audio. Content-addressed by SHA-256, never changed once there.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/unique_fd.h"

namespace durascribe::ports {

struct BlobRef {
    std::string sha256;  // 64 lower-case hex digits; empty: no blob
    std::int64_t size_bytes = 0;
    bool empty() const { return sha256.empty(); }
    bool operator==(const BlobRef&) const = default;
};

// A blob being written. Dropped without commit(), it leaves nothing behind. One thread at a time.
class PendingBlob {
  public:
    virtual ~PendingBlob() = default;

    // Appends and hashes. Errors: storage (disk full, I/O).
    virtual Result<void> write(std::span<const std::byte> bytes) = 0;

    // The file itself, for a worker that writes it; then call commit() alone, which reads it back
    // to hash it. Not to be mixed with write(). Valid while this object lives.
    virtual int fd() const = 0;

    virtual std::int64_t size_bytes() const = 0;

    // Where commit() will put it; nothing more is to be written. So that whoever removes blobs can
    // be kept away from this address before it is there (engine/blob_guard.h).
    virtual Result<BlobRef> address() = 0;

    // Makes it durable (file synced, renamed into place, folder synced) and returns its address.
    // The same bytes stored before: this copy is dropped and the address is the old one's. When
    // this returns, a power cut loses nothing; until a row names the blob, housekeeping may still
    // remove it.
    virtual Result<BlobRef> commit() = 0;
};

// A blob that comes in pieces, over restarts: kept until it is placed or removed, under a name that
// the caller chose and keeps a record of. One thread at a time, and one object of a name.
class PartialBlob {
  public:
    virtual ~PartialBlob() = default;

    // Appends. Errors: storage (disk full, I/O); then size_bytes() tells how much of it was taken.
    virtual Result<void> write(std::span<const std::byte> bytes) = 0;

    virtual std::int64_t size_bytes() const = 0;

    // What was written is durable when it returns. After an error nothing is known of what was
    // written since the last success: drop this object, and open it anew with what was kept then.
    virtual Result<void> sync() = 0;

    // Drops what lies behind `size_bytes`.
    virtual Result<void> cut(std::int64_t size_bytes) = 0;

    // Of what is there. Reads back what this object has not hashed as it went by (after a restart
    // or a cut): as much as that takes.
    virtual Result<BlobRef> address() = 0;
};

// Thread-safe.
class BlobStore {
  public:
    virtual ~BlobStore() = default;

    // `expected_bytes`, where known (0: not), lets a full disk be refused before the first byte.
    virtual Result<std::unique_ptr<PendingBlob>> create(std::int64_t expected_bytes = 0) = 0;

    // The partial blob of that name (a UUID), durably made where it is not there; what lies behind
    // `keep_bytes` is dropped. It may hold less.
    virtual Result<std::unique_ptr<PartialBlob>> open_partial(const std::string& name,
                                                              std::int64_t keep_bytes) = 0;

    // Makes it the blob of that address, durably; its object is gone by then, and it was synced.
    // Where the address is there already, this copy is dropped. Idempotent. Errors: storage;
    // internal "blob_missing" where neither is there.
    virtual Result<void> place_partial(const std::string& name, const BlobRef& blob) = 0;

    // Removing what is not there succeeds.
    virtual Result<void> remove_partial(const std::string& name) = 0;

    virtual Result<std::vector<std::string>> list_partials() = 0;

    // Read-only. Errors: internal "blob_missing", where the address is not there (waiting would not
    // bring it back).
    virtual Result<UniqueFd> open(const BlobRef& blob) = 0;

    virtual Result<bool> exists(const BlobRef& blob) = 0;

    // Removing what is not there succeeds.
    virtual Result<void> remove(const BlobRef& blob) = 0;

    // Removes what writes that never committed have left: those of a process that was killed, not
    // those that are under way. At any time. Returns how many went.
    virtual Result<int> remove_leftovers() = 0;

    // The addresses of what is stored, in their order: the first `limit` (1 or more) after `after`
    // (empty: from the first). One that is stored or removed meanwhile may be among them or not.
    virtual Result<std::vector<std::string>> list(const std::string& after, int limit) = 0;

    // Bytes that can still be written. Errors: storage.
    virtual Result<std::int64_t> free_bytes() = 0;

    // What free_bytes() would be if nothing were stored here at all. Errors: storage.
    virtual Result<std::int64_t> capacity_bytes() = 0;
};

}  // namespace durascribe::ports
