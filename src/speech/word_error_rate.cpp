#include "durascribe/speech/word_error_rate.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <numeric>

namespace durascribe::speech {
namespace {

bool in_word(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || std::isalnum(byte) != 0;
}

}  // namespace

double WordErrors::rate() const {
    if (reference_words == 0) {
        return errors == 0 ? 0.0 : std::numeric_limits<double>::infinity();
    }
    return static_cast<double>(errors) / static_cast<double>(reference_words);
}

std::vector<std::string> comparable_words(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        const char c = i < text.size() ? text[i] : ' ';
        const bool apostrophe =
            c == '\'' && !word.empty() && i + 1 < text.size() && in_word(text[i + 1]);
        if (in_word(c)) {
            const auto byte = static_cast<unsigned char>(c);
            word += byte < 0x80 ? static_cast<char>(std::tolower(byte)) : c;
        } else if (apostrophe) {
            word += c;
        } else if (!word.empty()) {
            words.push_back(std::move(word));
            word.clear();
        }
    }
    return words;
}

WordErrors word_errors(std::string_view reference, std::string_view hypothesis) {
    const auto said = comparable_words(reference);
    const auto heard = comparable_words(hypothesis);
    // Levenshtein distance over words, one row at a time.
    std::vector<std::size_t> row(heard.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= said.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= heard.size(); ++j) {
            const std::size_t substituted = diagonal + (said[i - 1] == heard[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
        }
    }
    return {row.back(), said.size()};
}

}  // namespace durascribe::speech
