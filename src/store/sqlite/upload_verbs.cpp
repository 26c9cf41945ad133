// Uploads that come in pieces, until they are a media.
#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/store/sqlite/json.h"
#include "durascribe/store/sqlite/token_verbs.h"
#include "durascribe/store/sqlite/verbs.h"

namespace durascribe::store {
namespace {

#define DURASCRIBE_UPLOAD_COLUMNS                                                             \
    "id, media_id, task_id, length, offset, filename, title, options, metadata, created_at, " \
    "updated_at, source_sha256, finished_at IS NOT NULL"

ports::UploadRow read_upload(Rows& rows) {
    ports::UploadRow row;
    row.id.value = rows.text();
    row.media_id.value = rows.text();
    row.task_id.value = rows.text();
    row.length = rows.maybe_integer();
    row.offset = rows.integer();
    row.filename = rows.text();
    row.title = rows.text();
    row.options = task_options_from_json(rows.bytes());
    row.metadata = rows.text();
    row.created_at = rows.wall();
    row.updated_at = rows.wall();
    row.source.sha256 = rows.text();
    row.source.size_bytes = row.source.empty() ? 0 : row.offset;
    row.finished = rows.flag();
    return row;
}

Error upload_not_found(const UploadId& id) {
    return {ErrorClass::request,
            "not_found",
            fmt::format("There is no upload {}. It has expired, or was removed; begin a new one.",
                        id.value),
            {}};
}

std::optional<TokenId> account_of(WriteTx& tx, const UploadId& id) {
    Rows rows = tx.db.query("SELECT token_id FROM uploads WHERE id = ?", id);
    DURASCRIBE_ASSERT(rows.step());
    const auto token = rows.maybe_text();
    return token ? std::optional{TokenId{*token}} : std::nullopt;
}

// `more_uploads` and `more_bytes` beside what there is.
Result<void> check_limits(WriteTx& tx, int more_uploads, std::int64_t more_bytes,
                          const ports::UploadLimits& limits) {
    Rows rows = tx.db.query(
        "SELECT count(*), coalesce(sum(coalesce(length, offset)), 0) FROM uploads"
        " WHERE finished_at IS NULL");
    DURASCRIBE_ASSERT(rows.step());
    const std::int64_t count = rows.integer();
    const std::int64_t bytes = rows.integer();
    const bool too_large = limits.bytes_max > 0 && bytes + more_bytes > limits.bytes_max;
    if ((more_uploads == 0 || count + more_uploads <= limits.count_max) && !too_large) {
        return {};
    }
    return fail(
        ErrorClass::request, "too_many_uploads",
        "As many uploads are half done as this server keeps. Finish or remove some, or wait "
        "until they have expired.",
        fmt::format("{} uploads, {} bytes announced", count, bytes));
}

Result<std::optional<ports::UploadRow>> created_before(WriteTx& tx,
                                                       const ports::IdempotencyKey& key) {
    const auto answer = first_answer(tx, key);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    if (!*answer) {
        return std::nullopt;
    }
    const boost::json::value made = boost::json::parse(**answer);
    return upload(tx.db, UploadId{std::string{made.at("upload_id").as_string()}});
}

}  // namespace

Result<ports::UploadRow> upload(Connection& db, const UploadId& id) {
    Rows rows = db.query("SELECT " DURASCRIBE_UPLOAD_COLUMNS " FROM uploads WHERE id = ?", id);
    if (!rows.step()) {
        return std::unexpected(upload_not_found(id));
    }
    return read_upload(rows);
}

Result<ports::UploadRow> create_upload(WriteTx& tx, const ports::NewUpload& upload,
                                       const ports::UploadLimits& limits) {
    if (upload.idempotency) {
        const auto before = created_before(tx, *upload.idempotency);
        if (!before || *before) {
            return before ? Result<ports::UploadRow>(**before) : std::unexpected(before.error());
        }
    }
    if (auto room = check_limits(tx, 1, upload.length.value_or(0), limits); !room) {
        return std::unexpected(room.error());
    }
    if (auto allowed = check_charge(tx.db, upload.charge, upload.length.value_or(1)); !allowed) {
        return std::unexpected(allowed.error());
    }
    tx.db.execute(
        "INSERT INTO uploads (id, media_id, task_id, length, filename, title, options, metadata,"
        " created_at, updated_at, token_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        upload.id, upload.media_id, upload.task_id, upload.length, upload.filename, upload.title,
        to_json(upload.options), upload.metadata, tx.now, tx.now, upload.charge.token);
    if (upload.idempotency) {
        keep_answer(tx, *upload.idempotency,
                    boost::json::serialize(boost::json::object{{"upload_id", upload.id.value}}));
    }
    return store::upload(tx.db, upload.id);
}

Result<ports::UploadRow> record_upload(WriteTx& tx, const UploadId& id, std::int64_t offset,
                                       std::optional<std::int64_t> length,
                                       const ports::UploadLimits& limits,
                                       std::int64_t storage_max) {
    const auto before = upload(tx.db, id);
    if (!before) {
        return before;
    }
    // Where the length was said when it was created, nothing: it was judged then.
    const std::int64_t more =
        length.value_or(before->length.value_or(offset)) - before->length.value_or(before->offset);
    if (more > 0) {
        if (auto room = check_limits(tx, 0, more, limits); !room) {
            return std::unexpected(room.error());
        }
        const ports::Charge charge{.token = account_of(tx, id), .storage_max = storage_max};
        if (auto allowed = check_charge(tx.db, charge, more); !allowed) {
            return std::unexpected(allowed.error());
        }
    }
    if (tx.db.execute("UPDATE uploads SET offset = ?, length = coalesce(?, length), updated_at = ?"
                      " WHERE id = ? AND source_sha256 = ''",
                      offset, length, tx.now, id) == 0) {
        return std::unexpected(upload_not_found(id));
    }
    return upload(tx.db, id);
}

Result<ports::UploadRow> seal_upload(WriteTx& tx, const UploadId& id,
                                     const ports::BlobRef& source) {
    tx.db.execute(
        "UPDATE uploads SET source_sha256 = ?1, offset = ?2, length = ?2, updated_at = ?3"
        " WHERE id = ?4 AND source_sha256 = ''",
        source.sha256, source.size_bytes, tx.now, id);
    return upload(tx.db, id);
}

Result<ports::Submission> finish_upload(WriteTx& tx, const UploadId& id) {
    const auto row = upload(tx.db, id);
    if (!row || row->source.empty()) {
        return std::unexpected(row ? upload_not_found(id) : row.error());
    }
    const bool gone =
        row->finished && !tx.db.query("SELECT 1 FROM media WHERE id = ?", row->media_id).step();
    if (gone) {
        ports::Submission made{.media = {}, .task = {}, .replayed = true};
        made.media.id = row->media_id;
        made.task.id = row->task_id;
        return made;
    }
    auto made = submit(tx, {.id = row->media_id,
                            .task_id = row->task_id,
                            .title = row->title.empty() ? row->filename : row->title,
                            .filename = row->filename,
                            .source = row->source,
                            .options = row->options,
                            .idempotency = {},
                            // Without limits: it was promised when the upload was created.
                            .charge = {.token = account_of(tx, id)}});
    if (made) {
        tx.db.execute(
            "UPDATE uploads SET finished_at = ?1, updated_at = ?1 WHERE id = ?2 AND finished_at IS "
            "NULL",
            tx.now, id);
    }
    return made;
}

Result<void> delete_upload(WriteTx& tx, const UploadId& id) {
    if (tx.db.execute("DELETE FROM uploads WHERE id = ?", id) == 0) {
        return std::unexpected(upload_not_found(id));
    }
    return {};
}

Result<std::vector<UploadId>> sealed_uploads(Connection& db) {
    std::vector<UploadId> ids;
    Rows rows =
        db.query("SELECT id FROM uploads WHERE source_sha256 <> '' AND finished_at IS NULL");
    while (rows.step()) {
        ids.push_back(UploadId{rows.text()});
    }
    return ids;
}

}  // namespace durascribe::store
