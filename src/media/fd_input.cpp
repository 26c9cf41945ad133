#include "durascribe/media/fd_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace durascribe::media {
namespace {
constexpr int kBufferBytes = 128 * 1024;
}

FdInput::FdInput(int fd) : fd_(fd) {}

Result<void> FdInput::open() {
    struct stat info{};
    if (::fstat(fd_, &info) != 0) {
        return std::unexpected(system_error(errno, "read the media"));
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(ErrorClass::input, "not_media", "This is not a file. Give a recording.");
    }
    if (info.st_size == 0) {
        return fail(ErrorClass::input, "empty_file",
                    "This file is empty. Check that it was copied or uploaded completely.");
    }
    size_ = info.st_size;
    ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);  // a hint: its failure changes nothing
    return make_io();
}

Result<void> FdInput::make_io() {
    position_ = 0;
    auto* buffer = allocated(static_cast<std::uint8_t*>(av_malloc(kBufferBytes)));
    io_.reset(avio_alloc_context(buffer, kBufferBytes, 0, this, &read, nullptr, &seek));
    if (!io_) {
        av_free(buffer);
        throw std::bad_alloc();
    }
    return {};
}

std::optional<FdInput::WaveData> FdInput::wave_data() const {
    struct ChunkHead {
        char id[4];
        std::uint32_t size;  // little-endian, as this machine
    } head{};
    static_assert(sizeof head == 8);
    constexpr int kChunksMax = 64;
    std::int64_t at = 12;  // behind "RIFF", its size and "WAVE"
    for (int i = 0; i < kChunksMax; ++i) {
        if (::pread(fd_, &head, sizeof head, at) != static_cast<ssize_t>(sizeof head)) {
            return std::nullopt;
        }
        at += static_cast<std::int64_t>(sizeof head);
        if (std::memcmp(head.id, "data", 4) == 0) {
            // What programs write that do not know the length yet.
            constexpr std::uint32_t kUnknownFrom = 0x7ffff000;
            if (head.size == 0 || head.size >= kUnknownFrom) {
                return std::nullopt;
            }
            return WaveData{at, head.size};
        }
        at += head.size + (head.size & 1);
    }
    return std::nullopt;
}

std::optional<FdInput::WaveBytes> FdInput::wave_bytes() const {
    const auto data = wave_data();
    return data ? std::optional(WaveBytes{data->promised, size_ - data->at}) : std::nullopt;
}

Result<bool> FdInput::leave_out_what_follows_wave_audio() {
    const auto data = wave_data();
    if (!data || data->at + data->promised >= size_) {
        return false;
    }
    size_ = data->at + data->promised;
    if (auto made = make_io(); !made) {
        return std::unexpected(made.error());
    }
    return true;
}

int FdInput::read(void* self, std::uint8_t* to, int size) {
    auto& input = *static_cast<FdInput*>(self);
    const std::int64_t most = std::min<std::int64_t>(size, input.size_ - input.position_);
    if (most <= 0) {
        return AVERROR_EOF;
    }
    for (;;) {
        const ssize_t got = ::pread(input.fd_, to, static_cast<std::size_t>(most), input.position_);
        if (got > 0) {
            input.position_ += got;
            return static_cast<int>(got);
        }
        if (got == 0) {
            return AVERROR_EOF;
        }
        if (errno != EINTR) {
            input.read_error_ = errno;
            return AVERROR(errno);
        }
    }
}

std::int64_t FdInput::seek(void* self, std::int64_t offset, int whence) {
    auto& input = *static_cast<FdInput*>(self);
    std::int64_t base = 0;
    switch (whence & ~AVSEEK_FORCE) {
        case AVSEEK_SIZE:
            return input.size_;
        case SEEK_SET:
            break;
        case SEEK_CUR:
            base = input.position_;
            break;
        case SEEK_END:
            base = input.size_;
            break;
        default:
            return AVERROR(EINVAL);
    }
    std::int64_t target = 0;
    if (__builtin_add_overflow(base, offset, &target) || target < 0) {
        return AVERROR(EINVAL);
    }
    return input.position_ = target;
}

}  // namespace durascribe::media
