// Many submissions as one: made in one transaction, and read with what has become of each.
#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/store/sqlite/queries.h"
#include "durascribe/store/sqlite/verbs.h"

namespace durascribe::store {
namespace {

Error batch_not_found(const BatchId& id) {
    return {ErrorClass::request, "not_found", fmt::format("There is no batch {}.", id.value), {}};
}

// What an item of a batch is.
struct Member {
    MediaId media;
    TaskId task;
};

Result<Member> made_of(WriteTx& tx, const ports::FromUpload& item) {
    const auto row = upload(tx.db, item.upload);
    if (!row) {
        return std::unexpected(row.error());
    }
    if (!row->finished) {
        return fail(ErrorClass::request, "upload_not_finished",
                    fmt::format("The upload {} is not whole yet. Send the rest of it first.",
                                item.upload.value));
    }
    if (const auto made = task(tx.db, row->task_id); !made) {
        return std::unexpected(made.error());
    }
    return Member{row->media_id, row->task_id};
}

Result<Member> member_of(const Result<ports::Submission>& made) {
    if (!made) {
        return std::unexpected(made.error());
    }
    return Member{made->media.id, made->task.id};
}

Result<Member> made_of(WriteTx& tx, const ports::NewMedia& item) {
    return member_of(submit(tx, item));
}

Result<Member> made_of(WriteTx& tx, const ports::NewTask& item) {
    return member_of(submit_task(tx, item));
}

}  // namespace

Result<ports::BatchRow> submit_batch(WriteTx& tx, const ports::NewBatch& new_batch) {
    if (new_batch.idempotency) {
        auto answer = first_answer(tx, *new_batch.idempotency);
        if (!answer) {
            return std::unexpected(answer.error());
        }
        if (*answer) {
            const boost::json::value kept = boost::json::parse(**answer);
            auto before = batch(tx.db, BatchId{kept.at("batch_id").as_string().c_str()});
            if (before) {
                before->replayed = true;
            }
            return before;
        }
    }
    tx.db.execute("INSERT INTO batches (id, title, created_at) VALUES (?, ?, ?)", new_batch.id,
                  new_batch.title, tx.now);
    std::size_t position = 0;
    for (const auto& item : new_batch.items) {
        const auto made = std::visit([&](const auto& one) { return made_of(tx, one); }, item);
        if (!made) {
            return std::unexpected(ports::in_batch_item(made.error(), position));
        }
        tx.db.execute(
            "INSERT INTO batch_items (batch_id, position, media_id, task_id) VALUES (?, ?, ?, ?)",
            new_batch.id, static_cast<int>(position++), made->media, made->task);
    }
    if (new_batch.idempotency) {
        keep_answer(tx, *new_batch.idempotency,
                    boost::json::serialize(boost::json::object{{"batch_id", new_batch.id.value}}));
    }
    return batch(tx.db, new_batch.id);
}

Result<ports::BatchRow> batch(Connection& db, const BatchId& id) {
    ports::BatchRow row{.id = id};
    {
        Rows rows = db.query("SELECT title, created_at FROM batches WHERE id = ?", id);
        if (!rows.step()) {
            return std::unexpected(batch_not_found(id));
        }
        row.title = rows.text();
        row.created_at = rows.wall();
    }
    {
        Rows rows = db.query(
            "SELECT media_id, task_id FROM batch_items WHERE batch_id = ? ORDER BY position", id);
        while (rows.step()) {
            ports::BatchRow::Item item;
            item.media_id.value = rows.text();
            item.task_id.value = rows.text();
            row.items.push_back(std::move(item));
        }
    }
    for (ports::BatchRow::Item& item : row.items) {
        if (auto found = media(db, item.media_id)) {
            item.media = std::move(*found);
        }
        if (auto found = task(db, item.task_id)) {
            item.task = std::move(*found);
        }
    }
    return row;
}

}  // namespace durascribe::store
