#include "durascribe/access/tokens.h"

#include <gtest/gtest.h>

#include "durascribe/domain/access_scope.h"

namespace durascribe::access {
namespace {

using domain::Scope;
using domain::Scopes;

std::string refused(const TokenRequest& request) {
    const auto checked = check_token_request(request);
    return checked ? "" : checked.error().code + ": " + checked.error().message;
}

TEST(Tokens, AName) {
    EXPECT_EQ(refused({.name = "nightly-import"}), "");
    for (const std::string& name : {std::string{}, std::string{"two words"}, std::string(101, 'x'),
                                    std::string{"\xc3\xa9"}, std::string{"a\nb"}}) {
        EXPECT_TRUE(refused({.name = name}).starts_with("bad_value: name")) << name;
    }
}

TEST(Tokens, ScopesLifetimeAndLimits) {
    EXPECT_TRUE(refused({.name = "x", .scopes = {}}).starts_with("bad_value: scopes"));
    EXPECT_TRUE(refused({.name = "x", .lifetime = Millis{0}}).starts_with("bad_value"));
    EXPECT_TRUE(
        refused({.name = "x", .limits = {.requests_per_second = -1}}).starts_with("bad_value"));
    EXPECT_TRUE(refused({.name = "x", .limits = {.jobs = -1}}).starts_with("bad_value"));
    EXPECT_TRUE(refused({.name = "x", .limits = {.storage_bytes = -1}}).starts_with("bad_value"));
    EXPECT_EQ(refused({.name = "x", .limits = {0, 0, 0}}), "");
}

TEST(Tokens, ALifetimeIsANumberAndAUnit) {
    EXPECT_EQ(lifetime_from("90d"), Millis{90LL * 24 * 3600 * 1000});
    EXPECT_EQ(lifetime_from("12h"), Millis{12LL * 3600 * 1000});
    EXPECT_EQ(lifetime_from("30s"), Millis{30'000});
    EXPECT_EQ(lifetime_from("2w"), lifetime_from("14d"));
    for (const char* bad : {"", "90", "d", "0d", "-1d", "1.5d", "90D", "90 d", "3651d",
                            "99999999999999999999d", "90dd"}) {
        EXPECT_FALSE(lifetime_from(bad)) << bad;
    }
}

TEST(Tokens, AdminHasTheOtherScopesInItAndWriteDoesNotRead) {
    const Scopes admin = Scopes{}.add(Scope::admin);
    const Scopes write = Scopes{}.add(Scope::write);
    EXPECT_TRUE(admin.allow(Scope::read) && admin.allow(Scope::write) && admin.allow(Scope::admin));
    EXPECT_TRUE(write.allow(Scope::write));
    EXPECT_FALSE(write.allow(Scope::read));
    EXPECT_FALSE(write.allow(Scope::admin));
    EXPECT_FALSE(Scopes{}.allow(Scope::read));
    EXPECT_EQ(Scopes::from_bits(Scopes::all().bits()), Scopes::all());
    EXPECT_EQ(Scopes::from_bits(8), std::nullopt);
    EXPECT_EQ(Scopes::from_bits(-1), std::nullopt);
    EXPECT_EQ(admin.listed(), std::vector{Scope::admin});
    for (const Scope scope : Scopes::all().listed()) {
        EXPECT_EQ(domain::scope_from(domain::to_string(scope)), scope);
    }
    EXPECT_EQ(domain::scope_from("Admin"), std::nullopt);
}

TEST(Tokens, OneThatRanOutLetsNobodyIn) {
    const WallTime now{Millis{1'000}};
    ports::TokenRow token;
    EXPECT_FALSE(any_usable({}, now));
    EXPECT_TRUE(any_usable({token}, now));
    token.expires_at = now;
    EXPECT_FALSE(any_usable({token}, now));
    token.expires_at = now + Millis{1};
    EXPECT_TRUE(any_usable({token}, now));
}

}  // namespace
}  // namespace durascribe::access
