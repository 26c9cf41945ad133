// Text as a terminal shows it: how wide it is, cut to fit, with nothing in it that steers the
// terminal. Names of files are untrusted bytes.
#pragma once

#include <string>
#include <string_view>

namespace durascribe::cli {

// Valid UTF-8 with every invalid byte and every control character replaced by U+FFFD.
std::string printable(std::string_view bytes);

// Columns: East Asian wide characters and emoji take two, combining marks none (Unicode UAX #11).
int display_width(std::string_view utf8);

// At most `width` columns: what does not fit is cut out of the middle, with "…" in its place.
std::string fit(std::string_view utf8, int width);

// fit(), then filled with spaces to exactly `width` columns.
std::string fit_and_pad(std::string_view utf8, int width);

}  // namespace durascribe::cli
