// What a client takes: media types (RFC 9110 §12.5.1) and codings (§12.5.3), with their weights.
// Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "durascribe/api/message.h"

namespace durascribe::api {

// All fields of that name (lower case) as one list; empty: there is none, or nothing in it.
std::string joined_fields(const Request& request, std::string_view name);

// Whether an Accept field takes what has this type ("text/vtt"; parameters do not count). Of
// several ranges that match, the most exact one says it. An empty field, and one that is malformed,
// takes all.
bool accepts(std::string_view accept, std::string_view type);

// Of an address that gives these types, and no other. Errors: request "not_acceptable" where the
// request's Accept takes none of them.
Result<void> check_accept(const Request& request, std::span<const std::string> gives);

// Whether an Accept-Encoding field prefers this coding ("gzip", "br") to the bytes as they are. An
// empty one does not.
bool accepts_coding(std::string_view accept_encoding, std::string_view coding);
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace durascribe::api
