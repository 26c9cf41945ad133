// A blob that comes in pieces: one file in `<root>/uploads` under the name that its owner gave it.
// What the calls promise: ports/blob_store.h. Private to blobs/local.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "durascribe/ports/blob_store.h"

namespace durascribe::blobs {

Result<std::unique_ptr<ports::PartialBlob>> open_partial(const std::filesystem::path& root,
                                                         const std::string& name,
                                                         std::int64_t keep_bytes);
Result<void> place_partial(const std::filesystem::path& root, const std::string& name,
                           const ports::BlobRef& blob);
Result<void> remove_partial(const std::filesystem::path& root, const std::string& name);

}  // namespace durascribe::blobs
