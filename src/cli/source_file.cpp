#include "durascribe/cli/source_file.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "durascribe/cli/terminal_text.h"

namespace durascribe::cli {
namespace {

constexpr std::size_t kPiece = 1 << 20;

std::unexpected<Error> input_error(const char* code, const std::filesystem::path& path,
                                   std::string_view what) {
    return fail(ErrorClass::input, code, fmt::format("{} {}", printable(path.native()), what));
}

}  // namespace

SourceFile::SourceFile(UniqueFd file, std::filesystem::path path, const struct stat& at_start)
    : file_(std::move(file)),
      path_(std::move(path)),
      name_(printable(path_.filename().native())),
      size_bytes_(at_start.st_size) {}

Result<SourceFile> SourceFile::open(const std::filesystem::path& path) {
    // O_NONBLOCK: a named pipe is refused below instead of being waited for.
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file.valid()) {
        switch (errno) {
            case ENOENT:
            case ENOTDIR:
                return input_error("file_missing", path,
                                   "is not there. Check the name and the folder.");
            case EACCES:
            case EPERM:
                return input_error("file_unreadable", path,
                                   "can't be read by this user. Change its permissions (chmod +r), "
                                   "or ask its owner.");
            case ENAMETOOLONG:
                return input_error("file_missing", path,
                                   "is not there: its name is longer than a name can be.");
            default:
                return input_error(
                    "file_unreadable", path,
                    fmt::format("can't be opened: {}.", std::generic_category().message(errno)));
        }
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) {
        return std::unexpected(
            system_error(errno, fmt::format("look at {}", printable(path.native()))));
    }
    if (S_ISDIR(status.st_mode)) {
        return input_error("not_a_file", path, "is a folder. Name the files in it.");
    }
    if (!S_ISREG(status.st_mode)) {
        return input_error("not_a_file", path,
                           "is not a regular file. Copy its content into one first.");
    }
    if (status.st_size == 0) {
        return input_error("empty_file", path, "is empty: there is nothing to transcribe.");
    }
    return SourceFile(std::move(file), path, status);
}

SourceFile::Reader::Reader(const SourceFile& file, std::stop_token stop)
    : file_(file), stop_(std::move(stop)), piece_(kPiece) {}

Result<void> SourceFile::Reader::check_unchanged() const {
    struct stat now{};
    if (offset_ != file_.size_bytes_ || ::fstat(file_.file_.get(), &now) != 0 ||
        now.st_size != offset_ || now.st_nlink == 0) {
        return input_error(
            "file_changed", file_.path_,
            "was changed or deleted while it was read. Run the command again once it is complete.");
    }
    return {};
}

Result<std::span<const std::byte>> SourceFile::Reader::next() {
    if (stop_.stop_requested()) {
        return fail(ErrorClass::lost, "stopped", "Stopped.");
    }
    ssize_t got = 0;
    do {
        got = ::pread(file_.file_.get(), piece_.data(), piece_.size(), offset_);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno != ESTALE) {
        return input_error(
            "file_unreadable", file_.path_,
            fmt::format("can't be read any further: {}. Check the disk or the network drive.",
                        std::generic_category().message(errno)));
    }
    offset_ += std::max<ssize_t>(got, 0);
    // Whole or grown: judged at the end, before its last piece is taken for the last.
    if (got <= 0 || offset_ >= file_.size_bytes_) {
        if (auto unchanged = check_unchanged(); !unchanged) {
            return std::unexpected(unchanged.error());
        }
    }
    return std::span<const std::byte>(piece_).first(
        static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
}

Result<std::string> SourceFile::sha256(std::stop_token stop) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(),
                                                                       EVP_MD_CTX_free);
    if (!hash || EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) != 1) {
        return fail(ErrorClass::internal, "no_sha256", "SHA-256 is not available in this OpenSSL.");
    }
    for (Reader bytes = reader(std::move(stop));;) {
        const auto piece = bytes.next();
        if (!piece) {
            return std::unexpected(piece.error());
        }
        if (piece->empty()) {
            break;
        }
        if (EVP_DigestUpdate(hash.get(), piece->data(), piece->size()) != 1) {
            return fail(ErrorClass::internal, "no_sha256", "SHA-256 failed in OpenSSL.");
        }
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_DigestFinal_ex(hash.get(), digest, &length);
    std::string out;
    for (unsigned int i = 0; i < length; ++i) {
        out += fmt::format("{:02x}", digest[i]);
    }
    return out;
}

}  // namespace durascribe::cli
