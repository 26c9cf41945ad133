// UTF-8 that can be trusted: recognised text comes from a worker, and may hold anything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace durascribe::domain {

// Invalid UTF-8 becomes U+FFFD (one for each maximal part, Unicode §3.9), control characters go,
// every run of white space becomes one space, none at the ends.
std::string clean_text(std::string_view text);

// The code points of clean text, each as its UTF-8.
std::vector<std::string_view> code_points(std::string_view clean);

// Columns: East Asian wide code points take two (UAX #11, classes W and F), all others one.
int width_of(std::string_view clean);

// Of a single code point. `writes_without_spaces`: Han, Kana and their punctuation, where a line
// may break between any two; Hangul is wide, but written with spaces.
bool writes_without_spaces(std::string_view code_point);
// Does not begin a line: closing punctuation, and marks that combine with what stands before.
bool clings_to_previous(std::string_view code_point);

// Two pieces of text with the space that their scripts want between them.
void append_text(std::string& text, std::string_view more);

}  // namespace durascribe::domain
