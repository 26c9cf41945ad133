// A WebSocket client that sends exactly the frames it is given (RFC 6455 §5.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "raw_client.h"

namespace durascribe::testing {

struct Frame {
    int opcode = 0;
    std::string payload;
    bool operator==(const Frame&) const = default;

    // Of a close frame; 0: it names none.
    int close_code() const {
        return payload.size() < 2 ? 0
                                  : (static_cast<unsigned char>(payload[0]) << 8) |
                                        static_cast<unsigned char>(payload[1]);
    }
};

inline constexpr int kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;

class WebSocketClient {
  public:
    explicit WebSocketClient(std::uint16_t port) : raw_(port) {}
    explicit WebSocketClient(RawClient raw) : raw_(std::move(raw)) {}

    // Asks for the upgrade; the answer's status.
    int open(const std::string& target, const std::string& fields = "") {
        raw_.send("GET " + target +
                  " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                  fields + "\r\n");
        answer = raw_.read();
        return answer ? answer->status : 0;
    }
    std::optional<Answer> answer;  // to the last open()

    bool send(int opcode, std::string_view payload, bool final = true) {
        std::string frame;
        frame += static_cast<char>((final ? 0x80 : 0) | opcode);
        if (payload.size() < 126) {
            frame += static_cast<char>(0x80 | payload.size());
        } else {
            frame += static_cast<char>(0x80 | 126);
            frame += static_cast<char>(payload.size() >> 8);
            frame += static_cast<char>(payload.size() & 0xff);
        }
        const char mask[4] = {1, 2, 3, 4};
        frame.append(mask, 4);
        for (std::size_t i = 0; i < payload.size(); ++i) {
            frame += static_cast<char>(payload[i] ^ mask[i % 4]);
        }
        return raw_.send(frame);
    }

    // nullopt: the connection ended, or nothing came in time. Servers send unmasked, whole frames.
    std::optional<Frame> read() {
        const std::string head = raw_.read_bytes(2);
        if (head.size() < 2) {
            return std::nullopt;
        }
        std::size_t size = static_cast<unsigned char>(head[1]);
        if (size >= 126) {
            std::size_t length = 0;
            for (const char c : raw_.read_bytes(size == 126 ? 2 : 8)) {
                length = length << 8 | static_cast<unsigned char>(c);
            }
            size = length;
        }
        Frame frame{head[0] & 0x0f, raw_.read_bytes(size)};
        return frame.payload.size() == size ? std::optional{frame} : std::nullopt;
    }
    RawClient& raw() { return raw_; }

  private:
    RawClient raw_;
};

}  // namespace durascribe::testing
