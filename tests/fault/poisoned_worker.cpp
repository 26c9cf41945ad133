// The real durascribe-worker, but for one thing: it does something wrong when the sound that it is
// to recognise begins with a poison, of which there are several. A fake in that: no recording is
// known that fells the real one. Linked with all that it is linked of; the reads of a job's file go
// through `pread` below.
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "durascribe/protocol/channel.h"
#include "durascribe/protocol/messages.h"

namespace {

using namespace durascribe;  // NOLINT: one small program
using protocol::FrameType;

void write_raw(std::string_view bytes) {
    static_cast<void>(::write(protocol::kWorkerSocketFd, bytes.data(), bytes.size()));
}

[[noreturn]] void hang() {
    while (true) {
        ::pause();
    }
}

[[noreturn]] void keep_saying_progress() {
    pollfd server{protocol::kWorkerSocketFd, 0, 0};  // asks for its end alone
    Millis done{0};
    do {
        done += Millis{1};
        write_raw(*protocol::encode_frame(FrameType::progress,
                                          protocol::encode(protocol::Progress{done})));
    } while (::poll(&server, 1, 5) == 0);
    ::_exit(0);
}

// What tests/fault/poisoned.py writes: samples that go up and down by kFirst + the lie's place
// here.
constexpr int kFirst = 12'345;
constexpr std::array<void (*)(), 7> kLies{
    [] { ::raise(SIGSEGV); },
    [] {
        write_raw("Segmentation fault\n");
        hang();
    },
    [] {
        write_raw(protocol::encode_frame(FrameType::progress, "{}")->substr(0, 9));
        std::_Exit(0);
    },
    [] {  // a frame of 4 GB
        std::string frame = *protocol::encode_frame(FrameType::transcribed, "");
        frame[8] = frame[9] = frame[10] = frame[11] = '\xff';
        write_raw(frame);
        hang();
    },
    [] {
        ::close(protocol::kWorkerSocketFd);
        hang();
    },
    [] { std::_Exit(0); },
    [] { keep_saying_progress(); },
};

void look_for_poison(const void* bytes, long size) {
    std::array<std::int16_t, 64> first{};
    if (size < static_cast<long>(sizeof first)) {
        return;
    }
    std::memcpy(first.data(), bytes, sizeof first);
    const int sample = std::abs(first[0]);
    for (const std::int16_t s : first) {
        if (std::abs(s) != sample) {
            return;
        }
    }
    if (sample >= kFirst && sample < kFirst + static_cast<int>(kLies.size())) {
        kLies[static_cast<std::size_t>(sample - kFirst)]();
    }
}

}  // namespace

// Stands before the C library's: the program's own symbol is found first.
extern "C" ssize_t pread(int fd, void* buffer, std::size_t size, off_t offset) {
    const long got = ::syscall(SYS_pread64, fd, buffer, size, offset);
    look_for_poison(buffer, got);
    return got;
}
