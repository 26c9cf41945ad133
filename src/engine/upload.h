// How a file comes in: bytes into the blob store, then media and task in one transaction.
#pragma once

#include <functional>
#include <memory>

#include "durascribe/engine/blob_guard.h"
#include "durascribe/engine/engine.h"

namespace durascribe::engine {

Error body_too_large(std::int64_t limit_bytes);

// The references outlive the upload. What `check` refuses is not kept.
Result<std::unique_ptr<Upload>> begin_upload(ports::Store& store, ports::BlobStore& blobs,
                                             BlobGuard& guard, std::int64_t expected_bytes,
                                             std::int64_t limit_bytes, CheckRequest check);

}  // namespace durascribe::engine
