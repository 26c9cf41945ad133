#include "durascribe/store/sqlite/readers.h"

#include "durascribe/base/log.h"

namespace durascribe::store {

Readers::Readers(const std::filesystem::path& file, std::size_t count) {
    for (std::size_t i = 0; i < std::max<std::size_t>(count, 1); ++i) {
        idle_.push_back(std::make_unique<Connection>(file, Connection::Mode::reader));
    }
}

Readers::Borrowed::Borrowed(Readers& pool) : owner(pool) {
    std::unique_lock lock(owner.mutex_);
    owner.returned_.wait(lock, [this] { return !owner.idle_.empty(); });
    connection = std::move(owner.idle_.back());
    owner.idle_.pop_back();
}

Readers::Borrowed::~Borrowed() {
    {
        const std::lock_guard lock(owner.mutex_);
        owner.idle_.push_back(std::move(connection));
    }
    owner.returned_.notify_one();
}

Readers::Snapshot::Snapshot(Connection& connection) : db(connection) {
    db.execute("BEGIN");
}

Readers::Snapshot::~Snapshot() {
    try {
        if (db.in_transaction()) {
            db.execute("COMMIT");
        }
    } catch (const SqliteError& e) {
        log::error("SQLite could not end a read: {}", e.what());
    }
}

}  // namespace durascribe::store
