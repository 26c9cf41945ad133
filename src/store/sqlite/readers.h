// A pool of read-only connections. Private to store/sqlite.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "durascribe/store/sqlite/connection.h"

namespace durascribe::store {

// Thread-safe. Reading never waits for the writer; it waits for a connection where all are in use.
class Readers {
  public:
    Readers(const std::filesystem::path& file, std::size_t count);

    // Runs `read(Connection&)`, which returns a Result, on one snapshot.
    template <typename Read>
    auto run(Read read) -> decltype(read(std::declval<Connection&>())) {
        Borrowed db(*this);
        try {
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

    std::mutex mutex_;
    std::condition_variable returned_;
    std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_
};

}  // namespace durascribe::store
