// What a fetch worker sends, on its way into a partial blob: a head, then bytes, through a pipe.
// What has come is made durable at intervals, first in the file, then in the store, and so survives
// the worker, this process and the machine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "durascribe/base/unique_fd.h"
#include "durascribe/ports/blob_store.h"
#include "durascribe/ports/clock.h"
#include "durascribe/ports/store.h"

namespace durascribe::engine {

// One attempt to fetch one media. One thread, beside its own, which reads the pipe between begin()
// and finish().
class Download {
  public:
    // `import` as the store has it; `file`: its partial blob, opened with the row's bytes_done.
    // `check_room` is asked, on a thread of the download's own, before the first byte of so many
    // that are announced; its error ends the download.
    Download(ports::Store& store, const ports::Clock& clock, ports::Lease lease,
             ports::ImportRow import, std::unique_ptr<ports::PartialBlob> file,
             std::function<Result<void>(std::int64_t bytes)> check_room);
    ~Download();

    // Where to go on; 0 where nothing tells whether the other side still has the same file.
    std::int64_t offset() const { return offset_; }
    // All that was announced is there and durable: an earlier attempt ended before it could say so.
    // Then only seal() is left to do.
    bool whole() const;
    const ports::ImportRow& import() const { return import_; }
    // Still to come, where that was announced. Not between begin() and finish().
    std::optional<std::int64_t> left() const {
        return import_.bytes_total ? std::optional{*import_.bytes_total - import_.bytes_done}
                                   : std::nullopt;
    }

    // The end for the worker.
    Result<UniqueFd> begin();
    // Once nobody else holds that end. What came is durable when it returns, also where it fails.
    // Errors: storage; lost "stale_lease"; crash "protocol_error" (a head that is none).
    Result<void> finish();
    // All of it is there: its address is in the store when it returns. Errors: as finish(); input
    // "empty_file"; network "cut_short".
    Result<void> seal();

  private:
    Result<void> pump();
    Result<void> take_head();
    Result<void> make_durable();

    ports::Store& store_;
    const ports::Clock& clock_;
    const ports::Lease lease_;
    ports::ImportRow import_;
    const std::unique_ptr<ports::PartialBlob> file_;
    const std::function<Result<void>(std::int64_t bytes)> check_room_;
    std::int64_t offset_ = 0;
    UniqueFd pipe_;
    Result<void> pumped_;
    std::jthread thread_;
};

}  // namespace durascribe::engine
