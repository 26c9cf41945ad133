#include "durascribe/protocol/channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <fmt/format.h>

namespace durascribe::protocol {
namespace {

constexpr std::size_t kReadSize = 64U << 10;

std::unexpected<Error> peer_gone(std::string detail) {
    return fail(ErrorClass::crash, "worker_gone",
                "The worker process closed its connection before the work was done.",
                std::move(detail));
}

// Room for the control message that carries kDescriptorsMax descriptors.
struct ControlBuffer {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsMax * sizeof(int))> bytes{};
};

void attach(msghdr& message, ControlBuffer& control, std::span<const int> descriptors) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
}

// Takes ownership of every descriptor that the kernel installed for this message.
void collect(msghdr& message, std::vector<UniqueFd>& into) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            into.emplace_back(fd);
        }
    }
}

}  // namespace

Channel::Channel(UniqueFd socket) : socket_(std::move(socket)) {}

Result<std::pair<UniqueFd, UniqueFd>> Channel::make_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return std::unexpected(system_error(errno, "open a connection to a worker process"));
    }
    return std::pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<void> Channel::send(FrameType type, std::string_view payload,
                           std::span<const int> descriptors, Millis patience) {
    DURASCRIBE_ASSERT(descriptors.size() <= kDescriptorsMax);
    const auto frame = encode_frame(type, payload);
    if (!frame) {
        return std::unexpected(frame.error());
    }
    using Steady = std::chrono::steady_clock;
    const auto give_up_at = Steady::now() + patience;
    std::string_view left = *frame;
    bool descriptors_sent = descriptors.empty();
    while (!left.empty()) {
        iovec bytes{const_cast<char*>(left.data()), left.size()};
        msghdr message{};
        message.msg_iov = &bytes;
        message.msg_iovlen = 1;
        ControlBuffer control;
        if (!descriptors_sent) {
            attach(message, control, descriptors);
        }
        const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            descriptors_sent = true;
            left.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno == EPIPE || errno == ECONNRESET) {
            return peer_gone("send: the peer has closed");
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            return std::unexpected(system_error(errno, "send to a worker process"));
        }
        const auto rest = std::chrono::ceil<Millis>(give_up_at - Steady::now());
        if (rest <= Millis{0}) {
            return fail(ErrorClass::timeout, "worker_not_reading",
                        fmt::format("The worker process took no message for {} s and was stopped.",
                                    patience.count() / 1000));
        }
        pollfd ready{socket_.get(), POLLOUT, 0};
        const auto wait = static_cast<int>(std::min<std::int64_t>(rest.count(), 60'000));
        if (::poll(&ready, 1, wait) < 0 && errno != EINTR) {
            return std::unexpected(system_error(errno, "wait for a worker process"));
        }
    }
    return {};
}

Result<std::optional<Channel::Received>> Channel::take_frame() {
    auto frame = parser_.next();
    if (!frame) {
        descriptors_.clear();
        return std::unexpected(frame.error());
    }
    if (!*frame) {
        return std::nullopt;
    }
    return Received{std::move(**frame), std::exchange(descriptors_, {})};
}

Result<Channel::Read> Channel::read_some(bool blocking) {
    std::array<char, kReadSize> buffer;
    iovec bytes{buffer.data(), buffer.size()};
    ControlBuffer control;
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    const int flags = MSG_CMSG_CLOEXEC | (blocking ? 0 : MSG_DONTWAIT);
    ssize_t got = 0;
    do {
        got = ::recvmsg(socket_.get(), &message, flags);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return Read::nothing_now;
        }
        if (errno == ECONNRESET) {
            return Read::end;
        }
        return std::unexpected(system_error(errno, "read from a worker process"));
    }
    collect(message, descriptors_);
    // The kernel closes what did not fit and says so by MSG_CTRUNC.
    if ((message.msg_flags & MSG_CTRUNC) != 0 || descriptors_.size() > kDescriptorsMax) {
        descriptors_.clear();
        return std::unexpected(protocol_error("too many file descriptors"));
    }
    if (got == 0) {
        return Read::end;
    }
    parser_.feed({buffer.data(), static_cast<std::size_t>(got)});
    return Read::bytes;
}

Result<std::optional<Channel::Received>> Channel::try_receive() {
    while (true) {
        auto frame = take_frame();
        if (!frame || *frame) {
            return frame;
        }
        const auto read = read_some(false);
        if (!read) {
            return std::unexpected(read.error());
        }
        switch (*read) {
            case Read::bytes:
                continue;
            case Read::nothing_now:
                return std::nullopt;
            case Read::end:
                return peer_gone(parser_.at_boundary() ? "end of stream"
                                                       : "end of stream in the middle of a frame");
        }
    }
}

Result<std::optional<Channel::Received>> Channel::receive() {
    while (true) {
        auto frame = take_frame();
        if (!frame || *frame) {
            return frame;
        }
        const auto read = read_some(true);
        if (!read) {
            return std::unexpected(read.error());
        }
        if (*read == Read::end) {
            if (parser_.at_boundary()) {
                return std::nullopt;
            }
            return peer_gone("end of stream in the middle of a frame");
        }
    }
}

}  // namespace durascribe::protocol
