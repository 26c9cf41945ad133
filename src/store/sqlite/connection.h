// A thin owner of one SQLite connection and its prepared statements. Private to store/sqlite.
//
// Failures are thrown as SqliteError and never leave this layer: the writer and the reader pool
// catch them at the edge and turn them into an Error (to_error).
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "durascribe/base/error.h"
#include "durascribe/base/ids.h"
#include "durascribe/base/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace durascribe::store {

class SearchWords;

class SqliteError : public std::exception {
  public:
    SqliteError(int extended_code, int system_errno, std::string message)
        : code_(extended_code), errno_(system_errno), message_(std::move(message)) {}
    const char* what() const noexcept override { return message_.c_str(); }
    int code() const { return code_; }
    int system_errno() const { return errno_; }

  private:
    int code_;
    int errno_;
    std::string message_;
};

// SQLITE_FULL and I/O errors become class storage; `doing` reads like "save the change".
Error to_error(const SqliteError& e, std::string_view doing);

// Writes the bytes of the database's WAL over themselves and syncs them. Before the first
// connection of a writer: what the last one left there is known to be readable, not to be on disk
// (the kernel keeps what a failed sync did not write, as if it had), and commits that follow it
// would stand on nothing. Throws SqliteError.
void make_log_durable(const std::filesystem::path& database);

class Connection;

// The rows of one running statement; resets it when it goes. Columns are taken from left to right.
class Rows {
  public:
    Rows(Rows&& other) noexcept;
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;
    Rows& operator=(Rows&&) = delete;
    ~Rows();

    bool step();  // false: no more

    bool null() const;  // whether the next column is null
    void skip() { ++column_; }
    std::int64_t integer();
    int small() { return static_cast<int>(integer()); }
    bool flag() { return integer() != 0; }
    double real();
    std::string text();
    std::string_view bytes();  // valid until the next step
    Millis millis() { return Millis{integer()}; }
    WallTime wall() { return WallTime{millis()}; }
    std::optional<std::int64_t> maybe_integer();
    std::optional<std::string> maybe_text();
    std::optional<WallTime> maybe_wall();

  private:
    friend class Connection;
    Rows(Connection& owner, sqlite3_stmt* statement) : owner_(&owner), statement_(statement) {}
    Connection* owner_;
    sqlite3_stmt* statement_;
    int column_ = 0;
};

class Connection {
  public:
    enum class Mode { writer, reader };

    // A reader never writes and never checkpoints, not even as the last one to close: SQLite before
    // 3.51.3 can corrupt a WAL when two connections write or checkpoint at once.
    Connection(const std::filesystem::path& file, Mode mode);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Statements are prepared once per text and kept. The same text must not run twice at once.
    template <typename... Args>
    Rows query(std::string_view sql, const Args&... args) {
        sqlite3_stmt* statement = take(sql);
        int index = 0;
        (bind(statement, ++index, args), ...);
        return Rows(*this, statement);
    }

    // Runs a statement that gives no rows, or whose rows do not matter; returns the rows changed.
    template <typename... Args>
    int execute(std::string_view sql, const Args&... args) {
        Rows rows = query(sql, args...);
        while (rows.step()) {
        }
        return changes();
    }

    // Runs a script of many statements, not kept. `after_each`, where given, runs after each of
    // them.
    void run_script(std::string_view sql, const std::function<void()>& after_each = {});

    std::int64_t last_insert_rowid() const;
    std::int64_t total_changes() const;  // rows changed since the connection was opened
    bool in_transaction() const;
    sqlite3* handle() const { return db_; }

    // Made when it is first asked for.
    SearchWords& search_words();

    // Moves what the WAL holds into the database file; truncates it with `truncate`. One that fails
    // leaves nothing behind that a later one would take for done: that one moves all of it again.
    void checkpoint(bool truncate);
    int wal_pages() const { return wal_pages_; }

  private:
    friend class Rows;
    struct Finalizer {
        void operator()(sqlite3_stmt* s) const;
    };
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const {
            return std::hash<std::string_view>{}(s);
        }
    };

    sqlite3_stmt* take(std::string_view sql);
    void move_all_again();
    [[noreturn]] void raise(int code) const;
    void check(int code) const;
    int changes() const;

    void bind(sqlite3_stmt* s, int i, std::nullptr_t);
    void bind(sqlite3_stmt* s, int i, std::int64_t v);
    void bind(sqlite3_stmt* s, int i, int v) { bind(s, i, std::int64_t{v}); }
    void bind(sqlite3_stmt* s, int i, bool v) { bind(s, i, std::int64_t{v ? 1 : 0}); }
    void bind(sqlite3_stmt* s, int i, double v);
    void bind(sqlite3_stmt* s, int i, std::string_view v);  // must outlive the run
    void bind(sqlite3_stmt* s, int i, const std::string& v) { bind(s, i, std::string_view{v}); }
    void bind(sqlite3_stmt* s, int i, const char* v) { bind(s, i, std::string_view{v}); }
    void bind(sqlite3_stmt* s, int i, std::span<const std::int8_t> v);
    void bind(sqlite3_stmt* s, int i, Millis v) { bind(s, i, std::int64_t{v.count()}); }
    void bind(sqlite3_stmt* s, int i, WallTime v) { bind(s, i, v.time_since_epoch()); }
    void bind(sqlite3_stmt* s, int i, MonoTime v) { bind(s, i, v.since_boot); }
    void bind(sqlite3_stmt* s, int i, UnitId v) { bind(s, i, v.value); }
    template <typename Tag>
    void bind(sqlite3_stmt* s, int i, const TextId<Tag>& v) {
        bind(s, i, std::string_view{v.value});
    }
    template <typename T>
    void bind(sqlite3_stmt* s, int i, const std::optional<T>& v) {
        if (v) {
            bind(s, i, *v);
        } else {
            bind(s, i, nullptr);
        }
    }

    sqlite3* db_ = nullptr;
    int wal_pages_ = 0;
    std::unordered_map<std::string, std::unique_ptr<sqlite3_stmt, Finalizer>, TextHash,
                       std::equal_to<>>
        statements_;
    std::unique_ptr<SearchWords> search_words_;
};

}  // namespace durascribe::store
