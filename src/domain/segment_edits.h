// What a person corrects in a transcript, one segment at a time: pure, and the times of the words
// follow as well as they can.
#pragma once

#include <string_view>
#include <utility>

#include "durascribe/base/error.h"
#include "durascribe/domain/transcript.h"

namespace durascribe::domain {

// The segment with another text, cleaned as text.h says. Words at its beginning and end that are as
// before keep their times and confidence; those between share the time between, by their width, and
// are certain. Without word times it stays so.
Segment with_text(Segment segment, std::string_view text);

// The segment moved to other times; words are kept within them. Requires start < end.
Segment with_span(Segment segment, AudioSpan span);

// Two segments for one; the second begins at `at`, or with word `word` (from 0). Words are on the
// side on which most of them lies. Without word times, the text is cut between words where its
// width says. Errors: input "bad_split" where `at` is not inside it or a side would have no text.
Result<std::pair<Segment, Segment>> split_at(const Segment& segment, Millis at);
Result<std::pair<Segment, Segment>> split_at_word(const Segment& segment, int word);

// One segment for two that follow one another; the speaker is the first's, or the second's where
// the first has none.
Segment merged(Segment first, const Segment& second);

}  // namespace durascribe::domain
