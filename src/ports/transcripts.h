// Transcripts as they are read, corrected and searched (ports/store.h has the verbs).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "durascribe/base/ids.h"
#include "durascribe/base/time.h"
#include "durascribe/domain/transcript.h"

namespace durascribe::ports {

// ---- reading ----------------------------------------------------------------------------------

struct TranscriptSegment {
    // Stays with the segment for as long as its task is there, once the task has ended; until then
    // it is only its place. A split gives a new one to the second half.
    std::int64_t id = 0;
    int revision = 0;  // of the transcript, in which it became what it is; 0: as it was recognised
    domain::Segment segment;
};

struct TranscriptText {
    int revision = 0;                         // which is given; 0: as it was recognised
    int newest = 0;                           // the newest there is
    std::vector<TranscriptSegment> segments;  // by start, not overlapping
};

// What one edit did.
struct TranscriptRevision {
    int revision = 1;
    WallTime at;
    // "changed", "split", "merged", "speaker_renamed", "restored"; "recognised_again" where a retry
    // filled gaps beside what had been edited.
    std::string kind;
    std::vector<std::int64_t> changed;  // segments that are new or other than before
    std::vector<std::int64_t> removed;
};

// ---- correcting -------------------------------------------------------------------------------

// What is not given stays. A new text keeps the times of the words that it shares with the old one,
// and spreads the others over what is between; what a person wrote is certain.
struct ChangeSegment {
    std::int64_t id = 0;
    std::optional<std::string> text;
    std::optional<Millis> start;
    std::optional<Millis> end;
    std::optional<std::optional<std::string>> speaker;  // none inside: nobody's
};
struct SplitSegment {
    std::int64_t id = 0;
    std::variant<Millis, int> at;  // a time inside it, or the word (from 0) that begins the second
};
struct MergeSegments {
    std::int64_t id = 0;  // with the one that follows
};
struct RenameSpeaker {
    std::string from;
    std::string to;  // one that is there already: the two become one
};
// The transcript as it was at that revision becomes the newest one. Undo: the one before.
struct RestoreRevision {
    int revision = 0;
};

// A version that a client has seen: of one segment, or of the whole transcript.
struct SeenVersion {
    TaskId task;
    std::optional<std::int64_t> segment;
    int revision = 0;
};

struct TranscriptEdit {
    MediaId media;
    std::optional<TaskId> task;  // none: the one whose result is shown
    // Where given, one of these must be the newest version of the whole or of the segment that the
    // edit names.
    std::optional<std::vector<SeenVersion>> if_newest;
    std::variant<ChangeSegment, SplitSegment, MergeSegments, RenameSpeaker, RestoreRevision> what;
};

struct EditedTranscript {
    TaskId task;
    int revision = 0;    // the newest now
    bool edited = true;  // false: it was like that already, and there is no new revision
    std::vector<TranscriptSegment> changed;  // as they are now
    std::vector<std::int64_t> removed;
};

// ---- searching --------------------------------------------------------------------------------

struct SearchRequest {
    // Words, all of which must be in one title or in one segment, the last one perhaps in part;
    // "words in quotes" must follow one another. Case and accents make no difference. Anything is
    // a query; one without a letter or digit finds nothing.
    std::string text;
    std::optional<MediaId> media;  // in that one alone
};

// Where one title or one segment of a media's shown transcript has the words.
struct SearchHit {
    MediaId media;
    std::string title;  // of the media
    bool in_title = false;
    // Of a segment:
    TaskId task;
    std::int64_t segment = 0;  // TranscriptSegment::id
    int index = 0;             // its place in the transcript, from 0
    domain::AudioSpan span;

    std::string snippet;  // the text, or the part of it around the words; "…" where it is cut
    std::vector<std::pair<std::size_t, std::size_t>> marks;  // bytes [from, to) of the snippet
    double rank = 0;  // 0 to 1: how well it fits, by itself; does not change as others come in
};

struct SearchAnswer {
    std::vector<SearchHit> hits;
    std::string next_cursor;  // empty: the end
    bool best_first = true;   // false: there are many, and the newest media come first
};

}  // namespace durascribe::ports
