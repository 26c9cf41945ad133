// What the program's composition (apps/) gives to the commands, so that they know neither SQLite
// nor processes nor Beast.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "durascribe/base/error.h"
#include "durascribe/cli/settings.h"
#include "durascribe/engine/engine.h"
#include "durascribe/ports/store.h"

namespace durascribe::cli {

// A data directory that is open, with its engine at rest until start().
class Node {
  public:
    virtual ~Node() = default;  // close(0)
    virtual engine::Engine& engine() = 0;
    virtual ports::Store& store() = 0;

    // Recovers and starts the engine: from now on tasks are worked on.
    virtual Result<void> start() = 0;

    // Answers HTTP on the address of the settings; returns the port. Errors: as api::Server::start.
    virtual Result<std::uint16_t> listen() = 0;

    // What lets commands on this data directory in; empty before listen().
    virtual std::string command_token() const = 0;

    // Takes nothing new, lets requests and units end within `grace`, hands the rest back, closes.
    virtual void close(Millis grace) = 0;
};

struct Composition {
    std::string version;
    std::filesystem::path worker_program;

    // Errors: request "data_directory_in_use", "data_directory_newer"; storage.
    std::function<Result<std::unique_ptr<Node>>(const Settings&)> open_node;

    // What was copied. Durable when it returns; errors: as backup::back_up and backup::restore.
    struct Copied {
        int media = 0;
        int tasks = 0;
        std::int64_t bytes = 0;
        int missing = 0;  // files that were gone before
    };
    std::function<Result<Copied>(const std::filesystem::path& data_directory,
                                 const std::filesystem::path& destination)>
        back_up;
    std::function<Result<Copied>(const std::filesystem::path& source,
                                 const std::filesystem::path& data_directory)>
        restore;
};

// The whole program: reads the arguments, runs a command, returns its exit code (commands.h).
int run(int argc, char** argv, const Composition& composition);

}  // namespace durascribe::cli
