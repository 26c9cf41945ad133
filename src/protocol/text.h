// Text on the wire: UTF-8 of bounded length without control characters, so that no tag of a media
// file can break a message, a log line or a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace durascribe::protocol {

// Whether `text` is well-formed UTF-8 (RFC 3629), at most `bytes_max` long, and has no control
// characters (C0, DEL, C1) but tab and line feed.
bool is_clean_text(std::string_view text, std::size_t bytes_max);

// `text` with what is_clean_text refuses replaced by U+FFFD, cut at a character to `bytes_max`.
std::string clean_text(std::string_view text, std::size_t bytes_max);

}  // namespace durascribe::protocol
