#include "lossy_disk.h"

#include <algorithm>
#include <fstream>

namespace durascribe::testing {
namespace {

constexpr std::int64_t kBlock = 4'096;
constexpr const char* kName = "lossy-disk";

LossyDisk* disk = nullptr;
sqlite3_vfs vfs;

// SQLite's own file follows it in the same memory.
struct LossyFile {
    sqlite3_file base;
    const char* path;  // of a database or its log; null: any other
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

LossyFile* lossy(sqlite3_file* file) {
    return reinterpret_cast<LossyFile*>(file);
}
sqlite3_file* real(sqlite3_file* file) {
    return lossy(file)->real();
}
sqlite3_vfs* under() {
    return static_cast<sqlite3_vfs*>(vfs.pAppData);
}

int close_file(sqlite3_file* f) {
    delete[] lossy(f)->path;
    return real(f)->pMethods->xClose(real(f));
}
int read_file(sqlite3_file* f, void* to, int length, sqlite3_int64 at) {
    return real(f)->pMethods->xRead(real(f), to, length, at);
}
int write_file(sqlite3_file* f, const void* from, int length, sqlite3_int64 at) {
    if (disk->dead()) {
        return SQLITE_IOERR_WRITE;
    }
    const int code = real(f)->pMethods->xWrite(real(f), from, length, at);
    if (code == SQLITE_OK && lossy(f)->path != nullptr) {
        disk->wrote(lossy(f)->path, at,
                    {static_cast<const char*>(from), static_cast<std::size_t>(length)});
    }
    return code;
}
int truncate_file(sqlite3_file* f, sqlite3_int64 size) {
    if (disk->dead()) {
        return SQLITE_IOERR_TRUNCATE;
    }
    const int code = real(f)->pMethods->xTruncate(real(f), size);
    if (code == SQLITE_OK && lossy(f)->path != nullptr) {
        disk->truncated(lossy(f)->path, size);
    }
    return code;
}
int sync_file(sqlite3_file* f, int) {
    if (disk->dead() || (lossy(f)->path != nullptr && !disk->sync(lossy(f)->path))) {
        return SQLITE_IOERR_FSYNC;
    }
    return SQLITE_OK;
}
int size_of_file(sqlite3_file* f, sqlite3_int64* size) {
    return real(f)->pMethods->xFileSize(real(f), size);
}
int lock(sqlite3_file* f, int level) {
    return real(f)->pMethods->xLock(real(f), level);
}
int unlock(sqlite3_file* f, int level) {
    return real(f)->pMethods->xUnlock(real(f), level);
}
int check_lock(sqlite3_file* f, int* out) {
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
}
int control(sqlite3_file* f, int op, void* argument) {
    return real(f)->pMethods->xFileControl(real(f), op, argument);
}
int sector_size(sqlite3_file* f) {
    return real(f)->pMethods->xSectorSize(real(f));
}
int characteristics(sqlite3_file* f) {
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}
int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) {
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}
void shm_barrier(sqlite3_file* f) {
    real(f)->pMethods->xShmBarrier(real(f));
}
int shm_unmap(sqlite3_file* f, int remove) {
    return real(f)->pMethods->xShmUnmap(real(f), remove);
}

constexpr sqlite3_io_methods kMethods{
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = size_of_file,
    .xLock = lock,
    .xUnlock = unlock,
    .xCheckReservedLock = check_lock,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

int open_file(sqlite3_vfs*, const char* path, sqlite3_file* f, int flags, int* out_flags) {
    LossyFile* const file = lossy(f);
    file->base.pMethods = nullptr;
    file->path = nullptr;
    const int code = under()->xOpen(under(), path, file->real(), flags, out_flags);
    if (code != SQLITE_OK) {
        return code;
    }
    if ((flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0) {
        const std::string name(path);
        char* const kept = new char[name.size() + 1];
        std::copy_n(name.c_str(), name.size() + 1, kept);
        file->path = kept;
    }
    file->base.pMethods = &kMethods;
    return SQLITE_OK;
}
int remove_file(sqlite3_vfs*, const char* path, int sync_folder) {
    if (disk->dead()) {
        return SQLITE_IOERR_DELETE;
    }
    disk->removed(path);
    return under()->xDelete(under(), path, sync_folder);
}
int access_file(sqlite3_vfs*, const char* path, int flags, int* out) {
    return under()->xAccess(under(), path, flags, out);
}
int full_path(sqlite3_vfs*, const char* path, int size, char* out) {
    return under()->xFullPathname(under(), path, size, out);
}

}  // namespace

LossyDisk::LossyDisk(std::uint64_t seed) : random_(seed) {
    disk = this;
    sqlite3_vfs* const base = sqlite3_vfs_find(nullptr);
    vfs = *base;  // random bytes, time and sleep are its own
    vfs.pNext = nullptr;
    vfs.zName = kName;
    vfs.pAppData = base;
    vfs.szOsFile = static_cast<int>(sizeof(LossyFile)) + base->szOsFile;
    vfs.xOpen = open_file;
    vfs.xDelete = remove_file;
    vfs.xAccess = access_file;
    vfs.xFullPathname = full_path;
    sqlite3_vfs_register(&vfs, 1);
}

LossyDisk::~LossyDisk() {
    sqlite3_vfs_unregister(&vfs);
    disk = nullptr;
}

void LossyDisk::wrote(const std::string& path, std::int64_t offset, std::string_view bytes) {
    File& file = files_[path];
    const auto end = offset + static_cast<std::int64_t>(bytes.size());
    file.cached.resize(std::max(file.cached.size(), static_cast<std::size_t>(end)));
    file.cached.replace(static_cast<std::size_t>(offset), bytes.size(), bytes);
    for (std::int64_t b = offset / kBlock; b * kBlock < end; ++b) {
        file.dirty.insert(b);
        file.dropped.erase(b);
    }
    // The kernel writes back when it likes; what fails then is told by the next sync.
    if (chance(0.2)) {
        const std::int64_t block = *file.dirty.begin();
        if (chance(failing_)) {
            file.dropped.insert(block);
            file.lost_since_sync = true;
        } else {
            write_back(file, block);
        }
        file.dirty.erase(block);
    }
}

bool LossyDisk::sync(const std::string& path) {
    File& file = files_[path];
    bool failed = file.lost_since_sync;
    file.lost_since_sync = false;
    const bool fails_now = chance(failing_);
    for (const std::int64_t block : file.dirty) {
        if (fails_now && chance(0.7)) {
            file.dropped.insert(block);
            failed = true;
        } else {
            write_back(file, block);
        }
    }
    file.dirty.clear();
    if (failed) {
        ++failed_syncs_;
        if (chance(0.3)) {
            evict(path, file);
        }
    }
    return !failed;
}

void LossyDisk::truncated(const std::string& path, std::int64_t size) {
    File& file = files_[path];
    for (std::string* bytes : {&file.cached, &file.on_disk}) {
        bytes->resize(std::min(bytes->size(), static_cast<std::size_t>(size)));
    }
    std::erase_if(file.dirty, [&](std::int64_t b) { return b * kBlock >= size; });
    std::erase_if(file.dropped, [&](std::int64_t b) { return b * kBlock >= size; });
}

void LossyDisk::removed(const std::string& path) {
    files_.erase(path);
}

void LossyDisk::write_back(File& file, std::int64_t block) {
    const auto at = static_cast<std::size_t>(block * kBlock);
    const std::string_view bytes = std::string_view(file.cached).substr(at, kBlock);
    file.on_disk.resize(std::max(file.on_disk.size(), at + bytes.size()));
    file.on_disk.replace(at, bytes.size(), bytes);
    file.dropped.erase(block);
}

// What was dropped falls out of the cache: from now on the disk's bytes are read.
void LossyDisk::evict(const std::string& path, File& file) {
    std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
    for (const std::int64_t block : file.dropped) {
        const auto at = static_cast<std::size_t>(block * kBlock);
        std::string bytes(std::min<std::size_t>(kBlock, file.cached.size() - at), '\0');
        if (at < file.on_disk.size()) {
            file.on_disk.copy(bytes.data(), bytes.size(), at);
        }
        file.cached.replace(at, bytes.size(), bytes);
        out.seekp(block * kBlock);
        out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    file.dropped.clear();
}

void LossyDisk::start_after_kill() {
    for (auto& [path, file] : files_) {
        if (chance(0.3)) {
            evict(path, file);
        }
    }
    dead_ = false;
}

void LossyDisk::start_after_power_cut() {
    for (auto& [path, file] : files_) {
        for (const std::int64_t block : file.dirty) {
            if (chance(0.5)) {
                write_back(file, block);
            }
        }
        std::ofstream(path, std::ios::binary | std::ios::trunc) << file.on_disk;
        file.cached = file.on_disk;
        file.dirty.clear();
        file.dropped.clear();
        file.lost_since_sync = false;
    }
    dead_ = false;
}

}  // namespace durascribe::testing
