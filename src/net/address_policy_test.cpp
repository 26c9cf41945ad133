#include "durascribe/net/address_policy.h"

#include <gtest/gtest.h>

namespace durascribe::net {
namespace {

TEST(AddressPolicy, RefusesWhatIsNotPublic) {
    const AddressPolicy policy;
    for (const char* text : {"0.0.0.0",
                             "0.1.2.3",
                             "10.0.0.1",
                             "100.64.0.1",
                             "100.127.255.255",
                             "127.0.0.1",
                             "127.255.255.254",
                             "169.254.169.254",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.0.0.8",
                             "192.0.2.1",
                             "192.88.99.1",
                             "192.168.1.1",
                             "198.18.0.1",
                             "198.19.255.255",
                             "198.51.100.1",
                             "203.0.113.1",
                             "224.0.0.1",
                             "239.255.255.255",
                             "240.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::127.0.0.1",
                             "::ffff:127.0.0.1",
                             "::ffff:8.8.8.8",
                             "::ffff:0:127.0.0.1",
                             "64:ff9b::7f00:1",
                             "64:ff9b::808:808",
                             "64:ff9b:1::1",
                             "100::1",
                             "2001::1",
                             "2001:0:7f00:1::1",
                             "2001:20::1",
                             "2001:db8::1",
                             "2002:7f00:1::",
                             "2002:808:808::1",
                             "3fff::1",
                             "5f00::1",
                             "fc00::1",
                             "fd12:3456::1",
                             "fe80::1",
                             "febf::1",
                             "fec0::1",
                             "ff02::1",
                             "4000::1"}) {
        const auto address = IpAddress::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_TRUE(policy.refusal(*address)) << text;
    }
}

TEST(AddressPolicy, LetsPublicAddressesPass) {
    const AddressPolicy policy;
    for (const char* text :
         {"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "128.0.0.1", "172.15.255.255",
          "172.32.0.1", "192.0.1.1", "198.17.255.255", "198.20.0.1", "223.255.255.255",
          "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "2001:4860:4860::8888"}) {
        const auto address = IpAddress::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_FALSE(policy.refusal(*address)) << text << " " << *policy.refusal(*address);
    }
}

TEST(AddressPolicy, LetsPassWhatTheOperatorAllows) {
    const auto policy = AddressPolicy::parse("127.0.0.0/8, 10.1.2.3,fd00::/8");
    ASSERT_TRUE(policy);
    EXPECT_FALSE(policy->refusal(*IpAddress::parse("127.0.0.1")));
    EXPECT_FALSE(policy->refusal(*IpAddress::parse("10.1.2.3")));
    EXPECT_FALSE(policy->refusal(*IpAddress::parse("fd00::1")));
    EXPECT_TRUE(policy->refusal(*IpAddress::parse("10.1.2.4")));
    EXPECT_TRUE(policy->refusal(*IpAddress::parse("::1")));
    EXPECT_TRUE(policy->refusal(*IpAddress::parse("::ffff:127.0.0.1")));
    EXPECT_EQ(policy->text(), "127.0.0.0/8,10.1.2.3/32,fd00::/8");
    EXPECT_EQ(AddressPolicy::parse("")->text(), "");
    EXPECT_FALSE(AddressPolicy::parse("127.0.0.0/8,private"));
}

}  // namespace
}  // namespace durascribe::net
