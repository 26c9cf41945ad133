// durascribe_wer REFERENCE HYPOTHESIS: the word error rate of one text file against another, as
// "WER 12.34 % (21 of 170 words)". Several pairs are pooled.
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "durascribe/speech/word_error_rate.h"

namespace {

std::optional<std::string> text_of(const char* path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        fmt::print(stderr, "durascribe_wer: cannot read {}\n", path);
        return std::nullopt;
    }
    return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3 || count % 2 == 0) {
        fmt::print(stderr,
                   "usage: durascribe_wer REFERENCE HYPOTHESIS [REFERENCE HYPOTHESIS]...\n");
        return 2;
    }
    durascribe::speech::WordErrors pooled;
    for (int i = 1; i < count; i += 2) {
        const auto reference = text_of(arguments[i]);
        const auto hypothesis = text_of(arguments[i + 1]);
        if (!reference || !hypothesis) {
            return 1;
        }
        const auto errors = durascribe::speech::word_errors(*reference, *hypothesis);
        pooled.errors += errors.errors;
        pooled.reference_words += errors.reference_words;
    }
    fmt::print("WER {:.2f} % ({} of {} words)\n", 100 * pooled.rate(), pooled.errors,
               pooled.reference_words);
}
