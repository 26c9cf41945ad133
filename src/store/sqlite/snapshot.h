// A consistent copy of the database, made while a server works on it or not.
#pragma once

#include <filesystem>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/ports/blob_store.h"

namespace durascribe::store {

// Copies the last commit of `database` to `copy`, which must not be there; durable when this
// returns. Reads through a connection that neither writes nor checkpoints. Errors: request
// "no_database"; storage.
Result<void> copy_database(const std::filesystem::path& database,
                           const std::filesystem::path& copy);

struct DatabaseContent {
    int media = 0;
    int tasks = 0;
    std::vector<ports::BlobRef> blobs;  // that its rows name
};
// Of a database that no server is on. Errors: storage "database_corrupt" where SQLite's own check
// of it finds damage.
Result<DatabaseContent> check_database(const std::filesystem::path& database);

}  // namespace durascribe::store
