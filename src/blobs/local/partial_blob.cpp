#include "durascribe/blobs/local/partial_blob.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/ids.h"
#include "durascribe/blobs/local/layout.h"
#include "durascribe/blobs/local/sha256.h"
#include "durascribe/blobs/local/writeback.h"

namespace durascribe::blobs {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBuffer = 1 << 20;
// What is read back to be hashed for each byte that comes: after a restart the hash catches up
// while the rest of the upload comes, and the last piece does not wait for all of it.
constexpr std::int64_t kCatchUp = 4;

fs::path partial_path(const fs::path& root, const std::string& name) {
    DURASCRIBE_ASSERT(is_uuid(name));
    return root / kPartial / name;
}

class LocalPartialBlob final : public ports::PartialBlob {
  public:
    LocalPartialBlob(fs::path root, UniqueFd fd, std::int64_t size)
        : root_(std::move(root)), fd_(std::move(fd)), size_(size) {}

    Result<void> write(std::span<const std::byte> bytes) override {
        if (hashed_ < size_) {
            const auto budget = kCatchUp * static_cast<std::int64_t>(bytes.size());
            if (auto read = catch_up(budget); !read) {
                return read;
            }
        }
        while (!bytes.empty()) {
            const ssize_t n =
                ::pwrite(fd_.get(), bytes.data(), std::min(bytes.size(), kSlice), size_);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n < 0) {
                return std::unexpected(
                    with_free_space(system_error(errno, "write an upload"), root_));
            }
            const auto written = bytes.first(static_cast<std::size_t>(n));
            if (hashed_ == size_) {
                hash_.add(written);
                hashed_ += n;
            }
            size_ += n;
            bytes = bytes.subspan(written.size());
        }
        writeback_.reached(fd_.get(), size_);
        DURASCRIBE_FAILPOINT("partial.written");
        return {};
    }

    std::int64_t size_bytes() const override { return size_; }

    Result<void> sync() override {
        if (fdatasync(fd_.get()) != 0) {
            return std::unexpected(
                with_free_space(system_error(errno, "make an upload durable"), root_));
        }
        DURASCRIBE_FAILPOINT("partial.synced");
        return {};
    }

    Result<void> cut(std::int64_t size_bytes) override {
        DURASCRIBE_ASSERT(size_bytes <= size_);
        if (ftruncate(fd_.get(), size_bytes) != 0) {
            return failed("drop a piece of an upload");
        }
        size_ = size_bytes;
        address_ = {};
        if (hashed_ > size_) {
            hash_ = Sha256{};
            hashed_ = 0;
        }
        DURASCRIBE_FAILPOINT("partial.cut");
        return {};
    }

    Result<ports::BlobRef> address() override {
        if (address_.size_bytes != size_ || address_.empty()) {
            if (auto read = catch_up(std::numeric_limits<std::int64_t>::max()); !read) {
                return std::unexpected(read.error());
            }
            address_ = {hash_.finish(), size_};
            hash_ = Sha256{};
            hashed_ = 0;
        }
        return address_;
    }

  private:
    // Hashes up to `budget` bytes of what is there.
    Result<void> catch_up(std::int64_t budget) {
        std::vector<std::byte> buffer;
        const std::int64_t until = hashed_ + std::min(budget, size_ - hashed_);
        while (hashed_ < until) {
            buffer.resize(kReadBuffer);
            const auto wanted = std::min<std::int64_t>(until - hashed_, kReadBuffer);
            const ssize_t n =
                pread(fd_.get(), buffer.data(), static_cast<std::size_t>(wanted), hashed_);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n <= 0) {
                errno = n < 0 ? errno : EIO;  // it was longer
                return failed("read an upload back");
            }
            hash_.add(std::span(buffer).first(static_cast<std::size_t>(n)));
            hashed_ += n;
        }
        return {};
    }

    const fs::path root_;
    UniqueFd fd_;
    std::int64_t size_;
    Sha256 hash_;
    Writeback writeback_;
    std::int64_t hashed_ = 0;  // bytes from the start that hash_ has seen
    ports::BlobRef address_;   // once asked for
};

}  // namespace

Result<std::unique_ptr<ports::PartialBlob>> open_partial(const fs::path& root,
                                                         const std::string& name,
                                                         std::int64_t keep_bytes) {
    UniqueFd fd(::open(partial_path(root, name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    struct stat s{};
    if (!fd.valid() || fstat(fd.get(), &s) != 0) {
        return std::unexpected(with_free_space(system_error(errno, "open an upload"), root));
    }
    DURASCRIBE_FAILPOINT("partial.made");
    // Also where it was there: who made it may not have come to this line.
    if (auto synced = sync_folder(root / kPartial); !synced) {
        return std::unexpected(synced.error());
    }
    DURASCRIBE_FAILPOINT("partial.folder_synced");
    auto blob = std::make_unique<LocalPartialBlob>(root, std::move(fd),
                                                   static_cast<std::int64_t>(s.st_size));
    if (blob->size_bytes() > keep_bytes) {
        if (auto cut = blob->cut(keep_bytes); !cut) {
            return std::unexpected(cut.error());
        }
    }
    return blob;
}

Result<void> place_partial(const fs::path& root, const std::string& name,
                           const ports::BlobRef& blob) {
    DURASCRIBE_ASSERT(is_address(blob.sha256));
    const fs::path partial = partial_path(root, name);
    const fs::path target = path_of(root, blob.sha256);
    if (auto made = make_folder(folder_of(root, blob.sha256)); !made) {
        return std::unexpected(with_free_space(made.error(), root));
    }
    if (auto synced = sync_folder(root); !synced) {
        return synced;
    }
    // What was stored before stays the one that others may have open.
    if (access(target.c_str(), F_OK) == 0) {
        if (auto removed = remove_partial(root, name); !removed) {
            return removed;
        }
    } else if (rename(partial.c_str(), target.c_str()) != 0) {
        if (errno == ENOENT) {
            return fail(ErrorClass::internal, "blob_missing",
                        "The bytes of this upload are missing. Upload the file again.",
                        partial.string());
        }
        return std::unexpected(with_free_space(system_error(errno, "place an upload"), root));
    }
    DURASCRIBE_FAILPOINT("partial.renamed");
    if (auto synced = sync_folder(folder_of(root, blob.sha256)); !synced) {
        return synced;
    }
    DURASCRIBE_FAILPOINT("partial.placed");
    return {};
}

Result<void> remove_partial(const fs::path& root, const std::string& name) {
    // Anything else in that folder is not ours to name, but the sweep may be asked to remove it.
    const fs::path file = root / kPartial / fs::path(name).filename();
    if (unlink(file.c_str()) != 0 && errno != ENOENT) {
        return failed(fmt::format("remove {}", file.string()));
    }
    DURASCRIBE_FAILPOINT("partial.removed");
    return {};
}

}  // namespace durascribe::blobs
