// Media and tasks come and go.
#include "durascribe/store/sqlite/verbs.h"

#include <algorithm>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/store/sqlite/json.h"
#include "durascribe/store/sqlite/search_index.h"
#include "durascribe/store/sqlite/token_verbs.h"

namespace durascribe::store {
namespace {

namespace json = boost::json;
using domain::Step;

// Tasks over the same bytes that are looked at for one to join; then a new one is made.
constexpr int kLooksBackMax = 200;

std::optional<ports::MediaRow> find_media(Connection& db, const MediaId& id) {
    Rows rows = db.query("SELECT " DURASCRIBE_MEDIA_COLUMNS " FROM media WHERE id = ?", id);
    return rows.step() ? std::optional{read_media(rows)} : std::nullopt;
}

void emit_media(WriteTx& tx, std::string_view type, const MediaId& id, const std::string& title) {
    emit(tx, type, id, {}, json::serialize(json::object{{"media_id", id.value}, {"title", title}}));
}

// What a new task takes over from an older one of its media (TaskOptions::from_step).
struct Inheritance {
    domain::TaskOptions options;  // from_step: the step that really is the first
    std::optional<TaskId> from;
    ports::BlobRef pcm;
    Millis audio{0};
    std::vector<domain::AudioSpan> spans{domain::AudioSpan{}};  // of the first step's units
    domain::ModelChoice choice;                                 // that did the work, or will
};

// The newest that heard the same audio track, and of which the condition is true. Of tasks the one
// that was made last is the newest, here and below: a wall clock may have gone back between them.
std::optional<TaskId> newest_with(WriteTx& tx, const MediaId& media, std::optional<int> audio_track,
                                  std::string_view condition) {
    Rows rows = tx.db.query(fmt::format("SELECT id FROM tasks t WHERE media_id = ? AND"
                                        " json_extract(options, '$.audio_track') IS ? AND {}"
                                        " ORDER BY rowid DESC LIMIT 1",
                                        condition),
                            media, audio_track);
    return rows.step() ? std::optional{TaskId{rows.text()}} : std::nullopt;
}

std::vector<domain::AudioSpan> chunks_of(WriteTx& tx, const TaskId& task) {
    std::vector<domain::AudioSpan> spans;
    Rows rows = tx.db.query(
        "SELECT span_start_ms, span_end_ms FROM units WHERE task_id = ? AND step = ?"
        " ORDER BY ordinal",
        task, static_cast<int>(Step::transcribe));
    while (rows.step()) {
        const Millis start = rows.millis();
        spans.push_back({start, rows.millis()});
    }
    return spans;
}

Inheritance inherit(WriteTx& tx, const MediaId& media, const domain::TaskOptions& asked,
                    const domain::ModelChoice& choice) {
    Inheritance i{.options = asked};
    if (!asked.from_step) {
        return i;
    }
    if (*asked.from_step > Step::transcribe) {
        // A silent media has no chunks, and its empty transcript is as good as any.
        i.from = newest_with(tx, media, asked.audio_track,
                             "completed_at IS NOT NULL AND (EXISTS (SELECT 1 FROM units WHERE "
                             "task_id = t.id AND step = 2 AND state = 'completed')"
                             " OR (state = 'completed' AND NOT EXISTS (SELECT 1 FROM units WHERE "
                             "task_id = t.id AND step = 2)))");
        i.options.from_step = asked.diarize ? *asked.from_step : Step::finalize;
    }
    if (!i.from && *asked.from_step >= Step::transcribe) {
        i.from = newest_with(tx, media, asked.audio_track,
                             "pcm_sha256 <> '' AND EXISTS (SELECT 1 FROM units WHERE task_id = "
                             "t.id AND step = 2)");
        i.options.from_step = Step::transcribe;
    }
    if (!i.from) {
        i.options.from_step.reset();
        return i;
    }
    const TaskRecord old = *load_task(tx.db, *i.from);
    i.audio = old.audio;
    i.pcm = old.pcm;  // a gap that is taken over may be retried
    if (*i.options.from_step == Step::transcribe) {
        i.choice = choice;
        i.spans = chunks_of(tx, *i.from);
    } else {
        i.choice = {old.row.engine, old.row.model, old.row.model_reason};
        i.spans = {domain::AudioSpan{Millis{0}, i.audio}};
    }
    return i;
}

// The chunks that were recognised, with their text; those that were not stay gaps.
void copy_chunks(WriteTx& tx, const TaskId& from, const TaskId& to) {
    tx.db.execute(
        "INSERT INTO units (task_id, step, ordinal, span_start_ms, span_end_ms, state, "
        "audio_done_ms, started_at, completed_at, error_class, error_code, error_message)"
        " SELECT ?1, step, ordinal, span_start_ms, span_end_ms,"
        "  iif(state = 'completed', state, 'failed'), audio_done_ms, started_at,"
        "  coalesce(completed_at, ?3),"
        "  iif(state = 'completed', NULL, coalesce(error_class, 'request')),"
        "  iif(state = 'completed', NULL, coalesce(error_code, 'cancelled')),"
        "  iif(state = 'completed', NULL, coalesce(error_message, 'Cancelled by user.'))"
        " FROM units WHERE task_id = ?2 AND step = 2 ORDER BY ordinal",
        to, from, tx.now);
    tx.db.execute(
        "INSERT INTO segments (task_id, unit_id, position, start_ms, end_ms, text, confidence, "
        "speaker, words)"
        " SELECT ?1, n.id, s.position, s.start_ms, s.end_ms, s.text, s.confidence, s.speaker, "
        "s.words FROM units o JOIN segments s ON s.task_id = ?2 AND s.unit_id = o.id"
        " JOIN units n ON n.task_id = ?1 AND n.step = 2 AND n.ordinal = o.ordinal"
        " WHERE o.task_id = ?2 AND o.step = 2",
        to, from);
}

// The row, its first step's units, and "task.created".
ports::TaskRow create_task(WriteTx& tx, const MediaId& media, const TaskId& id,
                           const domain::TaskOptions& asked, const std::optional<TokenId>& token,
                           const domain::ModelChoice& choice = {}) {
    const Inheritance i = inherit(tx, media, asked, choice);
    TaskRecord t;
    t.row = {.id = id,
             .media_id = media,
             .current_step = "queued",
             .options = i.options,
             .created_at = tx.now,
             .updated_at = tx.now,
             .engine = i.choice.engine,
             .model = i.choice.model,
             .model_reason = i.choice.reason};
    t.pcm = i.pcm;
    t.audio = i.audio;
    const domain::Step first = domain::steps_for(i.options).front();
    const bool with_chunks = i.from && first > Step::transcribe;
    if (with_chunks) {
        Rows rows = tx.db.query(
            "SELECT count(*) FILTER (WHERE state = 'completed'), count(*) FROM units"
            " WHERE task_id = ? AND step = 2",
            *i.from);
        DURASCRIBE_ASSERT(rows.step());
        t.completed = rows.small();
        t.failed = rows.small() - t.completed;
    }
    t.lane = domain::lane_of(first);
    join_queue(tx, t);
    const int units = static_cast<int>(i.spans.size());
    tx.db.execute(
        "INSERT INTO tasks (id, media_id, state, current_step, options, priority, created_at, "
        "updated_at, engine, model, model_reason, pcm_sha256, pcm_size, audio_ms, lane, step_units,"
        " u_pending, u_claimable, u_completed, u_failed, fair_tag, waiting_since, token_id)"
        " VALUES (?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        id, media, t.row.current_step, to_json(i.options), i.options.priority, tx.now, tx.now,
        t.row.engine, t.row.model, t.row.model_reason, t.pcm.sha256, t.pcm.size_bytes, t.audio,
        static_cast<int>(t.lane), units, units, units, t.completed, t.failed, t.fair_tag,
        t.waiting_since, token);
    if (with_chunks && t.completed + t.failed > 0) {
        copy_chunks(tx, *i.from, id);
    }
    open_step(tx, t, first, i.spans);
    tx.lanes[static_cast<std::size_t>(t.lane)] = true;
    emit_task(tx, "task.created", t);
    return t.row;
}

Error id_conflict(std::string_view what, std::string_view id) {
    return {ErrorClass::request,
            "id_conflict",
            fmt::format("The {} {} is there already, for something else. Use a new id.", what, id),
            {}};
}

Result<void> check_revision(const ports::MediaRow& media,
                            const std::optional<std::vector<int>>& if_revision) {
    if (if_revision && std::ranges::find(*if_revision, media.revision) == if_revision->end()) {
        return fail(
            ErrorClass::request, "precondition_failed",
            "The media was changed since you have read it. Read it anew, and decide again.");
    }
    return {};
}

}  // namespace

std::optional<TaskId> active_task(Connection& db, const MediaId& media) {
    // One that goes on before one that is being stopped; an index each.
    Rows going = db.query(
        "SELECT id FROM tasks WHERE media_id = ? AND completed_at IS NULL"
        " AND cancel_requested_at IS NULL",
        media);
    if (going.step()) {
        return TaskId{going.text()};
    }
    Rows stopping = db.query(
        "SELECT id FROM tasks WHERE media_id = ? AND completed_at IS NULL"
        " AND cancel_requested_at IS NOT NULL LIMIT 1",
        media);
    return stopping.step() ? std::optional{TaskId{stopping.text()}} : std::nullopt;
}

Error task_running(const TaskId& running) {
    return {
        ErrorClass::request, "task_running",
        fmt::format("The media has a task that has not ended, {}. Wait for it, or cancel it first.",
                    running.value),
        running.value};
}

Result<std::optional<std::string>> first_answer(WriteTx& tx, const ports::IdempotencyKey& key) {
    Rows rows =
        tx.db.query("SELECT fingerprint, answer FROM idempotency_keys WHERE owner = ? AND key = ?",
                    key.owner, key.key);
    if (!rows.step()) {
        return std::nullopt;
    }
    if (rows.text() != key.fingerprint) {
        return fail(ErrorClass::request, "idempotency_key_reused",
                    "This Idempotency-Key came before, with another request. Use a new one.");
    }
    return rows.text();
}

void keep_answer(WriteTx& tx, const ports::IdempotencyKey& key, const std::string& answer) {
    tx.db.execute(
        "INSERT INTO idempotency_keys (owner, key, fingerprint, answer, created_at)"
        " VALUES (?, ?, ?, ?, ?)",
        key.owner, key.key, key.fingerprint, answer, tx.now);
}

namespace {

Result<std::optional<ports::Submission>> made_before(
    WriteTx& tx, const std::optional<ports::IdempotencyKey>& key) {
    if (!key) {
        return std::nullopt;
    }
    auto answer = first_answer(tx, *key);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    if (!*answer) {
        return std::nullopt;
    }
    ports::Submission made = submission_from_json(**answer);
    made.replayed = true;
    return made;
}

std::optional<ports::Submission> same_work_before(WriteTx& tx, const ports::NewMedia& media) {
    std::optional<ports::TaskRow> found;
    {
        Rows rows = tx.db.query("SELECT " DURASCRIBE_TASK_COLUMNS
                                " FROM tasks WHERE media_id IN (SELECT id FROM media WHERE"
                                " source_sha256 = ?1 AND source_size = ?2)"
                                " ORDER BY rowid DESC LIMIT ?3",
                                media.source.sha256, media.source.size_bytes, kLooksBackMax);
        // What is finished comes before what is at work, and that before what has to be done again.
        const auto worth = [](const ports::TaskRow& task) {
            return task.state == domain::TaskState::completed ? 2
                   : domain::is_terminal(task.state)          ? 0
                                                              : 1;
        };
        while ((!found || worth(*found) < 2) && rows.step()) {
            ports::TaskRow task = read_task(rows);
            const bool stopping = task.cancel_requested_at && !domain::is_terminal(task.state);
            if (!stopping && domain::same_work(task.options, media.options) &&
                (!found || worth(task) > worth(*found))) {
                found = std::move(task);
            }
        }
    }
    if (!found) {
        return std::nullopt;
    }
    auto row = find_media(tx.db, found->media_id);
    return ports::Submission{.media = std::move(*row),
                             .task = std::move(*found),
                             .source_known = true,
                             .replayed = true};
}

}  // namespace

Result<ports::Submission> submit(WriteTx& tx, const ports::NewMedia& media) {
    if (auto before = made_before(tx, media.idempotency); !before || *before) {
        return before ? Result<ports::Submission>(std::move(**before))
                      : std::unexpected(before.error());
    }
    if (const auto row = find_media(tx.db, media.id)) {
        const auto there = load_task(tx.db, media.task_id);
        if (!there || there->row.media_id != media.id) {
            return std::unexpected(id_conflict("media", media.id.value));
        }
        return ports::Submission{.media = *row, .task = there->row, .replayed = true};
    }
    if (load_task(tx.db, media.task_id)) {
        return std::unexpected(id_conflict("task", media.task_id.value));
    }
    if (media.watched) {
        if (auto before = taken_before(tx, *media.watched)) {
            return std::move(*before);
        }
        keep_watched(tx, *media.watched, media.id, media.task_id);
    }
    if (media.join) {
        if (auto before = same_work_before(tx, media)) {
            return std::move(*before);
        }
    }
    if (auto allowed = check_charge(tx.db, media.charge, media.source.size_bytes); !allowed) {
        return std::unexpected(allowed.error());
    }
    tx.db.execute(
        "INSERT INTO media (id, title, filename, source_sha256, source_size, created_at, "
        "updated_at, newest_task, source_url, token_id, number)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        media.id, media.title, media.filename, media.source.sha256, media.source.size_bytes, tx.now,
        tx.now, media.task_id, media.url, media.charge.token, next_search_number(tx));
    if (media.source.empty()) {
        tx.db.execute("INSERT INTO imports (media_id, titled) VALUES (?, ?)", media.id,
                      media.titled);
    }
    index_title(tx, media.id, media.title);
    emit_media(tx, "media.created", media.id, media.title);
    const bool known = !media.source.empty() &&
                       tx.db
                           .query("SELECT 1 FROM media WHERE source_sha256 = ? AND id <> ? LIMIT 1",
                                  media.source.sha256, media.id)
                           .step();
    ports::Submission made{
        .media = *find_media(tx.db, media.id),
        .task = create_task(tx, media.id, media.task_id, media.options, media.charge.token),
        .source_known = known};
    if (media.idempotency) {
        keep_answer(tx, *media.idempotency, to_json(made));
    }
    return made;
}

Result<ports::Submission> submit_task(WriteTx& tx, const ports::NewTask& task) {
    if (auto before = made_before(tx, task.idempotency); !before || *before) {
        return before ? Result<ports::Submission>(std::move(**before))
                      : std::unexpected(before.error());
    }
    const auto media = find_media(tx.db, task.media_id);
    if (const auto there = load_task(tx.db, task.id)) {
        if (!media || there->row.media_id != task.media_id) {
            return std::unexpected(id_conflict("task", task.id.value));
        }
        return ports::Submission{.media = *media, .task = there->row, .replayed = true};
    }
    if (!media) {
        return std::unexpected(media_not_found(task.media_id));
    }
    ports::Submission made{.media = *media, .task = {}};
    if (const auto running = active_task(tx.db, task.media_id)) {
        if (!task.force) {
            return std::unexpected(task_running(*running));
        }
        auto cancelled = request_cancel(tx, *running);
        if (!cancelled) {
            return std::unexpected(cancelled.error());
        }
        made.replaced = *running;
        made.stopping = std::move(cancelled->running);
    }
    // After the cancel: a task that takes another's place counts as one.
    if (auto allowed = check_charge(tx.db, task.charge, 0); !allowed) {
        return std::unexpected(allowed.error());
    }
    tx.db.execute("UPDATE media SET newest_task = ?, updated_at = ? WHERE id = ?", task.id, tx.now,
                  task.media_id);
    domain::TaskOptions options = task.options;
    options.from_url = media->source.empty();  // what is there is not fetched again
    made.task = create_task(tx, task.media_id, task.id, options, task.charge.token, task.choice);
    if (task.idempotency) {
        keep_answer(tx, *task.idempotency, to_json(made));
    }
    return made;
}

Result<ports::MediaRow> rename_media(WriteTx& tx, const MediaId& id, const std::string& title,
                                     const std::optional<std::vector<int>>& if_revision) {
    const auto there = find_media(tx.db, id);
    if (!there) {
        return std::unexpected(media_not_found(id));
    }
    if (auto unchanged = check_revision(*there, if_revision); !unchanged) {
        return std::unexpected(unchanged.error());
    }
    tx.db.execute(
        "UPDATE media SET title = ?, updated_at = ?, revision = revision + 1 WHERE id = ?", title,
        tx.now, id);
    // Where it is still being fetched: what comes does not name it any more.
    tx.db.execute("UPDATE imports SET titled = 1 WHERE media_id = ?", id);
    index_title(tx, id, title);
    emit_media(tx, "media.updated", id, title);
    return *find_media(tx.db, id);
}

Result<std::vector<ports::BlobRef>> delete_media(
    WriteTx& tx, const MediaId& id, const std::optional<std::vector<int>>& if_revision) {
    const auto media = find_media(tx.db, id);
    if (!media) {
        return std::unexpected(media_not_found(id));
    }
    if (auto unchanged = check_revision(*media, if_revision); !unchanged) {
        return std::unexpected(unchanged.error());
    }
    if (const auto running = active_task(tx.db, id)) {
        return std::unexpected(task_running(*running));
    }
    std::vector<ports::BlobRef> blobs;
    {
        Rows rows = tx.db.query(
            "SELECT source_sha256, source_size FROM media WHERE id = ?1 AND source_sha256 <> ''"
            " UNION SELECT pcm_sha256, pcm_size FROM tasks WHERE media_id = ?1 AND pcm_sha256 <> "
            "''",
            id);
        while (rows.step()) {
            ports::BlobRef blob{rows.text(), 0};
            blob.size_bytes = rows.integer();
            blobs.push_back(std::move(blob));
        }
    }
    unindex_media(tx, id);
    tx.db.execute("DELETE FROM media WHERE id = ?", id);
    tx.db.execute(
        "DELETE FROM batches WHERE id IN (SELECT batch_id FROM batch_items WHERE media_id = ?)"
        " AND NOT EXISTS (SELECT 1 FROM batch_items i JOIN media m ON m.id = i.media_id"
        " WHERE i.batch_id = batches.id)",
        id);
    std::erase_if(blobs, [&](const ports::BlobRef& b) {
        return tx.db
            .query(
                "SELECT 1 FROM media WHERE source_sha256 = ?1"
                " UNION ALL SELECT 1 FROM tasks WHERE pcm_sha256 = ?1 AND pcm_sha256 <> '' LIMIT 1",
                b.sha256)
            .step();
    });
    emit_media(tx, "media.deleted", id, media->title);
    return blobs;
}

}  // namespace durascribe::store
