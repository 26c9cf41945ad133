// gzip for answers that are worth it.
#pragma once

#include <cstddef>

#include "durascribe/api/message.h"

namespace durascribe::api {

inline constexpr std::size_t kCompressedFrom = 1 << 10;  // bytes; less is sent as it is

// Packs the body of an answer in JSON of that size or more where the client takes gzip, and says by
// Vary that this depends on it. Leaves alone: files, streams, parts of something, what is packed
// already, and what has an ETag, which names these very bytes. On a blocking thread: a long
// transcript takes some milliseconds.
void compress(const Request& request, Response& response);

}  // namespace durascribe::api
