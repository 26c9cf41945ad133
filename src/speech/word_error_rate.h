// How far a transcript is from what was said: the measure in which recognisers are compared.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace durascribe::speech {

struct WordErrors {
    std::size_t errors = 0;  // substitutions + deletions + insertions, fewest possible
    std::size_t reference_words = 0;
    // 0 for two empty texts; infinite where words were heard and none were said.
    double rate() const;
    bool operator==(const WordErrors&) const = default;
};

// Words as they are compared: lower case, without punctuation except apostrophes inside a word.
// Bytes above ASCII are kept as they are.
std::vector<std::string> comparable_words(std::string_view text);

WordErrors word_errors(std::string_view reference, std::string_view hypothesis);

}  // namespace durascribe::speech
