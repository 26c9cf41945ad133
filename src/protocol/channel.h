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
// The descriptor under which a worker finds its socket.
inline constexpr int kWorkerSocketFd = 3;

class Channel {
  public:
    explicit Channel(UniqueFd socket);

    // A connected pair, close-on-exec, both ends in blocking mode.
    static Result<std::pair<UniqueFd, UniqueFd>> make_pair();

    // Writes the whole frame; the descriptors are duplicated into the peer. Errors: crash
    // "worker_gone" where the peer has closed; timeout where it does not read for `patience`.
    Result<void> send(FrameType type, std::string_view payload,
                      std::span<const int> descriptors = {}, Millis patience = Millis{10'000});

    // Descriptors come with the first frame that is whole after they arrived. A sender therefore
    // has at most one frame with descriptors under way that the other side has not yet taken.
    struct Received {
        Frame frame;
        std::vector<UniqueFd> descriptors;
    };
    // Reads what is there without blocking; nullopt: no whole frame yet. Errors: crash
    // "protocol_error" (garbage, too many descriptors), crash "worker_gone" (end of stream,
    // also in the middle of a frame; whole frames before it are given first).
    Result<std::optional<Received>> try_receive();

    // Blocks until a frame is there. For the worker's side, which has nothing else to wait for; an
    // end of stream between frames is nullopt: the server is gone or done.
    Result<std::optional<Received>> receive();

    int fd() const { return socket_.get(); }

  private:
    enum class Read { bytes, nothing_now, end };
    Result<Read> read_some(bool blocking);
    Result<std::optional<Received>> take_frame();

    UniqueFd socket_;
    FrameParser parser_;
    std::vector<UniqueFd> descriptors_;
};

}  // namespace durascribe::protocol
