// An HTTP client that sends exactly the bytes it is given and reads one answer at a time.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "durascribe/base/unique_fd.h"

namespace durascribe::testing {

struct Answer {
    int status = 0;
    std::string head;  // fields in lower case
    std::string body;

    // The value of a field, or "".
    std::string field(const std::string& name) const {
        const std::size_t at = head.find("\r\n" + name + ": ");
        if (at == std::string::npos) {
            return {};
        }
        const std::size_t from = at + name.size() + 4;
        return original.substr(from, original.find("\r\n", from) - from);
    }
    std::string original;  // the head as it came
};

class RawClient {
  public:
    // `receive_buffer` bytes are asked for in the kernel, for a client that does not read; 0: the
    // system's default.
    explicit RawClient(std::uint16_t port, int receive_buffer = 0)
        : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (receive_buffer > 0) {
            ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        }
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const timeval patience{20, 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            throw std::runtime_error("connect failed");
        }
    }

    // False: the server does not take more.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) {
                return false;
            }
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }

    // nullopt: the connection ended, or nothing came in time.
    std::optional<Answer> read(bool head_only = false) {
        std::size_t end = std::string::npos;
        while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
            if (!fill()) {
                return std::nullopt;
            }
        }
        Answer answer;
        answer.original = buffer_.substr(0, end + 2);
        answer.head = answer.original;
        std::ranges::transform(answer.head, answer.head.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        buffer_.erase(0, end + 4);
        answer.status = std::stoi(answer.original.substr(9, 3));
        const std::string length = answer.field("content-length");
        const std::size_t size = length.empty() || head_only ? 0 : std::stoul(length);
        while (buffer_.size() < size) {
            if (!fill()) {
                return std::nullopt;
            }
        }
        answer.body = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return answer;
    }

    // Exactly so many bytes as they come; fewer: the connection ended, or nothing came in time.
    std::string read_bytes(std::size_t size) {
        while (buffer_.size() < size && fill()) {
        }
        std::string bytes = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return bytes;
    }

    // Up to and with `end`; less: as above.
    std::string read_until(std::string_view end) {
        while (buffer_.find(end) == std::string::npos && fill()) {
        }
        const std::size_t at = buffer_.find(end);
        return read_bytes(at == std::string::npos ? buffer_.size() : at + end.size());
    }
    // What has arrived already.
    std::string arrived() {
        char piece[64 << 10];
        for (ssize_t n = 0; (n = ::recv(fd_.get(), piece, sizeof piece, MSG_DONTWAIT)) > 0;) {
            buffer_.append(piece, static_cast<std::size_t>(n));
        }
        return std::exchange(buffer_, {});
    }

    // Waits for the end of the connection; false: something else came, or nothing in time.
    bool ended() {
        char byte = 0;
        return buffer_.empty() && ::recv(fd_.get(), &byte, 1, 0) == 0;
    }
    // The same, waiting so long at most; what came before the end is kept.
    bool ended_within(int milliseconds) {
        pollfd readable{fd_.get(), POLLIN, 0};
        while (::poll(&readable, 1, milliseconds) > 0) {
            if (!fill()) {
                return true;
            }
        }
        return false;
    }
    void shut() { ::shutdown(fd_.get(), SHUT_WR); }
    void close() { fd_.reset(); }

  private:
    bool fill() {
        char piece[64 << 10];
        const ssize_t n = ::recv(fd_.get(), piece, sizeof piece, 0);
        if (n <= 0) {
            return false;
        }
        buffer_.append(piece, static_cast<std::size_t>(n));
        return true;
    }

    UniqueFd fd_;
    std::string buffer_;
};

}  // namespace durascribe::testing
