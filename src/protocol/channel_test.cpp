#include "durascribe/protocol/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>

namespace durascribe::protocol {
namespace {

std::ptrdiff_t open_descriptors() {
    namespace fs = std::filesystem;
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
}

class ChannelTest : public ::testing::Test {
  protected:
    ChannelTest() {
        auto pair = Channel::make_pair();
        EXPECT_TRUE(pair.has_value());
        near_ = std::make_unique<Channel>(std::move(pair->first));
        far_ = std::make_unique<Channel>(std::move(pair->second));
    }

    void write_raw(std::string_view bytes) {
        ASSERT_EQ(::send(far_->fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }

    // One byte with so many copies of a descriptor, past what Channel::send allows.
    void write_descriptors(std::size_t count) {
        const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        const std::vector<int> fds(count, null.get());
        std::vector<char> control(CMSG_SPACE(count * sizeof(int)));
        char byte = 'D';
        iovec bytes{&byte, 1};
        msghdr message{};
        message.msg_iov = &bytes;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        std::memcpy(CMSG_DATA(header), fds.data(), count * sizeof(int));
        ASSERT_EQ(::sendmsg(far_->fd(), &message, MSG_NOSIGNAL), 1);
    }

    std::unique_ptr<Channel> near_;
    std::unique_ptr<Channel> far_;
};

TEST_F(ChannelTest, CarriesAFrameWithOpenFiles) {
    const UniqueFd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    ASSERT_TRUE(file.valid());
    ASSERT_EQ(::pwrite(file.get(), "sound", 5, 0), 5);
    const int fds[] = {file.get(), file.get()};
    ASSERT_TRUE(near_->send(FrameType::extract, "{}", fds).has_value());

    auto received = far_->receive();
    ASSERT_TRUE(received.has_value() && received->has_value());
    EXPECT_EQ((*received)->frame, (Frame{FrameType::extract, "{}"}));
    ASSERT_EQ((*received)->descriptors.size(), 2U);
    for (const UniqueFd& fd : (*received)->descriptors) {
        char text[6] = {};
        EXPECT_EQ(::pread(fd.get(), text, 5, 0), 5);
        EXPECT_STREQ(text, "sound");
        EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    }
}

TEST_F(ChannelTest, GivesNothingWhileNothingIsThere) {
    const auto received = near_->try_receive();
    ASSERT_TRUE(received.has_value());
    EXPECT_FALSE(received->has_value());
}

TEST_F(ChannelTest, AFrameLargerThanTheSocketBufferPasses) {
    const std::string payload(kPayloadMax, 'p');
    std::jthread sender(
        [&] { EXPECT_TRUE(far_->send(FrameType::extracted, payload).has_value()); });
    const auto received = near_->receive();
    ASSERT_TRUE(received.has_value() && received->has_value());
    EXPECT_EQ((*received)->frame.payload, payload);
}

TEST_F(ChannelTest, APeerThatDoesNotReadIsGivenUp) {
    const std::string payload(kPayloadMax, 'p');
    const auto sent = near_->send(FrameType::extract, payload, {}, Millis{50});
    ASSERT_FALSE(sent.has_value());
    EXPECT_EQ(sent.error().cls, ErrorClass::timeout);
    EXPECT_EQ(sent.error().code, "worker_not_reading");
}

TEST_F(ChannelTest, WholeFramesBeforeTheEndAreGivenFirst) {
    ASSERT_TRUE(far_->send(FrameType::ready, "{}").has_value());
    far_.reset();
    auto received = near_->try_receive();
    ASSERT_TRUE(received.has_value() && received->has_value());
    received = near_->try_receive();
    ASSERT_FALSE(received.has_value());
    EXPECT_EQ(received.error().code, "worker_gone");
    EXPECT_EQ(received.error().cls, ErrorClass::crash);
    const auto sent = near_->send(FrameType::shutdown, "");
    ASSERT_FALSE(sent.has_value());
    EXPECT_EQ(sent.error().code, "worker_gone");
}

TEST_F(ChannelTest, TheEndBetweenFramesIsTheWorkersSignToLeave) {
    near_.reset();
    const auto received = far_->receive();
    ASSERT_TRUE(received.has_value());
    EXPECT_FALSE(received->has_value());
}

TEST_F(ChannelTest, HalfAFrameThenTheEndIsAnError) {
    const auto frame = encode_frame(FrameType::ready, R"({"engine":"x"})");
    write_raw(std::string_view(*frame).substr(0, 20));
    far_.reset();
    const auto received = near_->try_receive();
    ASSERT_FALSE(received.has_value());
    EXPECT_EQ(received.error().code, "worker_gone");
    EXPECT_NE(received.error().detail.find("middle of a frame"), std::string::npos);
}

TEST_F(ChannelTest, GarbageIsAnError) {
    write_raw("Segmentation fault (core dumped)\n");
    const auto received = near_->try_receive();
    ASSERT_FALSE(received.has_value());
    EXPECT_EQ(received.error().code, "protocol_error");
}

TEST_F(ChannelTest, TooManyDescriptorsAreClosedAndRefused) {
    const auto before = open_descriptors();
    write_descriptors(kDescriptorsMax + 3);
    const auto received = near_->try_receive();
    ASSERT_FALSE(received.has_value());
    EXPECT_EQ(received.error().code, "protocol_error");
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ChannelTest, DescriptorsDoNotPileUpOverManyMessages) {
    const auto before = open_descriptors();
    Result<std::optional<Channel::Received>> received = std::nullopt;
    for (int i = 0; i < 3 && received.has_value(); ++i) {
        write_descriptors(kDescriptorsMax);
        received = near_->try_receive();
    }
    EXPECT_FALSE(received.has_value());
    EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace durascribe::protocol
