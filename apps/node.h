// A whole node out of its parts: SQLite, a directory of blobs, worker processes, the engine, HTTP.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "durascribe/cli/node.h"

namespace durascribe {

struct Program {
    std::string version;
    std::filesystem::path worker;  // durascribe-worker, beside this program
};

// Opens the data directory and builds a node on it; its engine rests until start().
Result<std::unique_ptr<cli::Node>> open_node(const cli::Settings& settings, const Program& program);

}  // namespace durascribe
