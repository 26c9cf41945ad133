// A stream socket that carries frames and, beside them, file descriptors (SCM_RIGHTS). Owned by one
// thread.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/base/unique_fd.h"
#include "durascribe/protocol/frame.h"

namespace durascribe::protocol {

inline constexpr std::size_t kDescriptorsMax = 4;

class Channel {
  public:
    explicit Channel(UniqueFd socket);

    // A connected pair, close-on-exec, non-blocking on neither side's behalf.
    static Result<std::pair<UniqueFd, UniqueFd>> make_pair();

    // Writes the whole frame; the descriptors are duplicated into the peer. Errors: crash
    // "worker_gone" where the peer has closed; timeout where it does not read for `patience`.
    Result<void> send(FrameType type, std::string_view payload,
                      std::span<const int> descriptors = {}, Millis patience = Millis{10'000});

    struct Received {
        Frame frame;
        std::vector<UniqueFd> descriptors;
    };
    // Reads what is there without blocking; nullopt: no whole frame yet. Errors: crash
    // "protocol_error" (garbage, too many descriptors), crash "worker_gone" (end of stream).
    Result<std::optional<Received>> try_receive();

    // Blocks until a frame is there. For the worker's side, which has nothing else to wait for; an
    // end of stream between frames is nullopt: the server is gone or done.
    Result<std::optional<Received>> receive();

    int fd() const { return socket_.get(); }

  private:
    Result<bool> read_some(bool blocking);  // false: nothing now

    UniqueFd socket_;
    FrameParser parser_;
    std::vector<UniqueFd> descriptors_;
    bool ended_ = false;
};

}  // namespace durascribe::protocol
