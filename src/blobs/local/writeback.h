// Private to blobs/local.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <cstdint>

namespace durascribe::blobs {

// Bytes that are written and hashed before the next ones are: they stay in the processor's
// cache in between, and Linux takes a large file in writes of this size in half the time that it
// takes for larger ones (large folios; measured on ext4, Linux 6.18).
inline constexpr std::size_t kSlice = 64 << 10;

// Has the kernel write a large file to disk while the rest of it still comes, so that little is
// left for the sync at its end. A hint: that sync alone tells whether everything is there.
class Writeback {
  public:
    // `size` bytes of the file are written by now.
    void reached(int fd, std::int64_t size) {
        if (size - begun_ >= kStretch) {
            static_cast<void>(sync_file_range(fd, begun_, size - begun_, SYNC_FILE_RANGE_WRITE));
            begun_ = size;
        }
    }

  private:
    static constexpr std::int64_t kStretch = 16 << 20;
    std::int64_t begun_ = 0;
};

}  // namespace durascribe::blobs
