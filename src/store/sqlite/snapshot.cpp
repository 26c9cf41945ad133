#include "durascribe/store/sqlite/snapshot.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/unique_fd.h"
#include "durascribe/store/sqlite/connection.h"

namespace durascribe::store {
namespace {

Result<void> sync(const std::filesystem::path& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid() || fsync(fd.get()) != 0) {
        return std::unexpected(system_error(errno, fmt::format("write {}", path.string())));
    }
    return {};
}

Result<void> there(const std::filesystem::path& database) {
    std::error_code failed;
    if (!std::filesystem::is_regular_file(database, failed)) {
        return fail(ErrorClass::request, "no_database",
                    fmt::format("There is no database {}. Name the directory with --data.",
                                database.string()));
    }
    return {};
}

}  // namespace

Result<void> copy_database(const std::filesystem::path& database,
                           const std::filesystem::path& copy) {
    if (auto found = there(database); !found) {
        return found;
    }
    try {
        Connection db(database, Connection::Mode::reader);
        db.execute("VACUUM INTO ?", copy.string());
    } catch (const SqliteError& e) {
        return std::unexpected(
            to_error(e, fmt::format("copy {} to {}", database.string(), copy.string())));
    }
    DURASCRIBE_FAILPOINT("snapshot.copied");
    if (auto synced = sync(copy); !synced) {
        return synced;
    }
    return sync(copy.parent_path());
}

Result<DatabaseContent> check_database(const std::filesystem::path& database) {
    if (auto found = there(database); !found) {
        return std::unexpected(found.error());
    }
    try {
        Connection db(database, Connection::Mode::reader);
        DatabaseContent content;
        {
            Rows rows = db.query("PRAGMA integrity_check(1)");
            const std::string finding = rows.step() ? rows.text() : "no answer";
            if (finding != "ok") {
                return fail(ErrorClass::storage, "database_corrupt",
                            fmt::format("The database {} is damaged. Use another copy of it.",
                                        database.string()),
                            finding);
            }
        }
        Rows counts = db.query("SELECT (SELECT count(*) FROM media), (SELECT count(*) FROM tasks)");
        DURASCRIBE_ASSERT(counts.step());
        content.media = counts.small();
        content.tasks = counts.small();
        Rows rows = db.query(
            "SELECT source_sha256, max(source_size) FROM media WHERE source_sha256 <> ''"
            " GROUP BY 1 UNION SELECT pcm_sha256, max(pcm_size) FROM tasks"
            " WHERE pcm_sha256 <> '' GROUP BY 1");
        while (rows.step()) {
            ports::BlobRef blob{rows.text(), 0};
            blob.size_bytes = rows.integer();
            content.blobs.push_back(std::move(blob));
        }
        return content;
    } catch (const SqliteError& e) {
        return std::unexpected(to_error(e, fmt::format("read {}", database.string())));
    }
}

}  // namespace durascribe::store
