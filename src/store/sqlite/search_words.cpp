#include "durascribe/store/sqlite/search_words.h"

#include <algorithm>
#include <optional>

#include <sqlite3.h>

#include "durascribe/domain/text.h"
#include "durascribe/store/sqlite/connection.h"

namespace durascribe::store {
namespace {

constexpr std::string_view kCut = "…";

// https://www.sqlite.org/fts5.html, section 7: the way to FTS5's own functions.
fts5_api* api_of(sqlite3* db) {
    fts5_api* api = nullptr;
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &statement, nullptr);
    if (code == SQLITE_OK) {
        sqlite3_bind_pointer(statement, 1, static_cast<void*>(&api), "fts5_api_ptr", nullptr);
        sqlite3_step(statement);
    }
    code = sqlite3_finalize(statement);
    if (code != SQLITE_OK || api == nullptr) {
        throw SqliteError(SQLITE_ERROR, 0, "this SQLite was built without FTS5");
    }
    return api;
}

// A word of the tokenizer, cut where a character stands for itself: runs of others, and those.
std::vector<std::string_view> pieces_of(std::string_view text) {
    std::vector<std::string_view> pieces;
    bool open = false;
    for (const std::string_view point : domain::code_points(text)) {
        if (domain::writes_without_spaces(point)) {
            pieces.push_back(point);
            open = false;
        } else if (open) {
            pieces.back() = {pieces.back().data(), pieces.back().size() + point.size()};
        } else {
            pieces.push_back(point);
            open = true;
        }
    }
    return pieces;
}

void add_word(std::vector<SearchWord>& words, std::string_view text, std::string_view folded,
              std::size_t begin, std::size_t end) {
    const auto parts = pieces_of(folded);
    const auto places = pieces_of(text.substr(begin, end - begin));
    // They differ where a piece was nothing but marks that folding takes away.
    const bool alike = parts.size() == places.size();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        SearchWord word{.folded = std::string(parts[i]), .begin = begin, .end = end};
        if (alike) {
            word.begin = static_cast<std::size_t>(places[i].data() - text.data());
            word.end = word.begin + places[i].size();
        }
        words.push_back(std::move(word));
    }
}

bool is_word(const SearchPhrase& phrase, std::size_t i, const std::string& word) {
    const std::string& wanted = phrase.words[i];
    const bool beginning = phrase.prefix && i + 1 == phrase.words.size();
    return beginning ? word.starts_with(wanted) : word == wanted;
}

bool stands_at(const SearchPhrase& phrase, const std::vector<SearchWord>& words, std::size_t at) {
    if (at + phrase.words.size() > words.size()) {
        return false;
    }
    for (std::size_t i = 0; i < phrase.words.size(); ++i) {
        if (!is_word(phrase, i, words[at + i].folded)) {
            return false;
        }
    }
    return true;
}

void join_touching(std::vector<std::pair<std::size_t, std::size_t>>& marks) {
    std::ranges::sort(marks);
    std::size_t kept = 0;
    for (const auto& mark : marks) {
        if (kept > 0 && mark.first <= marks[kept - 1].second) {
            marks[kept - 1].second = std::max(marks[kept - 1].second, mark.second);
        } else {
            marks[kept++] = mark;
        }
    }
    marks.resize(kept);
}

}  // namespace

struct SearchWords::Tokenizer {
    fts5_tokenizer methods{};
    Fts5Tokenizer* instance = nullptr;
};

SearchWords::SearchWords(sqlite3* db) : tokenizer_(std::make_unique<Tokenizer>()) {
    fts5_api* api = api_of(db);
    void* context = nullptr;
    const char* arguments[] = {"remove_diacritics", "2"};
    int code = api->xFindTokenizer(api, "unicode61", &context, &tokenizer_->methods);
    if (code == SQLITE_OK) {
        code = tokenizer_->methods.xCreate(context, arguments, 2, &tokenizer_->instance);
    }
    if (code != SQLITE_OK) {
        throw SqliteError(code, 0, "FTS5 has no tokenizer unicode61");
    }
}

SearchWords::~SearchWords() {
    tokenizer_->methods.xDelete(tokenizer_->instance);
}

std::vector<SearchWord> SearchWords::split(std::string_view text) {
    struct Split {
        std::string_view text;
        std::vector<SearchWord> words;
    } split{.text = text, .words = {}};
    const auto take = [](void* context, int /*flags*/, const char* token, int size, int begin,
                         int end) {
        auto& s = *static_cast<Split*>(context);
        add_word(s.words, s.text, {token, static_cast<std::size_t>(size)},
                 static_cast<std::size_t>(begin), static_cast<std::size_t>(end));
        return SQLITE_OK;
    };
    const int code =
        tokenizer_->methods.xTokenize(tokenizer_->instance, &split, FTS5_TOKENIZE_DOCUMENT,
                                      text.data(), static_cast<int>(text.size()), +take);
    if (code != SQLITE_OK) {
        throw SqliteError(code, 0, "a text could not be cut into words");
    }
    return std::move(split.words);
}

std::string SearchWords::folded(std::string_view text) {
    std::string out;
    for (const SearchWord& word : split(text)) {
        out += (out.empty() ? "" : " ") + word.folded;
    }
    return out;
}

std::vector<SearchPhrase> parse_search(SearchWords& words, std::string_view text) {
    std::vector<SearchPhrase> phrases;
    std::size_t left = kSearchWordsMax;
    const auto add = [&](std::string_view part, bool prefix) {
        SearchPhrase phrase{.words = {}, .prefix = prefix};
        for (SearchWord& word : words.split(part)) {
            if (left == 0) {
                phrase.prefix = false;
                break;
            }
            --left;
            phrase.words.push_back(std::move(word.folded));
        }
        // Of one character there is no index of beginnings, and a Han character is whole by itself.
        if (!phrase.words.empty() && domain::code_points(phrase.words.back()).size() < 2) {
            phrase.prefix = false;
        }
        if (!phrase.words.empty()) {
            phrases.push_back(std::move(phrase));
        }
    };
    while (!text.empty()) {
        if (text.front() == '"') {
            const std::size_t closing = text.find('"', 1);
            const bool open = closing == std::string_view::npos;
            add(text.substr(1, open ? closing : closing - 1), open);
            text.remove_prefix(open ? text.size() : closing + 1);
            continue;
        }
        const std::size_t end = std::min(text.find_first_of(" \t\r\n\""), text.size());
        const bool last = text.find_first_not_of(" \t\r\n", end) == std::string_view::npos;
        add(text.substr(0, end), last);
        text.remove_prefix(end);
        if (!text.empty() && text.front() != '"') {
            text.remove_prefix(1);
        }
    }
    return phrases;
}

std::string match_expression(const std::vector<SearchPhrase>& phrases) {
    std::string expression;
    for (const SearchPhrase& phrase : phrases) {
        expression += expression.empty() ? "\"" : " AND \"";
        for (std::size_t i = 0; i < phrase.words.size(); ++i) {
            expression += (i == 0 ? "" : " ") + phrase.words[i];  // letters and digits alone
        }
        expression += phrase.prefix ? "\" *" : "\"";
    }
    return expression;
}

SearchMatch match_text(const std::vector<SearchPhrase>& phrases,
                       const std::vector<SearchWord>& words) {
    SearchMatch match;
    double rank = 0;
    for (const SearchPhrase& phrase : phrases) {
        double found = 0;
        double whole = 0;  // of them, not only the beginning of a word
        for (std::size_t at = 0; at < words.size(); ++at) {
            if (stands_at(phrase, words, at)) {
                const SearchWord& last = words[at + phrase.words.size() - 1];
                match.marks.emplace_back(words[at].begin, last.end);
                found += 1;
                whole += last.folded == phrase.words.back() ? 1 : 0;
            }
        }
        if (found == 0) {
            return {};
        }
        // Okapi BM25's saturation by frequency and length, with a typical length in place of the
        // mean: a hit's rank must not move as others come in, or pages would overlap.
        constexpr double kTypicalWords = 12;
        const double length = 0.25 + 0.75 * static_cast<double>(words.size()) / kTypicalWords;
        const double often = found / (found + length);
        rank += often * (whole > 0 ? 1.0 : 0.7);
    }
    match.rank = rank / static_cast<double>(phrases.size());
    join_touching(match.marks);
    return match;
}

SearchSnippet snippet_of(std::string_view text, const std::vector<SearchWord>& words,
                         const SearchMatch& match, std::size_t characters_max) {
    const auto points = domain::code_points(text);
    std::size_t begin = 0;
    std::size_t end = text.size();
    if (points.size() > characters_max && !match.marks.empty()) {
        // A third of the room before the first mark, and from there as far as it goes.
        const auto offset = [&](std::size_t point) {
            return point < points.size()
                       ? static_cast<std::size_t>(points[point].data() - text.data())
                       : text.size();
        };
        const auto first = static_cast<std::size_t>(
            std::ranges::lower_bound(points, text.data() + match.marks.front().first, {},
                                     [](std::string_view p) { return p.data(); }) -
            points.begin());
        const std::size_t from = first > characters_max / 3 ? first - characters_max / 3 : 0;
        const std::size_t to = std::min(from + characters_max, points.size());
        begin = offset(from);
        end = offset(to);
        if (from > 0) {
            const auto word = std::ranges::lower_bound(words, begin, {}, &SearchWord::begin);
            begin = word != words.end() ? std::min(word->begin, match.marks.front().first) : begin;
        }
        if (to < points.size()) {
            for (const SearchWord& word : words) {  // the word that would be cut goes
                if (word.begin < end && word.end > end && word.begin > match.marks.front().first) {
                    end = word.begin;
                }
            }
        }
    }
    SearchSnippet snippet;
    snippet.text = begin > 0 ? kCut : "";
    const std::size_t shift = snippet.text.size();
    std::string_view part = text.substr(begin, end - begin);
    part = part.substr(0, part.find_last_not_of(' ') + 1);
    snippet.text += part;
    for (const auto& [from, to] : match.marks) {
        if (from >= begin && from < begin + part.size()) {
            snippet.marks.emplace_back(from - begin + shift,
                                       std::min(to - begin, part.size()) + shift);
        }
    }
    if (end < text.size()) {
        snippet.text += kCut;
    }
    return snippet;
}

}  // namespace durascribe::store
