// A pool of read-only connections. Private to store/sqlite.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "durascribe/ports/store.h"
#include "durascribe/store/sqlite/connection.h"

namespace durascribe::store {

// Thread-safe. Reading never waits for the writer; it waits for a connection where all are in use.
class Readers {
  public:
    Readers(const std::filesystem::path& file, std::size_t count);

    class View;

    // Runs `read(Connection&)`, which returns a Result, on one snapshot.
    template <typename Read>
    auto run(Read read) -> decltype(read(std::declval<Connection&>())) {
        try {
            if (Connection* db = viewed()) {
                return read(*db);
            }
            Borrowed db(*this);
            const Snapshot snapshot(*db.connection);
            return read(*db.connection);
        } catch (const SqliteError& e) {
            return std::unexpected(to_error(e, "read"));
        } catch (const std::exception& e) {
            return fail(ErrorClass::internal, "store_exception",
                        "The store failed. Please report this.", e.what());
        }
    }

  private:
    struct Borrowed {
        explicit Borrowed(Readers& pool);
        ~Borrowed();
        Borrowed(const Borrowed&) = delete;
        Borrowed& operator=(const Borrowed&) = delete;
        Readers& owner;
        std::unique_ptr<Connection> connection;
    };
    struct Snapshot {
        explicit Snapshot(Connection& connection);
        ~Snapshot();
        Snapshot(const Snapshot&) = delete;
        Snapshot& operator=(const Snapshot&) = delete;
        Connection& db;
    };

    // That of the calling thread's view of this pool; null: it has none. Begins it at its first
    // use.
    Connection* viewed();

    std::mutex mutex_;
    std::condition_variable returned_;
    std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_
};

// While it lives, whatever its thread reads from the pool is of one moment, over one connection.
// One within another adds nothing. Stays on its thread.
class Readers::View final : public ports::ReadView {
  public:
    explicit View(Readers& pool);
    ~View() override;
    View(const View&) = delete;
    View& operator=(const View&) = delete;

  private:
    friend class Readers;
    Readers& pool_;
    View* const outer_;
    std::optional<Borrowed> borrowed_;
    std::optional<Snapshot> snapshot_;
};

}  // namespace durascribe::store
