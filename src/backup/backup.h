// Copies of a data directory. A backup is a folder: the database, the blobs that it names, and
// manifest.json, which is written last and says that the rest is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "durascribe/base/error.h"

namespace durascribe::backup {

struct Summary {
    int media = 0;
    int tasks = 0;
    int blobs = 0;
    std::int64_t bytes = 0;  // of the blobs
    // Files that rows name and that were gone before the backup: those rows are copied without.
    int missing = 0;
};

// Copies `data_directory` to the folder `destination`, which must not be there: what was committed
// when it began, or a little later. A server may work on the directory meanwhile; it is neither
// asked nor disturbed. Durable and whole when this returns; until then the folder has the ending
// ".partial". What a file that is gone has left is copied too (a transcript is worth having); the
// manifest names the file. `version` goes into the manifest. Errors: request "no_database",
// "destination_exists"; storage; internal "backup_outrun", where media were deleted faster than
// they could be copied.
Result<Summary> back_up(const std::filesystem::path& data_directory,
                        const std::filesystem::path& destination, const std::string& version);

// Copies a backup to `data_directory`, which may be there but must hold no database. Every blob but
// those that the manifest names as gone is held against its SHA-256, and the database against
// SQLite's check. The database comes into place
// last: after a crash, do it again. Errors: request "not_a_backup", "database_exists",
// "data_directory_in_use"; storage "database_corrupt", "backup_damaged"; storage.
Result<Summary> restore(const std::filesystem::path& source,
                        const std::filesystem::path& data_directory);

}  // namespace durascribe::backup
