#include "durascribe/speech/word_error_rate.h"

#include <cmath>

#include <gtest/gtest.h>

namespace durascribe::speech {
namespace {

using Words = std::vector<std::string>;

TEST(ComparableWords, AreLowerCaseWithoutPunctuation) {
    EXPECT_EQ(comparable_words("Ask not, what YOUR country\ncan do -- 42 times!"),
              (Words{"ask", "not", "what", "your", "country", "can", "do", "42", "times"}));
}

TEST(ComparableWords, KeepApostrophesOnlyInsideAWord) {
    EXPECT_EQ(comparable_words("'Don't' the boys' 'x'"), (Words{"don't", "the", "boys", "x"}));
}

TEST(ComparableWords, KeepLettersAboveAscii) {
    EXPECT_EQ(comparable_words("Größe, été."), (Words{"größe", "été"}));
}

TEST(WordErrors, CountsSubstitutionsDeletionsAndInsertions) {
    EXPECT_EQ(word_errors("a b c d", "a b c d"), (WordErrors{0, 4}));
    EXPECT_EQ(word_errors("a b c d", "a x c d"), (WordErrors{1, 4}));
    EXPECT_EQ(word_errors("a b c d", "a c d"), (WordErrors{1, 4}));
    EXPECT_EQ(word_errors("a b c d", "a b b c d"), (WordErrors{1, 4}));
    EXPECT_EQ(word_errors("a b c d", "b c d e"), (WordErrors{2, 4}));
    EXPECT_DOUBLE_EQ(word_errors("a b c d", "").rate(), 1.0);
}

TEST(WordErrors, OfAnEmptyReference) {
    EXPECT_DOUBLE_EQ(word_errors("", "").rate(), 0.0);
    EXPECT_TRUE(std::isinf(word_errors("", "word").rate()));
}

}  // namespace
}  // namespace durascribe::speech
