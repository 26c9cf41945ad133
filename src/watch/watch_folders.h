// Folders of the operator's: a file that comes into one is taken once it has stopped growing, and,
// where that is wanted, its transcript is put beside it.
//
//  * A form of a file (path, inode, size, time of its last change) is taken once, over restarts:
//    media, task and the record of it are one transaction. A file that was changed since is
//    another.
//  * Not taken: what is no regular file (symbolic links are not followed), what begins with a dot,
//    transcripts, and what downloads are called until they are whole; what is in a folder below
//    only with WatchSettings::subfolders.
//  * One that is refused for what it is (too large) or for what is asked of it (an engine that is
//    not installed) is tried again once it was changed, and at the next start; after any other
//    failure, every minute.
//  * A file that goes, or is renamed, before it was taken is forgotten; under its new name it is a
//    new one.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "durascribe/engine/engine.h"
#include "durascribe/ports/store.h"

namespace durascribe::watch {

struct WatchSettings {
    std::vector<std::filesystem::path> folders;   // absolute
    std::vector<domain::DocumentFormat> outputs;  // put beside the file; none: nowhere
    Millis settle{10'000};                        // without a change
    bool subfolders = false;  // also what is below them, but for what begins with a dot
    // For what no notice comes of (network file systems), and for transcripts that could not be
    // written.
    Millis look_again{60'000};
    domain::TaskOptions options;
    std::int64_t limit_bytes = 0;  // of one file; 0: none
    // Writes a whole file or nothing, in place of none. Errors: request "output_exists" where
    // another is there; whatever else it is, it is tried again.
    std::function<Result<void>(const std::filesystem::path&, const std::string& content)> write;
};

class WatchFolders {
  public:
    // Starts its thread. The references outlive it. Errors: input "folder_not_readable", naming it.
    static Result<std::unique_ptr<WatchFolders>> start(engine::Engine& engine, ports::Store& store,
                                                       const ports::Clock& clock,
                                                       WatchSettings settings);
    ~WatchFolders();  // a file that is being read is not taken

  private:
    class Impl;
    explicit WatchFolders(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace durascribe::watch
