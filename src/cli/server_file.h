// server.json in the data directory: where the server that owns the directory answers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "durascribe/base/error.h"

namespace durascribe::cli {

struct ServerAddress {
    int pid = 0;
    std::string host;  // to connect to
    std::uint16_t port = 0;
    std::string version;
    std::string token;  // that lets this machine's commands in; empty: of an older server
    bool operator==(const ServerAddress&) const = default;
};

// The file as long as this lives. Left behind by a killed server it is harmless: who reads it must
// still find a server that answers there, and the lock of the data directory says whether one runs.
class ServerFile {
  public:
    // Whole or not at all (temporary file, rename), readable by the owner alone.
    static Result<ServerFile> write(const std::filesystem::path& data_dir,
                                    const ServerAddress& address);
    ServerFile(ServerFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    ServerFile& operator=(ServerFile&&) = delete;
    ~ServerFile();

  private:
    explicit ServerFile(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
};

// nullopt: there is none, or what is there is not such a file.
std::optional<ServerAddress> read_server_file(const std::filesystem::path& data_dir);

}  // namespace durascribe::cli
