// Text as the search knows it: words without case and accents. Private to store/sqlite.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct sqlite3;

namespace durascribe::store {

struct SearchWord {
    std::string folded;
    std::size_t begin = 0;  // bytes of the text
    std::size_t end = 0;
};

// FTS5's own tokenizer `unicode61 remove_diacritics 2`, and on top of it: each character of a
// script that is written without spaces (Han, Kana) is a word of its own, so that any part of such
// a text is found as words that follow one another. One thread at a time.
class SearchWords {
  public:
    explicit SearchWords(sqlite3* db);
    ~SearchWords();
    SearchWords(const SearchWords&) = delete;
    SearchWords& operator=(const SearchWords&) = delete;

    std::vector<SearchWord> split(std::string_view text);
    // The folded words with a space between: what the index is given.
    std::string folded(std::string_view text);

  private:
    struct Tokenizer;
    std::unique_ptr<Tokenizer> tokenizer_;
};

// Words that must follow one another; with `prefix` the last may be the beginning of one.
struct SearchPhrase {
    std::vector<std::string> words;
    bool prefix = false;
};

// What a person typed: never an error, whatever it is. At most kSearchWordsMax words are looked at.
inline constexpr std::size_t kSearchWordsMax = 32;
std::vector<SearchPhrase> parse_search(SearchWords& words, std::string_view text);

// An FTS5 expression that demands all of them; requires one or more.
std::string match_expression(const std::vector<SearchPhrase>& phrases);

// Where the text has the phrases, and how well it fits. No marks: not all are there.
struct SearchMatch {
    std::vector<std::pair<std::size_t, std::size_t>> marks;  // bytes, in order, not overlapping
    double rank = 0;                                         // 0 to 1
};
SearchMatch match_text(const std::vector<SearchPhrase>& phrases,
                       const std::vector<SearchWord>& words);

// The part of a text around the first marks, at most about `characters_max` code points long and
// cut between words, with the marks that are in it.
struct SearchSnippet {
    std::string text;
    std::vector<std::pair<std::size_t, std::size_t>> marks;
};
SearchSnippet snippet_of(std::string_view text, const std::vector<SearchWord>& words,
                         const SearchMatch& match, std::size_t characters_max);

}  // namespace durascribe::store
