// Against a name server of the test's own.
#include "durascribe/net/dns_resolver.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace durascribe::net {
namespace {

// Answers each question for an A record with 192.0.2.9, for others with nothing; with `silent`,
// none at all.
class NameServer {
  public:
    explicit NameServer(bool silent) : silent_(silent) {
        fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::jthread([this] { serve(); });
    }
    ~NameServer() {
        ::shutdown(fd_, SHUT_RDWR);
        thread_.join();
        ::close(fd_);
    }
    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  private:
    void serve() {
        unsigned char packet[512];
        for (;;) {
            sockaddr_in from{};
            socklen_t size = sizeof from;
            const ssize_t got = ::recvfrom(fd_, packet, sizeof packet, 0,
                                           reinterpret_cast<sockaddr*>(&from), &size);
            if (got < 12) {
                return;
            }
            if (silent_) {
                continue;
            }
            std::size_t at = 12;
            while (packet[at] != 0) {
                at += packet[at] + 1U;
            }
            const bool wants_v4 = packet[at + 2] == 1;
            std::string answer(reinterpret_cast<char*>(packet), at + 5);
            answer[2] = static_cast<char>(0x81);
            answer[3] = static_cast<char>(0x80);
            answer[7] = wants_v4 ? 1 : 0;
            answer[11] = 0;  // without the question's additional record
            if (wants_v4) {
                answer += std::string("\xc0\x0c\0\1\0\1\0\0\0\0\0\4\xc0\0\2\x09", 16);
            }
            ::sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from),
                     size);
        }
    }
    const bool silent_;
    int fd_ = -1;
    std::uint16_t port_ = 0;
    std::jthread thread_;
};

Result<std::vector<IpAddress>> ask(Resolver& resolver, const std::string& host) {
    std::optional<Result<std::vector<IpAddress>>> answer;
    resolver.resolve(host,
                     [&](Result<std::vector<IpAddress>> found) { answer = std::move(found); });
    while (!answer) {
        std::vector<pollfd> fds;
        resolver.add_descriptors(fds);
        ::poll(fds.data(), fds.size(),
               static_cast<int>(resolver.patience().value_or(Millis{100}).count()));
        resolver.process(fds);
    }
    return *answer;
}

TEST(DnsResolver, AsksTheServersThatItWasGiven) {
    NameServer server(false);
    auto resolver = DnsResolver::create({.servers = server.address()});
    ASSERT_TRUE(resolver) << resolver.error().message;
    const auto found = ask(**resolver, "media.example");
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_THAT(*found, ::testing::ElementsAre(*IpAddress::parse("192.0.2.9")));
}

TEST(DnsResolver, AServerThatIsSilentIsGivenUp) {
    NameServer server(true);
    auto resolver =
        DnsResolver::create({.servers = server.address(), .timeout = Millis{50}, .tries = 1});
    ASSERT_TRUE(resolver) << resolver.error().message;
    const auto found = ask(**resolver, "media.example");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, "name_not_resolved");
    EXPECT_EQ(found.error().cls, ErrorClass::network);
}

TEST(DnsResolver, ServersThatAreNoneAreRefused) {
    const auto resolver = DnsResolver::create({.servers = "nonsense here"});
    ASSERT_FALSE(resolver);
    EXPECT_EQ(resolver.error().code, "bad_dns_servers");
}

}  // namespace
}  // namespace durascribe::net
