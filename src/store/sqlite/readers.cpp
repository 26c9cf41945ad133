#include "durascribe/store/sqlite/readers.h"

#include <utility>

#include "durascribe/base/log.h"

namespace durascribe::store {
namespace {

thread_local Readers::View* innermost = nullptr;

}  // namespace

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

Readers::View::View(Readers& pool) : pool_(pool), outer_(std::exchange(innermost, this)) {}

Readers::View::~View() {
    innermost = outer_;
}

Connection* Readers::viewed() {
    View* view = nullptr;
    for (View* each = innermost; each != nullptr; each = each->outer_) {
        if (&each->pool_ == this) {
            view = each;  // the outermost: those within add nothing
        }
    }
    if (view == nullptr) {
        return nullptr;
    }
    if (!view->snapshot_) {
        if (!view->borrowed_) {
            view->borrowed_.emplace(*this);
        }
        view->snapshot_.emplace(*view->borrowed_->connection);
    }
    return view->borrowed_->connection.get();
}

}  // namespace durascribe::store
