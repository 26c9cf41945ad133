// gzip for answers that are worth it, and what that does to their ETag.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "durascribe/api/message.h"

namespace durascribe::api {

inline constexpr std::size_t kCompressedFrom = 1 << 10;  // bytes; less is sent as it is

// Whether this is JSON of that size or more, whole, and as it was made: no file, stream, part of
// something, nor what was negotiated (Vary) or packed already.
bool is_worth_packing(const Response& response);

// Says by Vary that what is sent depends on what the client takes and, where it takes gzip, packs
// the body. An ETag names bytes (RFC 9110 §8.8.3), so that of the packed ones is another:
// kPackedTag comes before its closing quote. Requires is_worth_packing(). A long transcript takes
// some milliseconds.
void pack(bool takes_gzip, Response& response);

inline constexpr std::string_view kPackedTag = "-gzip";
// The tag (without quotes) of the version whose packed bytes this one names; else as it is.
std::string version_tag(std::string tag);

}  // namespace durascribe::api
