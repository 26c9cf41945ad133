#include "durascribe/blobs/local/local_blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/ids.h"
#include "durascribe/blobs/local/layout.h"
#include "durascribe/blobs/local/partial_blob.h"
#include "durascribe/blobs/local/sha256.h"
#include "durascribe/blobs/local/writeback.h"

namespace durascribe::blobs {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBuffer = 1 << 20;

// ---- a blob being written -----------------------------------------------------------------------

class LocalPendingBlob final : public ports::PendingBlob {
  public:
    LocalPendingBlob(fs::path root, const LocalBlobOptions& options, fs::path temporary,
                     UniqueFd fd)
        : root_(std::move(root)),
          options_(options),
          temporary_(std::move(temporary)),
          fd_(std::move(fd)) {}

    ~LocalPendingBlob() override {
        // Best effort: what stays goes with the leftovers of this run.
        if (!temporary_.empty()) {
            unlink(temporary_.c_str());
        }
    }

    Result<void> write(std::span<const std::byte> bytes) override {
        while (!bytes.empty()) {
            const auto slice = bytes.first(std::min(bytes.size(), kSlice));
            const ssize_t n = ::write(fd_.get(), slice.data(), slice.size());
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n < 0) {
                return std::unexpected(with_free_space(system_error(errno, "write a file"), root_));
            }
            hash_.add(slice.first(static_cast<std::size_t>(n)));
            bytes = bytes.subspan(static_cast<std::size_t>(n));
            size_ += n;
        }
        writeback_.reached(fd_.get(), size_);
        DURASCRIBE_FAILPOINT("blob.written");
        return {};
    }

    int fd() const override { return fd_.get(); }

    std::int64_t size_bytes() const override {
        struct stat s{};
        return fstat(fd_.get(), &s) == 0 ? static_cast<std::int64_t>(s.st_size) : size_;
    }

    // What write() hashed, or, where the file was written through fd(), a hash of what is there.
    Result<ports::BlobRef> address() override {
        if (address_) {
            return *address_;
        }
        auto found = hash_of_content();
        if (found) {
            address_ = *found;
        }
        return found;
    }

    Result<ports::BlobRef> commit() override {
        if (auto done = step("sync_file", [&] { return fsync(fd_.get()); }); !done) {
            return std::unexpected(with_free_space(done.error(), root_));
        }
        DURASCRIBE_FAILPOINT("blob.file_synced");
        auto blob = address();
        if (!blob) {
            return blob;
        }
        if (auto placed = place(blob->sha256); !placed) {
            return std::unexpected(with_free_space(placed.error(), root_));
        }
        return blob;
    }

  private:
    template <typename Call>
    Result<void> step(std::string_view name, Call call) {
        errno = options_.before_step ? options_.before_step(name) : 0;
        if (errno != 0 || call() != 0) {
            return failed(fmt::format("store a file ({})", name));
        }
        return {};
    }

    Result<ports::BlobRef> hash_of_content() {
        const std::int64_t size = size_bytes();
        if (size == size_) {
            return ports::BlobRef{hash_.finish(), size_};
        }
        DURASCRIBE_ASSERT(size_ == 0);  // write() and fd() are not to be mixed
        Sha256 hash;
        std::vector<std::byte> buffer(kReadBuffer);
        std::int64_t offset = 0;
        for (;;) {
            const ssize_t n = pread(fd_.get(), buffer.data(), buffer.size(), offset);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n < 0) {
                return failed("read a file back");
            }
            if (n == 0) {
                return ports::BlobRef{hash.finish(), offset};
            }
            hash.add({buffer.data(), static_cast<std::size_t>(n)});
            offset += n;
        }
    }

    Result<void> place(const std::string& sha256) {
        const fs::path folder = folder_of(root_, sha256);
        const fs::path target = path_of(root_, sha256);
        if (auto made =
                step("make_folder",
                     [&] { return mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST ? 0 : -1; });
            !made) {
            return made;
        }
        DURASCRIBE_FAILPOINT("blob.folder_made");
        // Also where it was there: who made it may not have come to this line.
        if (auto synced = sync(root_, "sync_root"); !synced) {
            return synced;
        }
        DURASCRIBE_FAILPOINT("blob.root_synced");
        // link() and not rename(): the same bytes stored before stay the ones that others may have
        // open.
        if (auto linked = step("link",
                               [&] {
                                   return link(temporary_.c_str(), target.c_str()) == 0 ||
                                                  errno == EEXIST
                                              ? 0
                                              : -1;
                               });
            !linked) {
            return linked;
        }
        DURASCRIBE_FAILPOINT("blob.linked");
        if (auto synced = sync(folder, "sync_folder"); !synced) {
            return synced;
        }
        DURASCRIBE_FAILPOINT("blob.folder_synced");
        if (auto dropped = step("drop_temporary", [&] { return unlink(temporary_.c_str()); });
            !dropped) {
            return dropped;
        }
        temporary_.clear();
        DURASCRIBE_FAILPOINT("blob.temporary_dropped");
        return {};
    }

    Result<void> sync(const fs::path& folder, std::string_view name) {
        if (auto allowed = step(name, [] { return 0; }); !allowed) {
            return allowed;
        }
        return sync_folder(folder);
    }

    const fs::path root_;
    const LocalBlobOptions& options_;
    fs::path temporary_;  // empty once committed
    UniqueFd fd_;
    Sha256 hash_;
    Writeback writeback_;
    std::int64_t size_ = 0;  // written through write()
    std::optional<ports::BlobRef> address_;
};

}  // namespace

std::int64_t reserve_of(std::int64_t file_system_bytes) {
    constexpr std::int64_t kMost = 64LL * 1024 * 1024;
    constexpr std::int64_t kShare = 20;
    return std::min(kMost, file_system_bytes / kShare);
}

// ---- the store ----------------------------------------------------------------------------------

Result<std::unique_ptr<LocalBlobStore>> LocalBlobStore::open(const fs::path& data_directory,
                                                             LocalBlobOptions options) {
    const fs::path root = data_directory / "blobs";
    for (const fs::path& folder : {data_directory, root, root / kPending, root / kPartial}) {
        if (auto made = make_folder(folder); !made) {
            return std::unexpected(made.error());
        }
    }
    DURASCRIBE_FAILPOINT("blob.store_made");
    for (const fs::path& folder : {data_directory, root}) {
        if (auto synced = sync_folder(folder); !synced) {
            return std::unexpected(synced.error());
        }
    }
    DURASCRIBE_FAILPOINT("blob.store_synced");
    return std::unique_ptr<LocalBlobStore>(new LocalBlobStore(root, std::move(options)));
}

LocalBlobStore::LocalBlobStore(fs::path root, LocalBlobOptions options)
    : root_(std::move(root)), options_(std::move(options)), run_(new_uuid()) {}

Result<std::unique_ptr<ports::PendingBlob>> LocalBlobStore::create(std::int64_t expected_bytes) {
    const auto space = space_of(root_, options_);
    if (!space) {
        return std::unexpected(space.error());
    }
    if (space->free_for_files() < std::max<std::int64_t>(expected_bytes, 1)) {
        constexpr std::int64_t kMiB = 1024 * 1024;
        return fail(
            ErrorClass::storage, "disk_full",
            fmt::format(
                "The disk is full: {} MiB are free for files, and {} MiB are needed. Free some "
                "space, then try again.",
                space->free_for_files() / kMiB, expected_bytes / kMiB + 1),
            fmt::format("{} bytes free, of them a reserve of {}", space->free, space->reserve));
    }
    fs::path temporary = root_ / kPending / fmt::format("{}.{}", run_, ++pending_);
    UniqueFd fd(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd.valid()) {
        return std::unexpected(with_free_space(system_error(errno, "make a file"), root_));
    }
    DURASCRIBE_FAILPOINT("blob.temporary_made");
    return std::make_unique<LocalPendingBlob>(root_, options_, std::move(temporary), std::move(fd));
}

Result<UniqueFd> LocalBlobStore::open(const ports::BlobRef& blob) {
    if (is_address(blob.sha256)) {
        UniqueFd fd(::open(path_of(root_, blob.sha256).c_str(), O_RDONLY | O_CLOEXEC));
        if (fd.valid()) {
            return fd;
        }
        if (errno != ENOENT) {
            return failed(fmt::format("open the stored file {}", blob.sha256));
        }
    }
    return fail(ErrorClass::internal, "blob_missing",
                fmt::format("The stored file {} is missing. Upload it again, or restore a backup.",
                            blob.sha256));
}

Result<bool> LocalBlobStore::exists(const ports::BlobRef& blob) {
    if (!is_address(blob.sha256)) {
        return false;
    }
    if (access(path_of(root_, blob.sha256).c_str(), F_OK) == 0) {
        return true;
    }
    if (errno != ENOENT) {
        return failed(fmt::format("look for the stored file {}", blob.sha256));
    }
    return false;
}

Result<void> LocalBlobStore::remove(const ports::BlobRef& blob) {
    if (is_address(blob.sha256) && unlink(path_of(root_, blob.sha256).c_str()) != 0 &&
        errno != ENOENT) {
        return failed(fmt::format("remove the stored file {}", blob.sha256));
    }
    DURASCRIBE_FAILPOINT("blob.removed");
    return {};
}

Result<int> LocalBlobStore::remove_leftovers() {
    const auto names = names_in(root_ / kPending);
    if (!names) {
        return std::unexpected(names.error());
    }
    int removed = 0;
    for (const std::string& name : *names) {
        if (name.starts_with(run_)) {
            continue;
        }
        const fs::path file = root_ / kPending / name;
        if (unlink(file.c_str()) != 0) {
            return failed(fmt::format("remove {}", file.string()));
        }
        DURASCRIBE_FAILPOINT("blob.leftover_swept");
        ++removed;
    }
    return removed;
}

Result<std::vector<std::string>> LocalBlobStore::list(const std::string& after, int limit) {
    const auto folders = names_in(root_);
    if (!folders) {
        return std::unexpected(folders.error());
    }
    std::vector<std::string> addresses;
    for (const std::string& folder : *folders) {
        if (folder.size() != 2 || folder < after.substr(0, 2)) {
            continue;
        }
        const auto files = names_in(root_ / folder);
        if (!files) {
            return std::unexpected(files.error());
        }
        for (const std::string& file : *files) {
            std::string address = folder + file;
            // A file of someone else's is none of ours.
            if (is_address(address) && address > after) {
                addresses.push_back(std::move(address));
                if (static_cast<int>(addresses.size()) >= limit) {
                    return addresses;
                }
            }
        }
    }
    return addresses;
}

Result<std::unique_ptr<ports::PartialBlob>> LocalBlobStore::open_partial(const std::string& name,
                                                                         std::int64_t keep_bytes) {
    return blobs::open_partial(root_, name, keep_bytes);
}

Result<void> LocalBlobStore::place_partial(const std::string& name, const ports::BlobRef& blob) {
    return blobs::place_partial(root_, name, blob);
}

Result<void> LocalBlobStore::remove_partial(const std::string& name) {
    return blobs::remove_partial(root_, name);
}

Result<std::vector<std::string>> LocalBlobStore::list_partials() {
    return names_in(root_ / kPartial);
}

Result<std::int64_t> LocalBlobStore::free_bytes() {
    const auto space = space_of(root_, options_);
    if (!space) {
        return std::unexpected(space.error());
    }
    if (auto writable = probe(); !writable) {
        return std::unexpected(writable.error());
    }
    return space->free_for_files();
}

Result<std::int64_t> LocalBlobStore::capacity_bytes() {
    const auto space = space_of(root_, options_);
    if (!space) {
        return std::unexpected(space.error());
    }
    return std::max<std::int64_t>(0, space->total - space->reserve);
}

Result<void> LocalBlobStore::probe() {
    const std::scoped_lock lock{probe_mutex_};
    const auto now = std::chrono::steady_clock::now();
    if (probed_at_ != std::chrono::steady_clock::time_point{} &&
        now - probed_at_ < options_.probe_interval) {
        return probed_;
    }
    probed_at_ = now;
    const fs::path file = root_ / kPending / fmt::format("{}.probe", run_);
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    // No room for a file is another matter: that is told by how much is free.
    if (fd.valid() || errno == ENOSPC || errno == EDQUOT || errno == EMFILE || errno == ENFILE) {
        probed_ = {};
        if (fd.valid()) {
            ::unlink(file.c_str());
        }
    } else {
        probed_ = std::unexpected(system_error(errno, "make a file"));
        if (probed_.error().cls != ErrorClass::storage) {
            probed_.error().cls = ErrorClass::storage;
        }
    }
    return probed_;
}

}  // namespace durascribe::blobs
