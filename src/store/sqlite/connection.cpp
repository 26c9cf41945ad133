#include "durascribe/store/sqlite/connection.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sqlite3.h>

#include "durascribe/base/log.h"
#include "durascribe/store/sqlite/search_words.h"

namespace durascribe::store {

Error to_error(const SqliteError& e, std::string_view doing) {
    const std::string detail = fmt::format("SQLite {}: {}", e.code(), e.what());
    switch (e.code() & 0xff) {
        case SQLITE_FULL: {
            Error full = system_error(ENOSPC, doing);
            full.detail = detail;
            return full;
        }
        case SQLITE_IOERR: {
            Error io = system_error(e.system_errno() == ENOSPC ? ENOSPC : EIO, doing);
            io.detail = detail;
            return io;
        }
        case SQLITE_NOMEM:
            return {ErrorClass::memory, "out_of_memory",
                    fmt::format("Out of memory: could not {}.", doing), detail};
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return {ErrorClass::storage, "database_corrupt",
                    fmt::format(
                        "The database is damaged: could not {}. Restore a backup, or move the file "
                        "away to start with an empty one.",
                        doing),
                    detail};
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
            return {
                ErrorClass::storage, "database_not_writable",
                fmt::format("The database cannot be written: could not {}. Check the owner and the "
                            "permissions of the data directory.",
                            doing),
                detail};
        default:
            return {ErrorClass::internal, "database_error",
                    fmt::format("The database refused to {}. Please report this.", doing), detail};
    }
}

// ---- Rows -------------------------------------------------------------------------------------

Rows::Rows(Rows&& other) noexcept
    : owner_(other.owner_),
      statement_(std::exchange(other.statement_, nullptr)),
      column_(other.column_) {}

Rows::~Rows() {
    if (statement_ != nullptr) {
        sqlite3_reset(statement_);  // its error, if any, was thrown by step()
        sqlite3_clear_bindings(statement_);
    }
}

bool Rows::step() {
    column_ = 0;
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code != SQLITE_DONE) {
        owner_->raise(code);
    }
    return false;
}

bool Rows::null() const {
    return sqlite3_column_type(statement_, column_) == SQLITE_NULL;
}
std::int64_t Rows::integer() {
    return sqlite3_column_int64(statement_, column_++);
}
double Rows::real() {
    return sqlite3_column_double(statement_, column_++);
}

std::string Rows::text() {
    return std::string(bytes());
}

std::string_view Rows::bytes() {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column_));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column_));
    ++column_;
    return data == nullptr ? std::string_view{} : std::string_view{data, size};
}

std::optional<std::int64_t> Rows::maybe_integer() {
    if (null()) {
        skip();
        return std::nullopt;
    }
    return integer();
}

std::optional<std::string> Rows::maybe_text() {
    if (null()) {
        skip();
        return std::nullopt;
    }
    return text();
}

std::optional<WallTime> Rows::maybe_wall() {
    const auto ms = maybe_integer();
    return ms ? std::optional{WallTime{Millis{*ms}}} : std::nullopt;
}

// ---- The log before it is opened --------------------------------------------------------------

// Through SQLite's own face of the file system, as the connection that follows.
void make_log_durable(const std::filesystem::path& database) {
    constexpr int kPiece = 1 << 16;  // SQLite writes less than 128 KiB in one call
    const std::string path = std::filesystem::absolute(database).string() + "-wal";
    const auto check = [&](int code) {
        if (code != SQLITE_OK) {
            throw SqliteError(code, errno, "the log " + path + " could not be made durable");
        }
    };
    sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr);
    int there = 0;
    check(vfs->xAccess(vfs, path.c_str(), SQLITE_ACCESS_EXISTS, &there));
    if (there == 0) {
        return;
    }
    const auto memory = std::make_unique<std::max_align_t[]>(
        static_cast<std::size_t>(vfs->szOsFile) / sizeof(std::max_align_t) + 1);
    auto* const log = reinterpret_cast<sqlite3_file*>(memory.get());
    check(vfs->xOpen(vfs, path.c_str(), log, SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL, nullptr));
    struct Close {
        void operator()(sqlite3_file* file) const { file->pMethods->xClose(file); }
    };
    const std::unique_ptr<sqlite3_file, Close> closes(log);
    sqlite3_int64 size = 0;
    check(log->pMethods->xFileSize(log, &size));
    std::vector<char> piece(kPiece);
    for (sqlite3_int64 at = 0; at < size; at += kPiece) {
        const int length = static_cast<int>(std::min<sqlite3_int64>(kPiece, size - at));
        check(log->pMethods->xRead(log, piece.data(), length, at));
        check(log->pMethods->xWrite(log, piece.data(), length, at));
    }
    if (size > 0) {
        check(log->pMethods->xSync(log, SQLITE_SYNC_NORMAL));
    }
}

// ---- Connection -------------------------------------------------------------------------------

void Connection::Finalizer::operator()(sqlite3_stmt* s) const {
    sqlite3_finalize(s);
}

namespace {

// Once in a process, before the first connection: SQLite would otherwise take a mutex of the whole
// process with each allocation, to count it. Refused where SQLite is in use already; it only costs
// time then.
void count_no_memory() {
    static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    static_cast<void>(once);
}

}  // namespace

Connection::Connection(const std::filesystem::path& file, Mode mode) {
    count_no_memory();
    const int flags =
        (mode == Mode::writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) |
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(file.c_str(), &db_, flags, nullptr);
    if (code != SQLITE_OK) {
        const SqliteError error(code, db_ == nullptr ? ENOMEM : sqlite3_system_errno(db_),
                                db_ == nullptr ? "out of memory" : sqlite3_errmsg(db_));
        sqlite3_close(db_);
        throw error;
    }
    sqlite3_busy_timeout(db_, 5'000);
    if (mode == Mode::writer) {
        sqlite3_db_config(db_, SQLITE_DBCONFIG_LOOKASIDE, nullptr, 1'200, 500);
    }
    sqlite3_wal_autocheckpoint(db_, 0);
    if (mode == Mode::reader) {
        sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    } else {
        sqlite3_wal_hook(
            db_,
            [](void* self, sqlite3*, const char*, int pages) {
                static_cast<Connection*>(self)->wal_pages_ = pages;
                return SQLITE_OK;
            },
            this);
    }
}

Connection::~Connection() {
    search_words_.reset();
    statements_.clear();
    sqlite3_close(db_);
}

sqlite3_stmt* Connection::take(std::string_view sql) {
    auto found = statements_.find(sql);
    if (found == statements_.end()) {
        sqlite3_stmt* made = nullptr;
        check(sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                 SQLITE_PREPARE_PERSISTENT, &made, nullptr));
        found =
            statements_.emplace(std::string(sql), std::unique_ptr<sqlite3_stmt, Finalizer>(made))
                .first;
    }
    DURASCRIBE_ASSERT(sqlite3_stmt_busy(found->second.get()) == 0);
    return found->second.get();
}

void Connection::run_script(std::string_view sql, const std::function<void()>& after_each) {
    const char* rest = sql.data();
    const char* const end = rest + sql.size();
    while (rest < end) {
        sqlite3_stmt* made = nullptr;
        check(sqlite3_prepare_v2(db_, rest, static_cast<int>(end - rest), &made, &rest));
        const std::unique_ptr<sqlite3_stmt, Finalizer> statement(made);
        if (!statement) {
            continue;  // a comment, or the white space at the end
        }
        int code = SQLITE_ROW;
        while (code == SQLITE_ROW) {
            code = sqlite3_step(statement.get());
        }
        if (code != SQLITE_DONE) {
            raise(code);
        }
        if (after_each) {
            after_each();
        }
    }
}

SearchWords& Connection::search_words() {
    if (!search_words_) {
        search_words_ = std::make_unique<SearchWords>(db_);
    }
    return *search_words_;
}

void Connection::raise(int code) const {
    throw SqliteError(code, sqlite3_system_errno(db_), sqlite3_errmsg(db_));
}

void Connection::check(int code) const {
    if (code != SQLITE_OK) {
        raise(code);
    }
}

int Connection::changes() const {
    return sqlite3_changes(db_);
}
std::int64_t Connection::last_insert_rowid() const {
    return sqlite3_last_insert_rowid(db_);
}
std::int64_t Connection::total_changes() const {
    return sqlite3_total_changes64(db_);
}
bool Connection::in_transaction() const {
    return sqlite3_get_autocommit(db_) == 0;
}

void Connection::checkpoint(bool truncate) {
    const int code = sqlite3_wal_checkpoint_v2(
        db_, nullptr, truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, nullptr,
        nullptr);
    if ((code & 0xff) == SQLITE_IOERR) {  // a full disk took nothing, and no sync was tried
        move_all_again();
    }
    check(code);
    wal_pages_ = 0;  // the next commit tells the true number
}

// A checkpoint that a reader stops half way counts what it moved and syncs nothing; the one that
// ends it syncs for both. When that sync fails, the kernel may have dropped what either wrote, and
// SQLite would do only its own part again. So the number of frames that count as moved goes back to
// 0, in the WAL index (https://www.sqlite.org/walformat.html, section 2.1: nBackfill at byte 96),
// which the one connection that checkpoints may set.
void Connection::move_all_again() {
    constexpr int kIndexPage = 32'768;
    constexpr std::size_t kBackfill = 96 / sizeof(std::uint32_t);
    sqlite3_file* file = nullptr;
    void volatile* index = nullptr;
    if (sqlite3_file_control(db_, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK &&
        file->pMethods != nullptr && file->pMethods->iVersion >= 2 &&
        file->pMethods->xShmMap(file, 0, kIndexPage, 0, &index) == SQLITE_OK && index != nullptr) {
        auto* words = const_cast<std::uint32_t*>(static_cast<std::uint32_t volatile*>(index));
        std::atomic_ref(words[kBackfill]).store(0);
    } else {
        log::error(
            "SQLite's index of the log is out of reach after a failed checkpoint: restart the "
            "server once the disk is well again, so that all of the log is moved anew.");
    }
}

void Connection::bind(sqlite3_stmt* s, int i, std::nullptr_t) {
    check(sqlite3_bind_null(s, i));
}
void Connection::bind(sqlite3_stmt* s, int i, std::int64_t v) {
    check(sqlite3_bind_int64(s, i, v));
}
void Connection::bind(sqlite3_stmt* s, int i, double v) {
    check(sqlite3_bind_double(s, i, v));
}
void Connection::bind(sqlite3_stmt* s, int i, std::string_view v) {
    check(sqlite3_bind_text64(s, i, v.data() == nullptr ? "" : v.data(), v.size(), SQLITE_STATIC,
                              SQLITE_UTF8));
}
void Connection::bind(sqlite3_stmt* s, int i, std::span<const std::int8_t> v) {
    check(sqlite3_bind_blob64(s, i, v.empty() ? static_cast<const void*>("") : v.data(), v.size(),
                              SQLITE_STATIC));
}

}  // namespace durascribe::store
