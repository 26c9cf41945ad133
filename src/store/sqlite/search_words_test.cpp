#include "durascribe/store/sqlite/search_words.h"

#include <gtest/gtest.h>

#include "durascribe/store/sqlite/connection.h"

namespace durascribe::store {
namespace {

class SearchText : public ::testing::Test {
  protected:
    std::string matched(std::string_view query, std::string_view text) {
        const SearchMatch match = match_text(parse_search(words_, query), words_.split(text));
        std::string out;
        for (const auto& [from, to] : match.marks) {
            out += "[" + std::string(text.substr(from, to - from)) + "]";
        }
        return out;
    }
    std::string expression(std::string_view query) {
        return match_expression(parse_search(words_, query));
    }
    Connection db_{":memory:", Connection::Mode::writer};
    SearchWords& words_ = db_.search_words();
};

TEST_F(SearchText, CaseAndAccentsMakeNoDifference) {
    EXPECT_EQ(words_.folded("Ünïcode, ÉTÉ naïve; ЙОД"), "unicode ete naive йод");
    EXPECT_EQ(matched("ETE", "L'été dernier"), "[été]");
    EXPECT_EQ(matched("naive", "so nai\u0308ve!"), "[nai\u0308ve]");
}

TEST_F(SearchText, ChineseIsFoundByAnyPartOfIt) {
    EXPECT_EQ(words_.folded("今天abc下雨。Kana: カナ"), "今 天 abc 下 雨 kana カ ナ");
    EXPECT_EQ(matched("下雨", "明天也许下雨吗"), "[下雨]");
    EXPECT_EQ(matched("雨", "明天也许下雨吗"), "[雨]");
    EXPECT_EQ(matched("雨下", "明天也许下雨吗"), "");
    EXPECT_EQ(expression("下雨"), "\"下 雨\"");
}

TEST_F(SearchText, WordsAreDemandedTheLastOneInPart) {
    EXPECT_EQ(expression("hello wor"), "\"hello\" AND \"wor\" *");
    EXPECT_EQ(matched("hello wor", "The world says hello"), "[world][hello]");
    EXPECT_EQ(matched("hell world", "The world says hello"), "");
    EXPECT_EQ(matched("don't", "I don't know"), "[don't]");
}

TEST_F(SearchText, QuotedWordsFollowOneAnother) {
    EXPECT_EQ(expression("\"hello world\" x"), "\"hello world\" AND \"x\"");
    EXPECT_EQ(expression("hello xy"), "\"hello\" AND \"xy\" *");
    EXPECT_EQ(expression("\"hello wor"), "\"hello wor\" *");
    EXPECT_EQ(expression("\"hello wor\""), "\"hello wor\"");
    EXPECT_EQ(matched("\"says hello\"", "The world says hello"), "[says hello]");
    EXPECT_EQ(matched("\"hello says\"", "The world says hello"), "");
}

TEST_F(SearchText, NothingIsASyntaxError) {
    for (const char* query :
         {"",          " ",       "\"",    "\"\"", "\"\"\"",   "*",     "a* OR b",
          "NEAR(a b)", "-x",      "col:x", "^",    "(",        "a AND", "'; DROP TABLE media; --",
          "\xff\xfe",  "a\"b\"c", "…",     "\\",   "{a b}: c", "+",     "\t\n"}) {
        const auto phrases = parse_search(words_, query);
        if (phrases.empty()) {
            continue;
        }
        db_.execute("CREATE VIRTUAL TABLE IF NOT EXISTS t USING fts5 (w)");
        EXPECT_NO_THROW(db_.execute("SELECT * FROM t WHERE t MATCH ?", match_expression(phrases)))
            << query;
    }
    std::string many;
    for (int i = 0; i < 1'000; ++i) {
        many += "w" + std::to_string(i) + " ";
    }
    EXPECT_EQ(parse_search(words_, many).size(), kSearchWordsMax);
}

TEST_F(SearchText, OftenAndInShortTextsFitsBetter) {
    const auto rank = [this](std::string_view query, std::string_view text) {
        return match_text(parse_search(words_, query), words_.split(text)).rank;
    };
    EXPECT_GT(rank("rain", "rain and rain again"), rank("rain", "rain and sun again"));
    EXPECT_GT(rank("rain", "rain"), rank("rain", "rain and sun and wind and snow and hail"));
    EXPECT_GT(rank("rain", "the rain"), rank("rain", "the rainbow"));
    EXPECT_LE(rank("rain", "rain rain rain rain rain"), 1.0);
    EXPECT_EQ(rank("rain", "sun"), 0.0);
}

TEST_F(SearchText, ASnippetIsCutBetweenWordsAndKeepsTheMarks) {
    std::string text;
    for (int i = 0; i < 100; ++i) {
        text += "word" + std::to_string(i) + " ";
    }
    text += "needle ";
    for (int i = 0; i < 100; ++i) {
        text += "more" + std::to_string(i) + " ";
    }
    const auto split = words_.split(text);
    const SearchMatch match = match_text(parse_search(words_, "needle"), split);
    const SearchSnippet snippet = snippet_of(text, split, match, 60);
    EXPECT_TRUE(snippet.text.starts_with("…word9")) << snippet.text;
    EXPECT_TRUE(snippet.text.ends_with("…")) << snippet.text;
    EXPECT_LT(snippet.text.size(), 75U);
    ASSERT_EQ(snippet.marks.size(), 1U);
    EXPECT_EQ(snippet.text.substr(snippet.marks[0].first,
                                  snippet.marks[0].second - snippet.marks[0].first),
              "needle");
    EXPECT_EQ(snippet_of("a needle", words_.split("a needle"),
                         match_text(parse_search(words_, "needle"), words_.split("a needle")), 60)
                  .text,
              "a needle");
}

}  // namespace
}  // namespace durascribe::store
