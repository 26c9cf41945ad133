// A disk for SQLite whose syncs fail as Linux lets them fail: a sync that fails has dropped what it
// did not write, the next one says that all is well, and what was dropped can still be read until
// it falls out of the cache. What really is on the disk is kept aside, and a power cut shows it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <sqlite3.h>

namespace durascribe::testing {

// One at a time, one thread at a time: while it lives it is SQLite's default file system.
class LossyDisk {
  public:
    explicit LossyDisk(std::uint64_t seed);
    ~LossyDisk();
    LossyDisk(const LossyDisk&) = delete;
    LossyDisk& operator=(const LossyDisk&) = delete;

    // The share of syncs, and of blocks written back between syncs, that fail.
    void set_failing(double share) { failing_ = share; }

    // From now on no file changes, whatever is called: the process is as good as dead. Close the
    // store, then say what the next one finds.
    void die() { dead_ = true; }
    // The process was killed: what it wrote is in the cache, though perhaps not on the disk.
    void start_after_kill();
    // What is on the disk, and perhaps some of what was on its way there.
    void start_after_power_cut();

    int failed_syncs() const { return failed_syncs_; }

    // As SQLite calls them for the file at `path`.
    void wrote(const std::string& path, std::int64_t offset, std::string_view bytes);
    bool sync(const std::string& path);  // false: it failed
    void truncated(const std::string& path, std::int64_t size);
    void removed(const std::string& path);
    bool dead() const { return dead_; }

  private:
    struct File {
        std::string cached;  // as every process reads it: the file's own bytes
        std::string on_disk;
        std::set<std::int64_t> dirty;    // blocks written and on no disk yet
        std::set<std::int64_t> dropped;  // blocks that the cache holds as clean, and the disk not
        bool lost_since_sync = false;    // one of them: the next sync tells
    };

    bool chance(double share) { return std::bernoulli_distribution(share)(random_); }
    static void write_back(File& file, std::int64_t block);
    static void evict(const std::string& path, File& file);

    std::mt19937_64 random_;
    double failing_ = 0;
    bool dead_ = false;
    int failed_syncs_ = 0;
    std::map<std::string, File> files_;
};

}  // namespace durascribe::testing
