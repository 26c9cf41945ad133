// Speech that was never spoken: words by Zipf's law from a vocabulary of 30,000, so that some are
// in every tenth segment and most are rare. The same each time.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace durascribe::bench {

inline constexpr int kVocabulary = 30'000;

// The n-th most frequent word, pronounceable and of a length that grows slowly with its rank.
inline std::string word(int n) {
    static constexpr std::string_view kBegin = "bdfgklmnprstvz";
    static constexpr std::string_view kVowels = "aeiou";
    std::string out;
    for (unsigned rest = static_cast<unsigned>(n) + 14 * 5; rest > 0; rest /= 70) {
        out += kBegin[rest % 14];
        out += kVowels[rest / 14 % 5];
    }
    return out;
}

class Speech {
  public:
    Speech() {
        double sum = 0;
        for (int n = 0; n < kVocabulary; ++n) {
            words_.push_back(word(n));
            sum += 1.0 / (n + 10);  // Zipf-Mandelbrot: the first word is about one in a hundred
            cumulated_.push_back(sum);
        }
    }
    std::string say(int count) {
        std::string text;
        for (int i = 0; i < count; ++i) {
            const double at = std::uniform_real_distribution<double>(0, cumulated_.back())(random_);
            const auto n = std::ranges::lower_bound(cumulated_, at) - cumulated_.begin();
            text += (i == 0 ? "" : " ") + words_[static_cast<std::size_t>(n)];
        }
        return text;
    }

  private:
    std::mt19937_64 random_{1};  // NOLINT: the same store each time
    std::vector<std::string> words_;
    std::vector<double> cumulated_;
};

}  // namespace durascribe::bench
