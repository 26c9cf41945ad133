// Names that come from outside: file names and titles. They are shown, never used as paths.
#pragma once

#include <string>
#include <string_view>

namespace durascribe::api {

inline constexpr std::size_t kFilenameBytesMax = 255;

bool is_valid_utf8(std::string_view text);

// The longest prefix of at most `bytes_max` bytes that ends between characters.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max);

// The last component of what a client called its file, as UTF-8 without control characters, at most
// kFilenameBytesMax bytes (the extension is kept); "recording" where nothing is left. Bytes that
// are not UTF-8 are read as Latin-1.
std::string clean_filename(std::string_view raw);

// A title for a file without one: its name without the extension.
std::string title_from_filename(std::string_view filename);

// A name for a download: what no common file system takes is replaced.
std::string download_name(std::string_view title, std::string_view extension);

// Content-Type of a media file by its extension; application/octet-stream where it is not known.
// Never a type that a browser would run.
std::string_view media_mime_type(std::string_view filename);

}  // namespace durascribe::api
