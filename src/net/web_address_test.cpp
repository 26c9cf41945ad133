#include "durascribe/net/web_address.h"

#include <gtest/gtest.h>

namespace durascribe::net {
namespace {

TEST(WebAddress, IsReadInItsParts) {
    const auto a = WebAddress::parse("HTTPS://Example.ORG:8443/a/My%20Talk.mp4?x=1#t=5");
    ASSERT_TRUE(a) << a.error().message;
    EXPECT_EQ(a->scheme, "https");
    EXPECT_EQ(a->host, "example.org");
    EXPECT_EQ(a->port, 8443);
    EXPECT_EQ(a->file_name(), "My Talk.mp4");
    EXPECT_EQ(a->text.find('#'), std::string::npos);
    EXPECT_FALSE(a->literal);
    const auto v6 = WebAddress::parse("http://[2001:db8::1]/x");
    ASSERT_TRUE(v6) << v6.error().message;
    EXPECT_EQ(v6->port, 80);
    EXPECT_EQ(v6->host, "2001:db8::1");
    EXPECT_EQ(v6->literal, IpAddress::parse("2001:db8::1"));
    EXPECT_EQ(WebAddress::parse("http://192.0.2.1")->literal, IpAddress::parse("192.0.2.1"));
    EXPECT_EQ(WebAddress::parse("http://example.org")->file_name(), "");
}

TEST(WebAddress, OtherFormsOfAnAddressAreRefused) {
    for (const char* text :
         {"http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/",
          "http://127.1/", "http://127.0.1/", "http://017700000001/", "http://0X7F.1/",
          "http://192.0.2.01/", "http://example.0x7f/", "http://1.2.3.4.5/", "http://127.0.0.1./",
          "http://4294967296/", "http://%31%32%37.0.0.1/", "http://①②⑦.0.0.1/",
          "http://[::ffff:127.0.0.1%25lo]/", "http://[fe80::1%25eth0]/"}) {
        const auto a = WebAddress::parse(text);
        ASSERT_FALSE(a) << text << " is read as " << a->host;
        EXPECT_EQ(a.error().code, "bad_url") << text;
        EXPECT_EQ(a.error().cls, ErrorClass::input) << text;
    }
}

TEST(WebAddress, WhatIsNoHttpAddressIsRefused) {
    for (const std::string& text :
         {std::string{}, std::string{"example.org/x"}, std::string{"file:///etc/passwd"},
          std::string{"ftp://example.org/"}, std::string{"gopher://example.org/"},
          std::string{"http://"}, std::string{"http://user@example.org/"},
          std::string{"http://user:word@example.org/"}, std::string{"http://example.org:0/"},
          std::string{"http://example.org:65536/"}, std::string{"http://ex ample.org/"},
          std::string{"http://example.org/\r\nHost: x"}, std::string{"http://exämple.org/"},
          std::string{"javascript:alert(1)"}, std::string{"http://example.org\\@127.0.0.1/"},
          "http://example.org/" + std::string(5000, 'a')}) {
        const auto a = WebAddress::parse(text);
        EXPECT_FALSE(a) << text;
    }
}

TEST(WebAddress, ARedirectIsReadAgainstItsAddress) {
    const auto from = WebAddress::parse("https://example.org/a/b?q");
    ASSERT_TRUE(from);
    EXPECT_EQ(from->resolve("../c d")->text, "https://example.org/c%20d");
    EXPECT_EQ(from->resolve("//other.example/x")->host, "other.example");
    EXPECT_EQ(from->resolve("http://192.0.2.7/x")->literal, IpAddress::parse("192.0.2.7"));
    const auto by_number = WebAddress::parse("http://192.0.2.7/a");
    ASSERT_TRUE(by_number);
    const auto sent_on = by_number->resolve("/login?back=http://media.example/x");
    ASSERT_TRUE(sent_on) << sent_on.error().message;
    EXPECT_EQ(sent_on->literal, IpAddress::parse("192.0.2.7"));
    for (const char* text :
         {"http://2130706433/", "//0x7f.1/", "file:///etc/passwd", "", "http://u@h/"}) {
        EXPECT_FALSE(from->resolve(text)) << text;
    }
}

}  // namespace
}  // namespace durascribe::net
