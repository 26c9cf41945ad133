// Transcripts: which one is shown, and as of which revision.
#include <charconv>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/domain/subtitle_formats.h"
#include "durascribe/store/sqlite/json.h"
#include "durascribe/store/sqlite/queries.h"
#include "durascribe/store/sqlite/records.h"

namespace durascribe::store {
namespace {

std::vector<StoredSegment> recognised(Connection& db, const TaskId& task) {
    std::vector<StoredSegment> list;
    {
        Rows rows = db.query(
            "SELECT position, 0, start_ms, end_ms, text, confidence, speaker, words FROM segments"
            " WHERE task_id = ? AND unit_id = 0 ORDER BY start_ms, position",
            task);
        while (rows.step()) {
            list.push_back(read_segment(rows));
        }
    }
    if (!list.empty() ||
        db.query("SELECT 1 FROM documents WHERE task_id = ? LIMIT 1", task).step()) {
        return list;
    }
    auto chunks = segments(db, task);
    for (const domain::Segment& s : domain::join_chunks({std::move(*chunks)})) {
        list.push_back({.id = static_cast<std::int64_t>(list.size()),
                        .span = s.span,
                        .text = s.text,
                        .confidence = s.confidence,
                        .speaker = s.speaker,
                        .words = to_json(s.words)});
    }
    return list;
}

std::vector<std::int64_t> ids_of(std::string_view text) {
    std::vector<std::int64_t> ids;
    const auto list = boost::json::parse({text.data(), text.size()});
    for (const auto& id : list.as_array()) {
        ids.push_back(id.to_number<std::int64_t>());
    }
    return ids;
}

}  // namespace

std::optional<TaskId> shown_task_id(Connection& db, const MediaId& media) {
    // By rowid, in the order in which they were made: a wall clock may have gone back between them.
    Rows rows = db.query("SELECT id FROM tasks t WHERE media_id = ? AND " DURASCRIBE_TASK_DELIVERED
                         " ORDER BY rowid DESC LIMIT 1",
                         media);
    return rows.step() ? std::optional{TaskId{rows.text()}} : std::nullopt;
}

Result<std::optional<ports::TaskRow>> shown_task(Connection& db, const MediaId& media) {
    const auto id = shown_task_id(db, media);
    if (!id) {
        return std::nullopt;
    }
    auto row = task(db, *id);
    return row ? Result<std::optional<ports::TaskRow>>(std::move(*row))
               : std::unexpected(row.error());
}

int newest_revision(Connection& db, const TaskId& task) {
    Rows rows = db.query(
        "SELECT coalesce(max(revision), 0) FROM transcript_revisions WHERE task_id = ?", task);
    DURASCRIBE_ASSERT(rows.step());
    return rows.small();
}

std::vector<StoredSegment> stored_segments(Connection& db, const TaskId& task, int revision) {
    const int newest = newest_revision(db, task);
    if (newest == 0) {
        return recognised(db, task);
    }
    std::vector<StoredSegment> list;
    const auto read = [&list](Rows rows) {
        while (rows.step()) {
            list.push_back(read_segment(rows));
        }
    };
    if (revision == newest) {
        read(db.query("SELECT " DURASCRIBE_EDITED_COLUMNS
                      " FROM edited_segments WHERE task_id = ? AND died IS NULL"
                      " ORDER BY start_ms, id",
                      task));
    } else {
        read(db.query("SELECT " DURASCRIBE_EDITED_COLUMNS
                      " FROM edited_segments WHERE task_id = ?1 AND born <= ?2"
                      " AND (died IS NULL OR died > ?2) ORDER BY start_ms, id",
                      task, revision));
    }
    return list;
}

Result<ports::TranscriptText> transcript(Connection& db, const TaskId& task,
                                         std::optional<int> revision) {
    ports::TranscriptText text;
    text.newest = newest_revision(db, task);
    text.revision = revision.value_or(text.newest);
    if (text.revision < 0 || text.revision > text.newest) {
        return fail(ErrorClass::request, "not_found",
                    fmt::format("There is no revision {} of the transcript: the newest is {}.",
                                text.revision, text.newest));
    }
    for (const StoredSegment& s : stored_segments(db, task, text.revision)) {
        text.segments.push_back(s.whole());
    }
    return text;
}

Result<ports::PageOf<ports::TranscriptRevision>> revisions(Connection& db, const TaskId& task,
                                                           const ports::Page& page) {
    const auto limit = checked_limit(page.limit);
    if (!limit) {
        return std::unexpected(limit.error());
    }
    int before = std::numeric_limits<int>::max();
    const char* const end = page.cursor.data() + page.cursor.size();
    if (!page.cursor.empty()) {
        const auto [read, failed] = std::from_chars(page.cursor.data(), end, before);
        if (failed != std::errc{} || read != end) {
            return std::unexpected(bad_cursor());
        }
    }
    ports::PageOf<ports::TranscriptRevision> found;
    Rows rows = db.query(
        "SELECT revision, at, kind, changed, removed FROM transcript_revisions"
        " WHERE task_id = ? AND revision < ? ORDER BY revision DESC LIMIT ?",
        task, before, *limit + 1);
    while (rows.step()) {
        if (found.rows.size() == static_cast<std::size_t>(*limit)) {
            found.next_cursor = fmt::format("{}", found.rows.back().revision);
            break;
        }
        ports::TranscriptRevision r;
        r.revision = rows.small();
        r.at = rows.wall();
        r.kind = rows.text();
        r.changed = ids_of(rows.bytes());
        r.removed = ids_of(rows.bytes());
        found.rows.push_back(std::move(r));
    }
    return found;
}

}  // namespace durascribe::store
