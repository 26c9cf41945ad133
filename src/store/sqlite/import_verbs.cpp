// Media that are fetched from a URL: how far they have come, and that they are there.
#include <boost/json.hpp>

#include "durascribe/store/sqlite/queries.h"
#include "durascribe/store/sqlite/search_index.h"
#include "durascribe/store/sqlite/verbs.h"

namespace durascribe::store {

namespace json = boost::json;

Result<void> record_import(WriteTx& tx, const ports::Lease& lease, const ports::ImportRow& import) {
    const auto held = hold(tx, lease, domain::Step::acquire);
    if (!held) {
        return std::unexpected(held.error());
    }
    tx.db.execute(
        "UPDATE imports SET etag = ?, last_modified = ?, bytes_done = ?, bytes_total = ?,"
        " filename = ?, source_sha256 = ?, source_size = ? WHERE media_id = ?",
        import.etag, import.last_modified, import.bytes_done, import.bytes_total, import.filename,
        import.source.sha256, import.source.size_bytes, held->task.row.media_id);
    return {};
}

namespace {

std::string title_of(const std::string& filename) {
    const auto dot = filename.rfind('.');
    return dot == std::string::npos || dot == 0 ? filename : filename.substr(0, dot);
}

// What was fetched becomes the media's, with its name. A title that changes by it is a change as
// any other: who holds the ETag from before is told.
void take_source(WriteTx& tx, const MediaId& id, const ports::ImportRow& import) {
    if (!import.filename.empty()) {
        tx.db.execute("UPDATE media SET filename = ? WHERE id = ?", import.filename, id);
        tx.db.execute(
            "UPDATE media SET title = ?1, revision = revision + 1 WHERE id = ?2 AND title <> ?1"
            " AND NOT (SELECT titled FROM imports WHERE media_id = ?2)",
            title_of(import.filename), id);
    }
    tx.db.execute(
        "UPDATE media SET source_sha256 = ?, source_size = ?, updated_at = ? WHERE id = ?",
        import.source.sha256, import.source.size_bytes, tx.now, id);
    tx.db.execute("DELETE FROM imports WHERE media_id = ?", id);
}

}  // namespace

Result<ports::UnitEnd> finish_acquire(WriteTx& tx, const ports::Lease& lease) {
    auto held = hold(tx, lease, domain::Step::acquire);
    if (!held) {
        return std::unexpected(held.error());
    }
    TaskRecord& t = held->task;
    const MediaId id = t.row.media_id;
    const auto import = import_of(tx.db, id);
    if (!import) {
        return std::unexpected(import.error());
    }
    const bool whole = *import && !(*import)->source.empty();
    if (!whole) {
        const auto there = media(tx.db, id);
        if (*import || !there || there->source.empty()) {
            return fail(ErrorClass::internal, "not_whole",
                        "What is to be fetched is not there yet. Please report this.", id.value);
        }
    } else {
        take_source(tx, id, **import);
    }
    if (auto completed = complete_unit(tx, *held); !completed) {
        return std::unexpected(completed.error());
    }
    if (whole) {
        const auto row = media(tx.db, id);
        DURASCRIBE_ASSERT(row.has_value());
        index_title(tx, id, row->title);
        emit(tx, "media.updated", id, {},
             json::serialize(json::object{{"media_id", id.value},
                                          {"title", row->title},
                                          {"size_bytes", row->source.size_bytes}}));
    }
    follow_step(tx, t, domain::Step::acquire);
    if (auto settled = settle_task(tx, t); !settled) {
        return std::unexpected(settled.error());
    }
    return outcome_of(t, held->unit);
}

}  // namespace durascribe::store
