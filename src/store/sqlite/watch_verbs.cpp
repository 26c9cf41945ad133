// Files of watched folders: which were taken, and what is still to be put beside them.
#include "durascribe/store/sqlite/queries.h"
#include "durascribe/store/sqlite/verbs.h"

namespace durascribe::store {
namespace {

#define DURASCRIBE_WATCHED_COLUMNS "path, inode, size, mtime_ns, media_id, task_id, written"
ports::WatchedRow read_watched(Rows& rows) {
    ports::WatchedRow row;
    row.file.path = rows.text();
    row.file.inode = rows.integer();
    row.file.size = rows.integer();
    row.file.mtime_ns = rows.integer();
    row.media_id.value = rows.text();
    row.task_id.value = rows.text();
    row.written = rows.flag();
    return row;
}

}  // namespace

std::optional<ports::Submission> taken_before(WriteTx& tx, const ports::WatchedFile& file) {
    const auto before = watched_file(tx.db, file.path);
    if (!before || !*before || (*before)->file != file) {
        return std::nullopt;
    }
    ports::Submission made{.replayed = true};
    made.media.id = (*before)->media_id;
    made.task.id = (*before)->task_id;
    if (auto row = media(tx.db, made.media.id)) {
        made.media = std::move(*row);
    }
    if (auto row = task(tx.db, made.task.id)) {
        made.task = std::move(*row);
    }
    return made;
}

void keep_watched(WriteTx& tx, const ports::WatchedFile& file, const MediaId& media,
                  const TaskId& task) {
    tx.db.execute(
        "INSERT OR REPLACE INTO watched_files (path, inode, size, mtime_ns, media_id, task_id,"
        " taken_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        file.path, file.inode, file.size, file.mtime_ns, media, task, tx.now);
}

Result<void> mark_written(WriteTx& tx, const ports::WatchedFile& file) {
    tx.db.execute(
        "UPDATE watched_files SET written = 1 WHERE path = ? AND inode = ? AND size = ? AND"
        " mtime_ns = ?",
        file.path, file.inode, file.size, file.mtime_ns);
    return {};
}

Result<std::optional<ports::WatchedRow>> watched_file(Connection& db, const std::string& path) {
    Rows rows =
        db.query("SELECT " DURASCRIBE_WATCHED_COLUMNS " FROM watched_files WHERE path = ?", path);
    return rows.step() ? std::optional{read_watched(rows)} : std::nullopt;
}

Result<std::vector<ports::WatchedRow>> unwritten_files(Connection& db, int limit) {
    std::vector<ports::WatchedRow> list;
    Rows rows = db.query("SELECT " DURASCRIBE_WATCHED_COLUMNS
                         " FROM watched_files w WHERE written = 0 AND EXISTS (SELECT 1 FROM"
                         " tasks t WHERE t.id = w.task_id AND (t.state = 'completed' OR t.state ="
                         " 'partial_failure')) LIMIT ?",
                         limit);
    while (rows.step()) {
        list.push_back(read_watched(rows));
    }
    return list;
}

}  // namespace durascribe::store
