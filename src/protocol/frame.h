// The bytes between server and worker (docs/worker-protocol.md): a 16-byte header, then a payload
// of JSON. Pure parsing: no sockets here.
//
//   offset  size  field             little-endian
//        0     4  magic             "DSW1"
//        4     2  protocol version  1
//        6     2  frame type
//        8     4  payload length    at most kPayloadMax
//       12     4  CRC-32 (IEEE 802.3) of bytes 0 to 11 and the payload
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "durascribe/base/error.h"

namespace durascribe::protocol {

inline constexpr std::uint16_t kVersion = 1;
inline constexpr std::size_t kHeaderSize = 16;
inline constexpr std::size_t kPayloadMax = 16U << 20;

enum class FrameType : std::uint16_t {
    ready = 1,        // worker: warm, waiting for a job
    extract = 2,      // server: with two descriptors, source and pcm
    transcribe = 3,   // server: with one descriptor, pcm
    progress = 4,     // worker
    extracted = 5,    // worker: the job's end
    transcribed = 6,  // worker: the job's end
    failed = 7,       // worker: the job's end
    shutdown = 8,     // server: leave with exit code 0
    fetch = 9,  // server: with one descriptor, for a head and the bytes (docs/worker-protocol.md)
    fetched = 10,  // worker: the job's end
    loaded = 11,   // worker: the model of a transcribe is in memory; no payload
};

struct Frame {
    FrameType type;
    std::string payload;
    bool operator==(const Frame&) const = default;
};

// The error of everything that breaks the protocol: class crash, code "protocol_error". `detail`
// says what was wrong.
Error protocol_error(std::string detail);

// Errors: internal "frame_too_large" (nothing that durascribe sends is).
Result<std::string> encode_frame(FrameType type, std::string_view payload);

// Takes bytes as they come and gives whole frames. The first malformed header or checksum is an
// error of class crash, code "protocol_error", and so is every call after it.
class FrameParser {
  public:
    void feed(std::string_view bytes);
    // nullopt: more bytes are needed.
    Result<std::optional<Frame>> next();
    // Whether the stream may end here without losing a frame.
    bool at_boundary() const;

  private:
    std::string buffer_;
    std::size_t consumed_ = 0;  // of buffer_, by frames already given
    std::optional<Error> broken_;
};

}  // namespace durascribe::protocol
