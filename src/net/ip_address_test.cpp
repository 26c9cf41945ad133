#include "durascribe/net/ip_address.h"

#include <gtest/gtest.h>

namespace durascribe::net {
namespace {

TEST(IpAddress, IsReadInItsPlainFormsAlone) {
    for (const char* text : {"192.0.2.1", "::1", "2001:db8::5", "::ffff:192.0.2.1"}) {
        const auto address = IpAddress::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(address->text(), text);
    }
    for (const char* text : {"", "127.1", "0177.0.0.1", "0x7f.0.0.1", "2130706433", "192.0.2.256",
                             "192.0.2.1.", "[::1]", "fe80::1%eth0", "localhost", " 127.0.0.1"}) {
        EXPECT_FALSE(IpAddress::parse(text)) << text;
    }
    EXPECT_FALSE(IpAddress::parse(std::string_view("127.0.0.1\0", 10)));
}

TEST(Network, ContainsWhatItsPrefixSays) {
    const auto network = Network::parse("172.16.0.0/12");
    ASSERT_TRUE(network);
    EXPECT_TRUE(network->contains(*IpAddress::parse("172.31.255.255")));
    EXPECT_FALSE(network->contains(*IpAddress::parse("172.32.0.0")));
    EXPECT_FALSE(network->contains(*IpAddress::parse("::ffff:172.16.0.1")));
    EXPECT_TRUE(Network::parse("0.0.0.0/0")->contains(*IpAddress::parse("255.255.255.255")));
    EXPECT_TRUE(Network::parse("::1")->contains(*IpAddress::parse("::1")));
    EXPECT_FALSE(Network::parse("::1")->contains(*IpAddress::parse("::2")));
    for (const char* text :
         {"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8x", "::/129", "x/8"}) {
        EXPECT_FALSE(Network::parse(text)) << text;
    }
}

}  // namespace
}  // namespace durascribe::net
