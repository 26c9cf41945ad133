#include "durascribe/backup/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/time.h"
#include "durascribe/base/unique_fd.h"
#include "durascribe/blobs/local/local_blob_store.h"
#include "durascribe/ports/clock.h"
#include "durascribe/store/sqlite/data_directory.h"
#include "durascribe/store/sqlite/snapshot.h"

namespace durascribe::backup {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr const char* kDatabase = "durascribe.db";
constexpr const char* kManifest = "manifest.json";
constexpr int kSnapshotsMax = 5;

Result<void> sync_path(const fs::path& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid() || fsync(fd.get()) != 0) {
        return std::unexpected(system_error(errno, fmt::format("write {}", path.string())));
    }
    return {};
}

Result<void> move_into_place(const fs::path& from, const fs::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) {
        return std::unexpected(system_error(errno, fmt::format("write {}", to.string())));
    }
    DURASCRIBE_FAILPOINT("backup.moved");
    return sync_path(to.parent_path());
}

Result<void> copy_blob(ports::BlobStore& from, ports::BlobStore& to, const ports::BlobRef& blob) {
    const auto there = to.exists(blob);
    if (!there || *there) {
        return there ? Result<void>{} : std::unexpected(there.error());
    }
    const auto source = from.open(blob);
    if (!source) {
        return std::unexpected(source.error());
    }
    auto copy = to.create(blob.size_bytes);
    if (!copy) {
        return std::unexpected(copy.error());
    }
    std::array<std::byte, 1 << 16> piece{};
    while (true) {
        const ssize_t got = ::read(source->get(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return std::unexpected(system_error(errno, "read a file of the backup"));
        }
        if (got == 0) {
            break;
        }
        if (auto written = (*copy)->write(std::span(piece).first(static_cast<std::size_t>(got)));
            !written) {
            return written;
        }
    }
    const auto stored = (*copy)->commit();
    if (!stored) {
        return std::unexpected(stored.error());
    }
    if (stored->sha256 != blob.sha256) {
        if (auto removed = to.remove(*stored); !removed) {
            return removed;
        }
        return fail(ErrorClass::storage, "backup_damaged",
                    fmt::format("The file {} is not what it was: its bytes have changed. Use "
                                "another copy.",
                                blob.sha256));
    }
    return {};
}

using Addresses = std::set<std::string>;

// Every blob of the database at `database`, from one directory to another. Those that are not there
// are put into `gone`.
Result<Summary> copy_blobs(const fs::path& database, const fs::path& from, const fs::path& to,
                           Addresses& gone) {
    const auto content = store::check_database(database);
    if (!content) {
        return std::unexpected(content.error());
    }
    auto source = blobs::LocalBlobStore::open(from);
    if (!source) {
        return std::unexpected(source.error());
    }
    auto target = blobs::LocalBlobStore::open(to);
    if (!target) {
        return std::unexpected(target.error());
    }
    Summary summary{.media = content->media, .tasks = content->tasks};
    for (const ports::BlobRef& blob : content->blobs) {
        if (auto copied = copy_blob(**source, **target, blob); !copied) {
            if (copied.error().code != "blob_missing") {
                return std::unexpected(copied.error());
            }
            gone.insert(blob.sha256);
            ++summary.missing;
            continue;
        }
        DURASCRIBE_FAILPOINT("backup.file_copied");
        ++summary.blobs;
        summary.bytes += blob.size_bytes;
    }
    return summary;
}

Result<void> write_manifest(const fs::path& folder, const Summary& summary, const Addresses& gone,
                            const std::string& version) {
    const std::string text =
        json::serialize(json::object{{"format", 1},
                                     {"version", version},
                                     {"created_at", to_rfc3339(ports::SystemClock().wall())},
                                     {"media", summary.media},
                                     {"tasks", summary.tasks},
                                     {"blobs", summary.blobs},
                                     {"bytes", summary.bytes},
                                     {"missing", json::array(gone.begin(), gone.end())}});
    const fs::path file = folder / kManifest;
    {
        std::ofstream out(file, std::ios::binary);
        out << text << '\n';
        if (!out.flush()) {
            return std::unexpected(system_error(errno, fmt::format("write {}", file.string())));
        }
    }
    DURASCRIBE_FAILPOINT("backup.manifest_written");
    if (auto synced = sync_path(file); !synced) {
        return synced;
    }
    DURASCRIBE_FAILPOINT("backup.manifest_synced");
    return sync_path(folder);
}

struct Promised {
    Summary summary;
    Addresses gone;
};

Result<Promised> read_manifest(const fs::path& folder) {
    std::ifstream in(folder / kManifest, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    boost::system::error_code bad;
    const json::value manifest = json::parse(text.str(), bad);
    try {
        if (in && !bad && manifest.at("format").to_number<int>() == 1) {
            Promised promised{.summary = {.media = manifest.at("media").to_number<int>(),
                                          .tasks = manifest.at("tasks").to_number<int>(),
                                          .blobs = manifest.at("blobs").to_number<int>(),
                                          .bytes = manifest.at("bytes").to_number<std::int64_t>()},
                              .gone = {}};
            if (const json::value* gone = manifest.as_object().if_contains("missing")) {
                for (const json::value& address : gone->as_array()) {
                    promised.gone.emplace(address.as_string().c_str());
                }
            }
            return promised;
        }
    } catch (const boost::system::system_error&) {
        // Not one of ours: said below.
    }
    return fail(ErrorClass::request, "not_a_backup",
                fmt::format("{} is not a whole backup: it has no {} that this version can read. "
                            "Name a folder that durascribe backup has made.",
                            folder.string(), kManifest));
}

Result<Summary> fill(const fs::path& data_directory, const fs::path& partial, Addresses& gone) {
    for (int snapshot = 1;; ++snapshot) {
        const Addresses gone_before = std::exchange(gone, {});
        std::error_code failed;
        fs::remove(partial / kDatabase, failed);
        if (auto copied = store::copy_database(data_directory / kDatabase, partial / kDatabase);
            !copied) {
            return std::unexpected(copied.error());
        }
        auto summary = copy_blobs(partial / kDatabase, data_directory, partial, gone);
        // A media that was deleted since the snapshot has taken its blob with it, and is not in the
        // next snapshot. What that one still names, and was gone before it, is gone.
        if (!summary || std::ranges::includes(gone_before, gone)) {
            return summary;
        }
        if (snapshot == kSnapshotsMax) {
            return fail(ErrorClass::internal, "backup_outrun",
                        "Files go missing faster than they can be copied. Try again when less is "
                        "being deleted.",
                        fmt::format("{} files, {} among them", gone.size(), *gone.begin()));
        }
    }
}

}  // namespace

Result<Summary> back_up(const fs::path& data_directory, const fs::path& destination,
                        const std::string& version) {
    std::error_code failed;
    const fs::path target = fs::absolute(destination).lexically_normal();
    if (fs::exists(target, failed)) {
        return fail(ErrorClass::request, "destination_exists",
                    fmt::format("{} is there already. Name a new folder.", target.string()));
    }
    const fs::path partial = target.string() + ".partial";
    fs::remove_all(partial, failed);  // of an earlier try
    fs::create_directories(partial, failed);
    if (failed) {
        return std::unexpected(
            system_error(failed.value(), fmt::format("make {}", partial.string())));
    }
    DURASCRIBE_FAILPOINT("backup.folder_made");
    fs::permissions(partial, fs::perms::owner_all, failed);
    Addresses gone;
    auto summary = fill(data_directory, partial, gone);
    if (!summary) {
        fs::remove_all(partial, failed);
        return summary;
    }
    // A first snapshot may have had more: those blobs go with nothing that names them, harmless.
    if (auto written = write_manifest(partial, *summary, gone, version); !written) {
        return std::unexpected(written.error());
    }
    if (auto moved = move_into_place(partial, target); !moved) {
        return std::unexpected(moved.error());
    }
    return summary;
}

Result<Summary> restore(const fs::path& source, const fs::path& data_directory) {
    const auto promised = read_manifest(source);
    if (!promised) {
        return std::unexpected(promised.error());
    }
    const auto locked = store::DataDirectory::open(data_directory);
    if (!locked) {
        return std::unexpected(locked.error());
    }
    std::error_code failed;
    if (fs::exists(locked->database_file(), failed)) {
        return fail(ErrorClass::request, "database_exists",
                    fmt::format("{} has a database already, which would be lost. Name an empty "
                                "directory with --data.",
                                data_directory.string()));
    }
    Addresses gone;
    auto summary = copy_blobs(source / kDatabase, source, data_directory, gone);
    if (!summary) {
        return summary;
    }
    if (!std::ranges::includes(promised->gone, gone)) {
        return fail(
            ErrorClass::storage, "backup_damaged",
            fmt::format("A file of the backup {} is missing. Use another copy.", source.string()));
    }
    if (summary->media != promised->summary.media || summary->tasks != promised->summary.tasks ||
        summary->blobs != promised->summary.blobs) {
        return fail(ErrorClass::storage, "backup_damaged",
                    fmt::format("The backup {} does not hold what its manifest promises. Use "
                                "another copy.",
                                source.string()));
    }
    DURASCRIBE_FAILPOINT("restore.files_copied");
    const fs::path partial = data_directory / "restoring.db";
    fs::remove(partial, failed);
    if (auto copied = store::copy_database(source / kDatabase, partial); !copied) {
        return std::unexpected(copied.error());
    }
    if (auto moved = move_into_place(partial, locked->database_file()); !moved) {
        return std::unexpected(moved.error());
    }
    return summary;
}

}  // namespace durascribe::backup
