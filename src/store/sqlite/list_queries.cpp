// Lists of tasks and events, paged by (created_at, id): rows that come in meanwhile are neither
// doubled nor left out.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/store/sqlite/queries.h"
#include "durascribe/store/sqlite/records.h"

namespace durascribe::store {
namespace {

constexpr int kLongestPage = 200;
constexpr int kMostEvents = 10'000;

// The last row that the page before showed.
struct Cursor {
    std::int64_t created_at = std::numeric_limits<std::int64_t>::max();
    std::string id;
};

Result<Cursor> parse_cursor(const std::string& text) {
    Cursor cursor;
    if (text.empty()) {
        return cursor;
    }
    const auto [end, failed] =
        std::from_chars(text.data(), text.data() + text.size(), cursor.created_at);
    if (failed != std::errc{} || end == text.data() + text.size() || *end != '_') {
        return std::unexpected(bad_cursor());
    }
    cursor.id.assign(end + 1, text.data() + text.size());
    return cursor;
}

std::vector<ports::Event> read_events(Rows rows) {
    std::vector<ports::Event> list;
    while (rows.step()) {
        ports::Event e;
        e.seq = rows.integer();
        e.at = rows.wall();
        e.type = rows.text();
        e.media_id.value = rows.text();
        e.task_id.value = rows.text();
        e.payload = rows.text();
        list.push_back(std::move(e));
    }
    return list;
}

}  // namespace

Error bad_cursor() {
    return {ErrorClass::request,
            "bad_cursor",
            "The cursor is not one that this server gave out for such a list. Start again without "
            "it.",
            {}};
}

Result<int> checked_limit(int limit) {
    if (limit < 1 || limit > kLongestPage) {
        return fail(ErrorClass::request, "bad_limit",
                    fmt::format("A page has 1 to {} rows.", kLongestPage));
    }
    return limit;
}

namespace {

// One row more than asked for was read, to know whether there is a next page.
template <typename Row>
ports::PageOf<Row> make_page(std::vector<Row> rows, int limit) {
    ports::PageOf<Row> page{.rows = std::move(rows), .next_cursor = {}};
    if (page.rows.size() > static_cast<std::size_t>(limit)) {
        page.rows.resize(static_cast<std::size_t>(limit));
        const Row& last = page.rows.back();
        page.next_cursor =
            fmt::format("{}_{}", last.created_at.time_since_epoch().count(), last.id.value);
    }
    return page;
}

}  // namespace

Result<ports::PageOf<ports::TaskRow>> list_tasks(Connection& db, const ports::TaskFilter& filter,
                                                 const ports::Page& page) {
    const auto cursor = parse_cursor(page.cursor);
    if (!cursor) {
        return std::unexpected(cursor.error());
    }
    const auto limit = checked_limit(page.limit);
    if (!limit) {
        return std::unexpected(limit.error());
    }
    // A statement for each shape of filter, so that each walks the index that fits it.
    std::string sql =
        "SELECT " DURASCRIBE_TASK_COLUMNS " FROM tasks WHERE (created_at, id) < (?1, ?2)";
    if (filter.media_id) {
        sql += " AND media_id = ?3";
    } else {
        sql += " AND ?3 IS NULL";
    }
    if (filter.state) {
        sql += " AND state = ?4";
    } else {
        sql += " AND ?4 IS NULL";
    }
    if (filter.active_only) {
        sql += " AND state IN ('pending', 'processing', 'retrying')";
    }
    sql += " ORDER BY created_at DESC, id DESC LIMIT ?5";
    const std::optional<std::string_view> state =
        filter.state ? std::optional{to_string(*filter.state)} : std::nullopt;
    std::vector<ports::TaskRow> list;
    Rows rows = db.query(sql, cursor->created_at, cursor->id, filter.media_id, state, *limit + 1);
    while (rows.step()) {
        list.push_back(read_task(rows));
    }
    return make_page(std::move(list), *limit);
}

Result<ports::PageOf<ports::BatchRow>> list_batches(Connection& db, const ports::Page& page) {
    const auto cursor = parse_cursor(page.cursor);
    if (!cursor) {
        return std::unexpected(cursor.error());
    }
    const auto limit = checked_limit(page.limit);
    if (!limit) {
        return std::unexpected(limit.error());
    }
    std::vector<ports::BatchRow> list;
    Rows rows = db.query(
        "SELECT id, title, created_at FROM batches WHERE (created_at, id) < (?1, ?2)"
        " ORDER BY created_at DESC, id DESC LIMIT ?3",
        cursor->created_at, cursor->id, *limit + 1);
    while (rows.step()) {
        ports::BatchRow row;
        row.id.value = rows.text();
        row.title = rows.text();
        row.created_at = rows.wall();
        list.push_back(std::move(row));
    }
    return make_page(std::move(list), *limit);
}

Result<std::vector<ports::Event>> events_after(Connection& db, std::int64_t seq, int limit) {
    const auto range = event_range(db);
    const auto [oldest, newest] = *range;
    const std::int64_t first_kept = oldest > 0 ? oldest : newest + 1;
    if (seq > 0 && seq + 1 < first_kept) {
        return fail(ErrorClass::request, "events_pruned",
                    fmt::format("The events after {} are no longer kept up to {}. Read the present "
                                "state, and go on from event {}.",
                                seq, first_kept - 1, newest));
    }
    return read_events(
        db.query("SELECT seq, at, type, media_id, task_id, payload FROM events WHERE seq > ? "
                 "ORDER BY seq LIMIT ?",
                 seq, std::clamp(limit, 0, kMostEvents)));
}

Result<std::vector<ports::Event>> task_events(Connection& db, const TaskId& task, int limit) {
    if (!db.query("SELECT 1 FROM tasks WHERE id = ?", task).step()) {
        return std::unexpected(task_not_found(task));
    }
    auto newest_first =
        read_events(db.query("SELECT seq, at, type, media_id, task_id, payload FROM events WHERE "
                             "task_id = ? AND task_id <> '' AND type <> 'task.progress' "
                             "ORDER BY seq DESC LIMIT ?",
                             task, std::clamp(limit, 0, kMostEvents)));
    std::ranges::reverse(newest_first);
    return newest_first;
}

// The states of tasks are in an index, and few are processing.
Result<int> processing_but(Connection& db, std::span<const TaskId> known, WallTime since) {
    boost::json::array ids;
    for (const TaskId& id : known) {
        ids.emplace_back(id.value);
    }
    const std::string list = boost::json::serialize(ids);
    Rows rows = db.query(
        "SELECT count(*) FROM tasks WHERE state = 'processing' AND updated_at <= ? AND id NOT IN"
        " (SELECT value FROM json_each(?))",
        since, list);
    DURASCRIBE_ASSERT(rows.step());
    return rows.small();
}

Result<ports::TaskCounts> counts(Connection& db) {
    ports::TaskCounts c;
    Rows rows = db.query("SELECT state, count(*) FROM tasks GROUP BY state");
    while (rows.step()) {
        const auto state = domain::task_state_from(rows.bytes());
        DURASCRIBE_ASSERT(state.has_value());
        const int n = rows.small();
        switch (*state) {
            case domain::TaskState::pending:
                c.pending = n;
                break;
            case domain::TaskState::processing:
                c.processing = n;
                break;
            case domain::TaskState::retrying:
                c.retrying = n;
                break;
            case domain::TaskState::completed:
                c.completed = n;
                break;
            case domain::TaskState::partial_failure:
                c.partial_failure = n;
                break;
            case domain::TaskState::failed:
                c.failed = n;
                break;
            case domain::TaskState::cancelled:
                c.cancelled = n;
                break;
        }
    }
    return c;
}

Result<std::pair<std::int64_t, std::int64_t>> event_range(Connection& db) {
    Rows oldest = db.query("SELECT coalesce(min(seq), 0) FROM events");
    Rows newest =
        db.query("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'");
    DURASCRIBE_ASSERT(oldest.step() && newest.step());
    return std::pair{oldest.integer(), newest.integer()};
}

}  // namespace durascribe::store
