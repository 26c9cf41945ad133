#include "durascribe/protocol/frame.h"

#include <fmt/format.h>
#include <boost/crc.hpp>

namespace durascribe::protocol {
namespace {

constexpr std::string_view kMagic = "DSW1";
constexpr std::size_t kVersionAt = 4;
constexpr std::size_t kTypeAt = 6;
constexpr std::size_t kLengthAt = 8;
constexpr std::size_t kChecksumAt = 12;

void append_little_endian(std::string& out, std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
        out.push_back(static_cast<char>((value >> (8 * i)) & 0xffU));
    }
}

std::uint32_t little_endian(std::string_view bytes, std::size_t at, int count) {
    std::uint32_t value = 0;
    for (int i = 0; i < count; ++i) {
        const auto byte = static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
        value |= static_cast<std::uint32_t>(byte) << (8 * i);
    }
    return value;
}

// The header is covered as well: a changed frame type must not make a valid frame of another kind.
std::uint32_t checksum(std::string_view header, std::string_view payload) {
    boost::crc_32_type crc;
    crc.process_bytes(header.data(), kChecksumAt);
    crc.process_bytes(payload.data(), payload.size());
    return crc.checksum();
}

bool known(std::uint32_t type) {
    return type >= static_cast<std::uint32_t>(FrameType::ready) &&
           type <= static_cast<std::uint32_t>(FrameType::loaded);
}

// What is wrong with the bytes that are there so far, or nullopt.
std::optional<std::string> fault_in(std::string_view header) {
    const std::string_view magic = header.substr(0, kMagic.size());
    if (magic != kMagic.substr(0, magic.size())) {
        return "the frame does not begin with DSW1";
    }
    if (header.size() < kHeaderSize) {
        return std::nullopt;
    }
    if (const auto version = little_endian(header, kVersionAt, 2); version != kVersion) {
        return fmt::format("protocol version {}, not {}", version, kVersion);
    }
    if (const auto type = little_endian(header, kTypeAt, 2); !known(type)) {
        return fmt::format("unknown frame type {}", type);
    }
    if (const auto length = little_endian(header, kLengthAt, 4); length > kPayloadMax) {
        return fmt::format("a payload of {} bytes, more than {}", length, kPayloadMax);
    }
    return std::nullopt;
}

}  // namespace

Error protocol_error(std::string detail) {
    return Error{ErrorClass::crash, "protocol_error",
                 "The worker process sent data that makes no sense and was stopped. "
                 "If this happens again with the same file, please report it.",
                 std::move(detail)};
}

Result<std::string> encode_frame(FrameType type, std::string_view payload) {
    if (payload.size() > kPayloadMax) {
        return fail(ErrorClass::internal, "frame_too_large",
                    "A message between the server and its worker is too large. Please report this.",
                    fmt::format("frame type {}, {} bytes", static_cast<int>(type), payload.size()));
    }
    std::string frame;
    frame.reserve(kHeaderSize + payload.size());
    frame.append(kMagic);
    append_little_endian(frame, kVersion, 2);
    append_little_endian(frame, static_cast<std::uint32_t>(type), 2);
    append_little_endian(frame, static_cast<std::uint32_t>(payload.size()), 4);
    append_little_endian(frame, checksum(frame, payload), 4);
    frame.append(payload);
    return frame;
}

void FrameParser::feed(std::string_view bytes) {
    if (broken_) {
        return;
    }
    buffer_.erase(0, consumed_);
    consumed_ = 0;
    buffer_.append(bytes);
}

Result<std::optional<Frame>> FrameParser::next() {
    if (broken_) {
        return std::unexpected(*broken_);
    }
    const auto broken = [this](std::string why) -> Result<std::optional<Frame>> {
        broken_ = protocol_error(std::move(why));
        buffer_ = {};
        consumed_ = 0;
        return std::unexpected(*broken_);
    };
    const std::string_view bytes = std::string_view(buffer_).substr(consumed_);
    const std::string_view header = bytes.substr(0, kHeaderSize);
    if (auto fault = fault_in(header)) {
        return broken(std::move(*fault));
    }
    if (header.size() < kHeaderSize) {
        return std::nullopt;
    }
    const std::size_t length = little_endian(header, kLengthAt, 4);
    if (bytes.size() < kHeaderSize + length) {
        return std::nullopt;
    }
    const std::string_view payload = bytes.substr(kHeaderSize, length);
    if (checksum(header, payload) != little_endian(header, kChecksumAt, 4)) {
        return broken("the checksum does not match");
    }
    consumed_ += kHeaderSize + length;
    return Frame{static_cast<FrameType>(little_endian(header, kTypeAt, 2)), std::string(payload)};
}

bool FrameParser::at_boundary() const {
    return !broken_ && consumed_ == buffer_.size();
}

}  // namespace durascribe::protocol
