#include "durascribe/store/sqlite/queries.h"

#include "durascribe/store/sqlite/json.h"
#include "durascribe/store/sqlite/records.h"

namespace durascribe::store {

Result<ports::MediaRow> media(Connection& db, const MediaId& id) {
    Rows rows = db.query("SELECT " DURASCRIBE_MEDIA_COLUMNS " FROM media WHERE id = ?", id);
    if (!rows.step()) {
        return std::unexpected(media_not_found(id));
    }
    return read_media(rows);
}

Result<std::optional<ports::MediaRow>> newest_media_of(Connection& db,
                                                       const ports::BlobRef& source) {
    Rows rows =
        db.query("SELECT " DURASCRIBE_MEDIA_COLUMNS
                 " FROM media WHERE source_sha256 = ? ORDER BY created_at DESC, id DESC LIMIT 1",
                 source.sha256);
    return rows.step() ? std::optional{read_media(rows)} : std::nullopt;
}

Result<std::optional<ports::MediaRow>> newest_media_from(Connection& db, const std::string& url) {
    Rows rows = db.query("SELECT " DURASCRIBE_MEDIA_COLUMNS
                         " FROM media WHERE source_url = ? AND source_url <> ''"
                         " ORDER BY created_at DESC, id DESC LIMIT 1",
                         url);
    return rows.step() ? std::optional{read_media(rows)} : std::nullopt;
}

Result<std::optional<ports::ImportRow>> import_of(Connection& db, const MediaId& media) {
    Rows rows = db.query(
        "SELECT source_url, etag, last_modified, bytes_done, bytes_total, i.filename,"
        " i.source_sha256, i.source_size FROM imports i JOIN media ON media.id = i.media_id"
        " WHERE media_id = ?",
        media);
    if (!rows.step()) {
        return std::nullopt;
    }
    ports::ImportRow import{.media_id = media};
    import.url = rows.text();
    import.etag = rows.text();
    import.last_modified = rows.text();
    import.bytes_done = rows.integer();
    import.bytes_total = rows.maybe_integer();
    import.filename = rows.text();
    import.source.sha256 = rows.text();
    import.source.size_bytes = rows.integer();
    return import;
}

Result<ports::TaskRow> task(Connection& db, const TaskId& id) {
    Rows rows = db.query("SELECT " DURASCRIBE_TASK_COLUMNS " FROM tasks WHERE id = ?", id);
    if (!rows.step()) {
        return std::unexpected(task_not_found(id));
    }
    return read_task(rows);
}

Result<std::optional<ports::TaskRow>> newest_task(Connection& db, const MediaId& media) {
    Rows rows = db.query("SELECT " DURASCRIBE_TASK_COLUMNS
                         " FROM tasks WHERE id = (SELECT newest_task FROM media WHERE id = ?)",
                         media);
    return rows.step() ? std::optional{read_task(rows)} : std::nullopt;
}

Result<std::vector<ports::UnitRow>> units(Connection& db, const TaskId& task) {
    std::vector<ports::UnitRow> list;
    Rows rows = db.query("SELECT " DURASCRIBE_UNIT_COLUMNS
                         " FROM units WHERE task_id = ? ORDER BY step, ordinal",
                         task);
    while (rows.step()) {
        list.push_back(read_unit(rows));
    }
    return list;
}

Result<std::vector<ports::AttemptRow>> attempts(Connection& db, const TaskId& task) {
    std::vector<ports::AttemptRow> list;
    // A lease number grows by one with every claim of its unit, so it numbers the attempts, too.
    Rows rows = db.query(
        "SELECT unit_id, step, ordinal, run_number, lease, node, model, started_at, ended_at, "
        "outcome, error_class, "
        "error_code, error_message,"
        " audio_done_ms FROM attempts WHERE task_id = ? ORDER BY started_at, unit_id, lease",
        task);
    while (rows.step()) {
        ports::AttemptRow a;
        a.unit_id.value = rows.integer();
        a.step = static_cast<domain::Step>(rows.small());
        a.ordinal = rows.small();
        a.run_number = rows.small();
        a.lease = rows.integer();
        a.number = static_cast<int>(a.lease);
        a.node = rows.text();
        a.model = rows.text();
        a.started_at = rows.wall();
        a.ended_at = rows.maybe_wall();
        a.outcome = rows.text();
        a.error = read_error(rows);
        a.audio_done = rows.millis();
        list.push_back(std::move(a));
    }
    return list;
}

namespace {

std::vector<domain::Segment> read_segments(Connection& db, const TaskId& task, bool joined) {
    std::vector<domain::Segment> list;
    Rows rows = db.query(
        "SELECT start_ms, end_ms, text, confidence, speaker, words FROM segments"
        " WHERE task_id = ? AND (unit_id = 0) = ? ORDER BY start_ms, unit_id, position",
        task, joined);
    while (rows.step()) {
        domain::Segment s;
        s.span.start = rows.millis();
        s.span.end = rows.millis();
        s.text = rows.text();
        s.confidence = rows.real();
        s.speaker = rows.maybe_text();
        s.words = words_from_json(rows.bytes());
        list.push_back(std::move(s));
    }
    return list;
}

}  // namespace

Result<std::vector<domain::Segment>> segments(Connection& db, const TaskId& task) {
    const bool joined =
        db.query("SELECT 1 FROM documents WHERE task_id = ? LIMIT 1", task).step() ||
        db.query("SELECT 1 FROM segments WHERE task_id = ? AND unit_id = 0 LIMIT 1", task).step();
    return read_segments(db, task, joined);
}

Result<std::vector<domain::Segment>> chunk_segments(Connection& db, const TaskId& task) {
    return read_segments(db, task, false);
}

Result<std::vector<domain::Gap>> gaps(Connection& db, const TaskId& task) {
    std::vector<domain::Gap> list;
    Rows rows = db.query(
        "SELECT span_start_ms, span_end_ms, error_message FROM units"
        " WHERE task_id = ? AND step = ? AND state = 'failed' ORDER BY ordinal",
        task, static_cast<int>(domain::Step::transcribe));
    while (rows.step()) {
        domain::Gap gap;
        gap.span.start = rows.millis();
        gap.span.end = rows.millis();
        gap.reason = rows.text();
        list.push_back(std::move(gap));
    }
    return list;
}

Result<std::optional<std::string>> document(Connection& db, const TaskId& task,
                                            domain::DocumentFormat format) {
    Rows rows = db.query("SELECT content FROM documents WHERE task_id = ? AND format = ?", task,
                         to_string(format));
    return rows.step() ? std::optional{rows.text()} : std::nullopt;
}

Result<std::optional<domain::WaveformPeaks>> peaks(Connection& db, const MediaId& media) {
    Rows rows = db.query("SELECT bucket_ms, min_max FROM media_peaks WHERE media_id = ?", media);
    if (!rows.step()) {
        return std::nullopt;
    }
    domain::WaveformPeaks peaks{.bucket = rows.millis(), .min_max = {}};
    const std::string_view bytes = rows.bytes();
    peaks.min_max.assign(bytes.begin(), bytes.end());
    return peaks;
}

Result<std::optional<domain::Poster>> poster(Connection& db, const MediaId& media) {
    Rows rows = db.query("SELECT mime_type, picture FROM media_posters WHERE media_id = ?", media);
    if (!rows.step()) {
        return std::nullopt;
    }
    domain::Poster poster;
    poster.mime_type = rows.text();
    poster.bytes = rows.text();
    return poster;
}

Result<std::optional<ports::BlobRef>> decoded_audio(Connection& db, const MediaId& media) {
    Rows rows = db.query(
        "SELECT pcm_sha256, pcm_size FROM tasks WHERE media_id = ? AND pcm_sha256 <> ''"
        " ORDER BY rowid DESC LIMIT 1",
        media);
    if (!rows.step()) {
        return std::nullopt;
    }
    ports::BlobRef audio;
    audio.sha256 = rows.text();
    audio.size_bytes = rows.integer();
    return audio;
}

Result<bool> key_known(Connection& db, const ports::IdempotencyKey& key) {
    return db
        .query("SELECT 1 FROM idempotency_keys WHERE owner = ? AND key = ?", key.owner, key.key)
        .step();
}

Result<bool> blob_referenced(Connection& db, const std::string& sha256) {
    return db
        .query(
            "SELECT 1 FROM media WHERE source_sha256 = ?1"
            " UNION ALL SELECT 1 FROM tasks WHERE pcm_sha256 = ?1 AND pcm_sha256 <> ''"
            " UNION ALL SELECT 1 FROM uploads WHERE source_sha256 = ?1 AND finished_at IS NULL"
            " UNION ALL SELECT 1 FROM imports WHERE source_sha256 = ?1 AND source_sha256 <> ''"
            " LIMIT 1",
            sha256)
        .step();
}

Result<std::vector<ports::NamedBlob>> named_blobs(Connection& db, const std::string& after,
                                                  int limit) {
    std::vector<ports::NamedBlob> list;
    // Both halves read an index in its order and end at the limit, so that a page costs what it
    // holds: without a limit of its own each would be read to its end and sorted.
    Rows rows = db.query(
        "SELECT * FROM (SELECT source_sha256, max(source_size), 1 FROM media"
        " WHERE source_sha256 > ?1 GROUP BY source_sha256 ORDER BY source_sha256 LIMIT ?2)"
        " UNION ALL SELECT * FROM (SELECT pcm_sha256, max(pcm_size), 0 FROM tasks"
        " WHERE pcm_sha256 > ?1 AND pcm_sha256 <> '' AND NOT EXISTS (SELECT 1 FROM media"
        " WHERE source_sha256 = pcm_sha256) GROUP BY pcm_sha256 ORDER BY pcm_sha256 LIMIT ?2)"
        " ORDER BY 1 LIMIT ?2",
        after, limit);
    while (rows.step()) {
        ports::NamedBlob named;
        named.blob.sha256 = rows.text();
        named.blob.size_bytes = rows.integer();
        named.is_source = rows.small() == 1;
        list.push_back(std::move(named));
    }
    return list;
}

Result<std::optional<WallTime>> next_wake_up(Connection& db, const ports::Clock& clock) {
    Rows rows =
        db.query("SELECT min(not_before_mono) FROM units WHERE not_before_mono IS NOT NULL");
    if (!rows.step() || rows.null()) {
        return std::nullopt;
    }
    return clock.wall() + (MonoTime{rows.millis()} - clock.mono());
}

}  // namespace durascribe::store
