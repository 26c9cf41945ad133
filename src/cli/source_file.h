// A file that a user names as input: checked, identified by its content, and read in pieces.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include "durascribe/base/error.h"
#include "durascribe/base/unique_fd.h"

namespace durascribe::cli {

// One thread.
class SourceFile {
  public:
    // Errors of class input, naming the file: "file_missing", "not_a_file", "file_unreadable",
    // "empty_file".
    static Result<SourceFile> open(const std::filesystem::path& path);

    std::int64_t size_bytes() const { return size_bytes_; }
    const std::string& name() const { return name_; }  // the file's own name as valid UTF-8

    // Gives every byte in order, in pieces that stay until the next call; an empty piece after the
    // last. Errors: input "file_changed" where the file was cut short, deleted or grew meanwhile;
    // lost "stopped". The file must outlive it.
    class Reader {
      public:
        Result<std::span<const std::byte>> next();

      private:
        friend class SourceFile;
        Reader(const SourceFile& file, std::stop_token stop);
        Result<void> check_unchanged() const;

        const SourceFile& file_;
        std::stop_token stop_;
        std::vector<std::byte> piece_;
        std::int64_t offset_ = 0;
    };
    Reader reader(std::stop_token stop) const { return Reader(*this, std::move(stop)); }

    // SHA-256 as 64 hex digits. Errors: as Reader::next().
    Result<std::string> sha256(std::stop_token stop) const;

  private:
    SourceFile(UniqueFd file, std::filesystem::path path, const struct stat& at_start);

    UniqueFd file_;
    std::filesystem::path path_;
    std::string name_;
    std::int64_t size_bytes_;
};

}  // namespace durascribe::cli
