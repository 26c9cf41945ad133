// Media and tasks come and go.
#include "durascribe/store/sqlite/verbs.h"

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/store/sqlite/json.h"

namespace durascribe::store {
namespace {

namespace json = boost::json;

std::optional<ports::MediaRow> find_media(Connection& db, const MediaId& id) {
    Rows rows = db.query("SELECT " DURASCRIBE_MEDIA_COLUMNS " FROM media WHERE id = ?", id);
    return rows.step() ? std::optional{read_media(rows)} : std::nullopt;
}

void emit_media(WriteTx& tx, std::string_view type, const MediaId& id, const std::string& title) {
    emit(tx, type, id, {}, json::serialize(json::object{{"media_id", id.value}, {"title", title}}));
}

// The row, its first step's units, and "task.created".
ports::TaskRow create_task(WriteTx& tx, const MediaId& media, const TaskId& id,
                           const domain::TaskOptions& options) {
    TaskRecord t;
    t.row.id = id;
    t.row.media_id = media;
    t.row.current_step = "queued";
    t.row.options = options;
    t.row.created_at = t.row.updated_at = tx.now;
    const domain::Step first = domain::steps_for(options).front();
    t.lane = domain::lane_of(first);
    join_queue(tx, t);
    tx.db.execute(
        "INSERT INTO tasks (id, media_id, state, current_step, options, priority, created_at, "
        "updated_at, lane,"
        " step_units, u_pending, u_claimable, fair_tag, waiting_since)"
        " VALUES (?, ?, 'pending', ?, ?, ?, ?, ?, ?, 1, 1, 1, ?, ?)",
        id, media, t.row.current_step, to_json(options), options.priority, tx.now, tx.now,
        static_cast<int>(t.lane), t.fair_tag, t.waiting_since);
    open_step(tx, t, first, {domain::AudioSpan{}});
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

}  // namespace

std::optional<TaskId> active_task(Connection& db, const MediaId& media) {
    Rows rows = db.query(
        "SELECT id FROM tasks WHERE media_id = ? AND state IN ('pending', 'processing', "
        "'retrying')",
        media);
    return rows.step() ? std::optional{TaskId{rows.text()}} : std::nullopt;
}

Error task_running(const TaskId& running) {
    return {
        ErrorClass::request, "task_running",
        fmt::format("The media has a task that has not ended, {}. Wait for it, or cancel it first.",
                    running.value),
        running.value};
}

Result<ports::Submission> submit(WriteTx& tx, const ports::NewMedia& media) {
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
    tx.db.execute(
        "INSERT INTO media (id, title, filename, source_sha256, source_size, created_at, "
        "updated_at, newest_task)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        media.id, media.title, media.filename, media.source.sha256, media.source.size_bytes, tx.now,
        tx.now, media.task_id);
    emit_media(tx, "media.created", media.id, media.title);
    ports::TaskRow task = create_task(tx, media.id, media.task_id, media.options);
    return ports::Submission{.media = *find_media(tx.db, media.id), .task = std::move(task)};
}

Result<ports::Submission> submit_task(WriteTx& tx, const ports::NewTask& task) {
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
    if (const auto running = active_task(tx.db, task.media_id)) {
        return std::unexpected(task_running(*running));
    }
    tx.db.execute("UPDATE media SET newest_task = ?, updated_at = ? WHERE id = ?", task.id, tx.now,
                  task.media_id);
    return ports::Submission{.media = *media,
                             .task = create_task(tx, task.media_id, task.id, task.options)};
}

Result<ports::MediaRow> rename_media(WriteTx& tx, const MediaId& id, const std::string& title) {
    if (tx.db.execute("UPDATE media SET title = ?, updated_at = ? WHERE id = ?", title, tx.now,
                      id) == 0) {
        return std::unexpected(media_not_found(id));
    }
    emit_media(tx, "media.updated", id, title);
    return *find_media(tx.db, id);
}

Result<std::vector<ports::BlobRef>> delete_media(WriteTx& tx, const MediaId& id) {
    const auto media = find_media(tx.db, id);
    if (!media) {
        return std::unexpected(media_not_found(id));
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
    tx.db.execute("DELETE FROM media WHERE id = ?", id);
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
