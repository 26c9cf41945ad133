// A transcript is corrected. Nothing is overwritten: each revision stays as it was.
#include "durascribe/store/sqlite/verbs.h"

#include <algorithm>
#include <limits>
#include <map>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/domain/segment_edits.h"
#include "durascribe/store/sqlite/json.h"
#include "durascribe/store/sqlite/queries.h"
#include "durascribe/store/sqlite/search_index.h"

namespace durascribe::store {
namespace {

namespace json = boost::json;

// More are not listed in the event: who hears of it reads the transcript anew.
constexpr std::size_t kIdsToldMax = 200;
// A chunk that is recognised again may move what stands beside it by so much.
constexpr Millis kSamePlace{2'000};

// The newest transcript of a task, while one edit is made.
struct Open {
    TaskId task;
    MediaId media;
    int newest = 0;
    Millis duration{0};  // 0: not known
    std::vector<StoredSegment> segments;
};

// What an edit makes of it.
struct Changes {
    std::string_view kind;
    std::vector<ports::TranscriptSegment> changed;  // revision is set when they are written
    std::vector<std::int64_t> removed;
};

Result<Open> open_transcript(WriteTx& tx, const ports::TranscriptEdit& edit) {
    Open open{.media = edit.media};
    {
        Rows media = tx.db.query("SELECT newest_task, max(duration_ms, 0) FROM media WHERE id = ?",
                                 edit.media);
        if (!media.step()) {
            return std::unexpected(media_not_found(edit.media));
        }
        open.task.value = media.text();
        open.duration = media.millis();
    }
    open.task = edit.task ? *edit.task : shown_task_id(tx.db, edit.media).value_or(open.task);
    Rows task =
        tx.db.query("SELECT state FROM tasks WHERE id = ? AND media_id = ?", open.task, edit.media);
    if (!task.step()) {
        return std::unexpected(task_not_found(open.task));
    }
    if (!domain::is_terminal(*domain::task_state_from(task.bytes()))) {
        return fail(ErrorClass::request, "transcript_not_final",
                    "The transcript is still being written. It can be corrected when its task has "
                    "ended.",
                    open.task.value);
    }
    open.newest = newest_revision(tx.db, open.task);
    open.segments = stored_segments(tx.db, open.task, open.newest);
    return open;
}

Result<std::size_t> find(const Open& open, std::int64_t id) {
    const auto found = std::ranges::find(open.segments, id, &StoredSegment::id);
    if (found == open.segments.end()) {
        return fail(
            ErrorClass::request, "not_found",
            fmt::format("There is no segment {} in this transcript. It may have been merged "
                        "or restored away; read the segments anew.",
                        id));
    }
    return static_cast<std::size_t>(found - open.segments.begin());
}

Result<void> check_seen(const Open& open,
                        const std::optional<std::vector<ports::SeenVersion>>& seen,
                        const StoredSegment* segment) {
    const bool newest = !seen || std::ranges::any_of(*seen, [&](const ports::SeenVersion& v) {
        return v.task == open.task &&
               (v.segment
                    ? segment != nullptr && *v.segment == segment->id && v.revision == segment->born
                    : v.revision == open.newest);
    });
    if (!newest) {
        return fail(ErrorClass::request, "precondition_failed",
                    "It was changed since you have read it. Read it anew, and decide again.");
    }
    return {};
}

std::string show(Millis t) {
    return fmt::format("{:.3f}", static_cast<double>(t.count()) / 1'000.0);
}

Result<void> check_room(const Open& open, std::size_t at, domain::AudioSpan span) {
    const Millis before = at > 0 ? open.segments[at - 1].span.end : Millis{0};
    const Millis after = at + 1 < open.segments.size() ? open.segments[at + 1].span.start
                         : open.duration > Millis{0}
                             ? std::max(open.duration, open.segments[at].span.end)
                             : Millis::max();
    if (span.start >= span.end) {
        return fail(ErrorClass::input, "segments_overlap",
                    fmt::format("A segment must end after it begins: from {} to {} seconds is "
                                "none.",
                                show(span.start), show(span.end)));
    }
    if (span.start < before || span.end > after) {
        return fail(
            ErrorClass::input, "segments_overlap",
            fmt::format("Segments do not overlap: this one can lie between {} and {} seconds.",
                        show(before), after == Millis::max() ? "the end" : show(after)));
    }
    return {};
}

std::int64_t unused_id(WriteTx& tx, const Open& open) {
    std::int64_t last = -1;
    for (const StoredSegment& s : open.segments) {
        last = std::max(last, s.id);
    }
    Rows rows = tx.db.query("SELECT coalesce(max(id), -1) FROM edited_segments WHERE task_id = ?",
                            open.task);
    DURASCRIBE_ASSERT(rows.step());
    return std::max(last, rows.integer()) + 1;
}

// ---- the edits --------------------------------------------------------------------------------

struct Editor {
    WriteTx& tx;
    const Open& open;
    const std::optional<std::vector<ports::SeenVersion>>& seen;

    Result<std::size_t> find_seen(std::int64_t id) const {
        auto at = find(open, id);
        if (at) {
            if (auto checked = check_seen(open, seen, &open.segments[*at]); !checked) {
                return std::unexpected(checked.error());
            }
        }
        return at;
    }

    Result<Changes> operator()(const ports::ChangeSegment& what) const {
        const auto at = find_seen(what.id);
        if (!at) {
            return std::unexpected(at.error());
        }
        ports::TranscriptSegment s = open.segments[*at].whole();
        const domain::Segment before = s.segment;
        const domain::AudioSpan span{what.start.value_or(before.span.start),
                                     what.end.value_or(before.span.end)};
        if (span != before.span) {
            if (auto room = check_room(open, *at, span); !room) {
                return std::unexpected(room.error());
            }
            s.segment = domain::with_span(std::move(s.segment), span);
        }
        if (what.text) {
            s.segment = domain::with_text(std::move(s.segment), *what.text);
        }
        if (what.speaker) {
            s.segment.speaker = *what.speaker;
        }
        Changes changes{.kind = "changed", .changed = {}, .removed = {}};
        if (s.segment != before) {
            changes.changed.push_back(std::move(s));
        }
        return changes;
    }

    Result<Changes> operator()(const ports::SplitSegment& what) const {
        const auto at = find_seen(what.id);
        if (!at) {
            return std::unexpected(at.error());
        }
        const domain::Segment before = open.segments[*at].whole().segment;
        auto halves = std::holds_alternative<int>(what.at)
                          ? domain::split_at_word(before, std::get<int>(what.at))
                          : domain::split_at(before, std::get<Millis>(what.at));
        if (!halves) {
            return std::unexpected(halves.error());
        }
        return Changes{
            .kind = "split",
            .changed = {{.id = what.id, .segment = std::move(halves->first)},
                        {.id = unused_id(tx, open), .segment = std::move(halves->second)}},
            .removed = {}};
    }

    Result<Changes> operator()(const ports::MergeSegments& what) const {
        const auto at = find_seen(what.id);
        if (!at) {
            return std::unexpected(at.error());
        }
        if (*at + 1 == open.segments.size()) {
            return fail(ErrorClass::input, "nothing_to_merge",
                        "This is the last segment: there is none after it to be merged with.");
        }
        const ports::TranscriptSegment next = open.segments[*at + 1].whole();
        return Changes{.kind = "merged",
                       .changed = {{.id = what.id,
                                    .segment = domain::merged(open.segments[*at].whole().segment,
                                                              next.segment)}},
                       .removed = {next.id}};
    }

    Result<Changes> operator()(const ports::RenameSpeaker& what) const {
        if (auto checked = check_seen(open, seen, nullptr); !checked) {
            return std::unexpected(checked.error());
        }
        Changes changes{.kind = "speaker_renamed", .changed = {}, .removed = {}};
        bool found = false;
        for (const StoredSegment& s : open.segments) {
            if (s.speaker == what.from) {
                found = true;
                if (what.from != what.to) {
                    changes.changed.push_back(s.whole());
                    changes.changed.back().segment.speaker = what.to;
                }
            }
        }
        if (!found) {
            return fail(ErrorClass::request, "not_found",
                        "No segment of this transcript has that speaker.");
        }
        return changes;
    }

    Result<Changes> operator()(const ports::RestoreRevision& what) const {
        if (auto checked = check_seen(open, seen, nullptr); !checked) {
            return std::unexpected(checked.error());
        }
        if (what.revision < 0 || what.revision > open.newest) {
            return fail(ErrorClass::request, "not_found",
                        fmt::format("There is no revision {} of this transcript: the newest is {}.",
                                    what.revision, open.newest));
        }
        Changes changes{.kind = "restored", .changed = {}, .removed = {}};
        std::map<std::int64_t, const StoredSegment*> there;
        for (const StoredSegment& s : open.segments) {
            there.emplace(s.id, &s);
        }
        for (const StoredSegment& s : stored_segments(tx.db, open.task, what.revision)) {
            const auto now = there.find(s.id);
            ports::TranscriptSegment wanted = s.whole();
            if (now == there.end() ||
                (now->second->born != s.born && now->second->whole().segment != wanted.segment)) {
                changes.changed.push_back(std::move(wanted));
            }
            if (now != there.end()) {
                there.erase(now);
            }
        }
        for (const auto& [id, s] : there) {
            changes.removed.push_back(id);
        }
        return changes;
    }
};

// ---- writing ----------------------------------------------------------------------------------

void insert(WriteTx& tx, const TaskId& task, const StoredSegment& s) {
    tx.db.execute(
        "INSERT INTO edited_segments (task_id, id, born, start_ms, end_ms, text, confidence,"
        " speaker, words) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        task, s.id, s.born, s.span.start, s.span.end, s.text, s.confidence, s.speaker, s.words);
}

StoredSegment stored(const ports::TranscriptSegment& s) {
    return {.id = s.id,
            .born = s.revision,
            .span = s.segment.span,
            .text = s.segment.text,
            .confidence = s.segment.confidence,
            .speaker = s.segment.speaker,
            .words = to_json(s.segment.words)};
}

json::value told_ids(const std::vector<std::int64_t>& ids, bool all) {
    return all ? json::value(json::array(ids.begin(), ids.end())) : json::value(nullptr);
}

// The revision that `changes` make, its event, and the search; returns its number.
int write(WriteTx& tx, const Open& open, Changes& changes) {
    if (open.newest == 0) {  // the first edit: from now on the transcript stands in its own table
        for (const StoredSegment& s : open.segments) {
            insert(tx, open.task, s);
        }
    }
    const int revision = open.newest + 1;
    const bool shown = shown_task_id(tx.db, open.media) == open.task;
    std::vector<std::int64_t> ids;
    const auto end = [&](std::int64_t id) {
        tx.db.execute(
            "UPDATE edited_segments SET died = ? WHERE task_id = ? AND id = ? AND died IS NULL",
            revision, open.task, id);
    };
    for (ports::TranscriptSegment& s : changes.changed) {
        s.revision = revision;
        ids.push_back(s.id);
        end(s.id);
        insert(tx, open.task, stored(s));
        if (shown) {
            index_segment(tx, open.media, s.id, s.segment.text);
        }
    }
    for (const std::int64_t id : changes.removed) {
        end(id);
        if (shown) {
            index_segment(tx, open.media, id, std::nullopt);
        }
    }
    tx.db.execute(
        "INSERT INTO transcript_revisions (task_id, revision, at, kind, changed, removed)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        open.task, revision, tx.now, changes.kind, json::serialize(told_ids(ids, true)),
        json::serialize(told_ids(changes.removed, true)));
    const bool all = ids.size() + changes.removed.size() <= kIdsToldMax;
    emit(tx, "transcript.updated", open.media, open.task,
         json::serialize(
             json::object{{"media_id", open.media.value},
                          {"task_id", open.task.value},
                          {"revision", revision},
                          {"kind", json::string_view{changes.kind.data(), changes.kind.size()}},
                          {"changed", told_ids(ids, all)},
                          {"removed", told_ids(changes.removed, all)}}));
    return revision;
}

}  // namespace

Result<ports::EditedTranscript> edit_transcript(WriteTx& tx, const ports::TranscriptEdit& edit) {
    const auto open = open_transcript(tx, edit);
    if (!open) {
        return std::unexpected(open.error());
    }
    auto changes = std::visit(Editor{tx, *open, edit.if_newest}, edit.what);
    if (!changes) {
        return std::unexpected(changes.error());
    }
    ports::EditedTranscript edited{.task = open->task,
                                   .revision = open->newest,
                                   .edited = false,
                                   .changed = {},
                                   .removed = {}};
    if (!changes->changed.empty() || !changes->removed.empty()) {
        edited.revision = write(tx, *open, *changes);
        edited.edited = true;
    }
    edited.changed = std::move(changes->changed);
    edited.removed = std::move(changes->removed);
    if (const auto* change = std::get_if<ports::ChangeSegment>(&edit.what);
        change != nullptr && !edited.edited) {
        edited.changed.push_back(open->segments[*find(*open, change->id)].whole());
    }
    return edited;
}

void recognised_again(WriteTx& tx, const TaskRecord& t,
                      const std::vector<domain::Segment>& segments) {
    Open open{.task = t.row.id,
              .media = t.row.media_id,
              .newest = newest_revision(tx.db, t.row.id),
              .segments = {}};
    if (open.newest == 0) {
        return;
    }
    open.segments = stored_segments(tx.db, open.task, open.newest);
    std::vector<StoredSegment> before = stored_segments(tx.db, open.task, 0);
    Changes changes{.kind = "recognised_again", .changed = {}, .removed = {}};
    std::int64_t id = unused_id(tx, open);
    for (const domain::Segment& s : segments) {
        const auto known = std::ranges::find_if(before, [&](const StoredSegment& b) {
            return b.text == s.text && std::chrono::abs(b.span.start - s.span.start) <= kSamePlace;
        });
        if (known != before.end()) {
            before.erase(known);
            continue;
        }
        // Between what an edit has left: no text is dropped for its times.
        const auto next = std::ranges::upper_bound(
            open.segments, s.span.start, {}, [](const StoredSegment& o) { return o.span.start; });
        const Millis from = next == open.segments.begin() ? Millis{0} : std::prev(next)->span.end;
        const Millis to = next == open.segments.end() ? Millis::max() : next->span.start;
        const Millis start = std::clamp(s.span.start, std::min(from, to), to);
        changes.changed.push_back(
            {.id = id++,
             .segment = domain::with_span(s, {start, std::clamp(s.span.end, start, to)})});
        open.segments.insert(next, stored(changes.changed.back()));
    }
    if (changes.changed.empty()) {
        return;
    }
    open.segments.clear();
    write(tx, open, changes);
    // They were recognised, not edited: they are in every revision.
    for (const ports::TranscriptSegment& s : changes.changed) {
        tx.db.execute("UPDATE edited_segments SET born = 0 WHERE task_id = ? AND id = ?", open.task,
                      s.id);
    }
}

}  // namespace durascribe::store
