// The judge over a real store, with a clock that the test owns.
#include "durascribe/access/access_control.h"

#include <gtest/gtest.h>

#include <mutex>

#include "durascribe/access/secret.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "scratch_directory.h"

namespace durascribe::access {
namespace {

using domain::Scope;
using domain::Scopes;

class AccessTest : public ::testing::Test {
  protected:
    void SetUp() override { open(); }

    void open(AccessSettings settings = {}) {
        access_.reset();
        store_.reset();
        auto store = store::SqliteStore::open(directory_.path(), clock_, {});
        ASSERT_TRUE(store) << store.error().message;
        store_ = std::move(*store);
        access_ = std::make_unique<AccessControl>(*store_, clock_, settings);
        access_->on_end([this](const std::string& owner) {
            const std::scoped_lock lock{mutex_};
            ended_.push_back(owner);
        });
        const auto started = access_->start();
        ASSERT_TRUE(started) << started.error().message;
    }

    IssuedToken make(const std::string& name, Scopes scopes, TokenRequest request = {}) {
        request.name = name;
        request.scopes = scopes;
        auto issued = access_->create(request);
        EXPECT_TRUE(issued) << issued.error().message;
        return issued ? *issued : IssuedToken{};
    }

    std::string judged(const Credentials& credentials, Need need = Need::read) {
        const auto who = access_->admit(credentials, need);
        return who ? std::string{to_string(who->kind)} : who.error().code;
    }
    static Credentials with(const std::string& token) { return {.bearer = token}; }

    std::mutex mutex_;
    std::vector<std::string> ended_;  // guarded by mutex_
    testing::ScratchDirectory directory_;
    ports::FakeClock clock_;
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<AccessControl> access_;
};

TEST_F(AccessTest, FromThisMachineNothingIsNeededUnlessItIsAskedFor) {
    EXPECT_EQ(judged({.from_this_machine = true}, Need::admin), "local");
    EXPECT_EQ(judged({}), "token_required");
    EXPECT_EQ(judged({}, Need::known), "token_required");
    EXPECT_EQ(judged({}, Need::open), "nobody");
    open({.required_on_loopback = true});
    EXPECT_EQ(judged({.from_this_machine = true}), "token_required");
    EXPECT_EQ(judged(with(access_->command_token()), Need::admin), "command");
    open({.everyone = true});
    EXPECT_EQ(judged({}, Need::admin), "everyone");
}

TEST_F(AccessTest, WhatAProxyPassesOnIsLocalOnlyWhileThereIsNoToken) {
    EXPECT_EQ(judged({.proxied_on_loopback = true}), "local");
    const auto only = make("t", Scopes{}.add(Scope::read));
    EXPECT_EQ(judged({.proxied_on_loopback = true}), "token_required");
    ASSERT_TRUE(access_->revoke(only.row.id));
    EXPECT_EQ(judged({.proxied_on_loopback = true}), "token_required") << "while another is made";
    EXPECT_EQ(judged({.from_this_machine = true}), "local");
}

TEST_F(AccessTest, ATokenDoesWhatItsScopesSay) {
    const auto reader = make("reader", Scopes{}.add(Scope::read));
    const auto writer = make("writer", Scopes{}.add(Scope::write));
    const auto admin = make("admin", Scopes{}.add(Scope::admin));
    EXPECT_EQ(judged(with(reader.secret), Need::read), "token");
    EXPECT_EQ(judged(with(reader.secret), Need::metrics), "token");
    EXPECT_EQ(judged(with(reader.secret), Need::write), "insufficient_scope");
    EXPECT_EQ(judged(with(reader.secret), Need::admin), "insufficient_scope");
    EXPECT_EQ(judged(with(writer.secret), Need::read), "insufficient_scope");
    EXPECT_EQ(judged(with(writer.secret), Need::known), "token");
    EXPECT_EQ(judged(with(admin.secret), Need::write), "token");
    const auto refused = access_->admit(with(reader.secret), Need::write);
    EXPECT_EQ(refused.error().detail, "write");
    EXPECT_NE(refused.error().message.find("write"), std::string::npos);
}

TEST_F(AccessTest, OnlyTheWholeSecretLetsIn) {
    const auto issued = make("t", Scopes::all());
    std::string other = issued.secret;
    other.back() = other.back() == 'A' ? 'B' : 'A';
    for (const std::string& wrong :
         {other, issued.secret + "A", issued.secret.substr(0, 20), std::string{},
          issued.row.id.value, issued.row.secret_sha256, new_token()}) {
        EXPECT_EQ(judged(with(wrong)), "invalid_token") << wrong;
    }
    // On loopback a key for another service is nothing to us; a wrong token of ours is told.
    EXPECT_EQ(judged({.bearer = "sk-something", .from_this_machine = true}), "local");
    EXPECT_EQ(judged({.bearer = other, .from_this_machine = true}), "invalid_token");
    EXPECT_EQ(judged({.bearer = issued.secret.substr(0, 20), .from_this_machine = true}),
              "invalid_token");
    EXPECT_EQ(judged({.bearer = issued.secret, .from_this_machine = true}), "token");
}

TEST_F(AccessTest, NoSecretIsInTheStore) {
    const auto issued = make("t", Scopes::all());
    const auto tokens = store_->tokens();
    ASSERT_TRUE(tokens);
    ASSERT_EQ(tokens->size(), 1U);
    EXPECT_EQ(tokens->front().secret_sha256, digest_of(issued.secret));
}

TEST_F(AccessTest, ARevokedTokenEndsAtOnceWithItsSessions) {
    const auto issued = make("t", Scopes::all());
    const auto opened = access_->open_session(issued.secret);
    ASSERT_TRUE(opened);
    EXPECT_EQ(judged({.session = opened->secret}), "session");
    ASSERT_TRUE(access_->revoke(issued.row.id));
    EXPECT_EQ(judged(with(issued.secret)), "invalid_token");
    EXPECT_EQ(judged({.session = opened->secret}), "token_required");
    EXPECT_EQ(access_->open_session(issued.secret).error().code, "invalid_token");
    EXPECT_EQ(access_->revoke(issued.row.id).error().code, "not_found");
    {
        const std::scoped_lock lock{mutex_};
        EXPECT_EQ(ended_, std::vector{issued.row.id.value});
    }
    open();
    EXPECT_EQ(judged(with(issued.secret)), "invalid_token");
    EXPECT_EQ(judged({.session = opened->secret}), "token_required");
}

TEST_F(AccessTest, ATokenRunsOut) {
    const auto issued = make("t", Scopes::all(), {.lifetime = Millis{60'000}});
    const auto opened = access_->open_session(issued.secret);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->expires_at, *issued.row.expires_at) << "a session lives no longer";
    clock_.advance(Millis{59'999});
    EXPECT_EQ(judged(with(issued.secret)), "token");
    clock_.advance(Millis{1});
    EXPECT_EQ(judged(with(issued.secret)), "invalid_token");
    EXPECT_EQ(judged({.session = opened->secret}), "token_required");
}

TEST_F(AccessTest, ASessionNeedsItsCsrfTokenForChangesAndOutlivesARestart) {
    const auto issued = make("t", Scopes{}.add(Scope::read).add(Scope::write));
    auto opened = access_->open_session(issued.secret);
    ASSERT_TRUE(opened);
    open();
    Credentials change{.session = opened->secret, .changes_state = true};
    EXPECT_EQ(judged(change, Need::write), "bad_csrf_token");
    change.csrf = "guessed";
    EXPECT_EQ(judged(change, Need::write), "bad_csrf_token");
    change.csrf = access_->open_session(issued.secret)->who.csrf_token;
    EXPECT_EQ(judged(change, Need::write), "bad_csrf_token") << "of another session";
    change.csrf = opened->who.csrf_token;
    EXPECT_EQ(judged(change, Need::write), "session");
    EXPECT_EQ(judged(change, Need::admin), "insufficient_scope");
    EXPECT_EQ(judged({.session = opened->secret}), "session") << "reading needs none";

    const auto who = access_->admit({.session = opened->secret}, Need::known);
    ASSERT_TRUE(who);
    ASSERT_TRUE(access_->end_session(*who));
    EXPECT_EQ(judged({.session = opened->secret}), "token_required");
    EXPECT_EQ(judged({.session = opened->secret, .from_this_machine = true}), "local");
}

TEST_F(AccessTest, ASessionRunsOut) {
    const auto issued = make("t", Scopes::all());
    const auto opened = access_->open_session(issued.secret);
    ASSERT_TRUE(opened);
    clock_.advance(Millis{30LL * 24 * 3600 * 1000});
    EXPECT_EQ(judged({.session = opened->secret}), "token_required");
    EXPECT_EQ(judged(with(issued.secret)), "token");
}

TEST_F(AccessTest, TheRateIsAMeanOverASecond) {
    const auto issued = make("t", Scopes::all(), {.limits = {.requests_per_second = 3}});
    const auto other = make("other", Scopes::all(), {.limits = {.requests_per_second = 3}});
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(judged(with(issued.secret)), "token");
    }
    EXPECT_EQ(judged(with(issued.secret)), "rate_limited");
    EXPECT_EQ(judged(with(other.secret)), "token");
    clock_.advance(Millis{334});
    EXPECT_EQ(judged(with(issued.secret)), "token");
    EXPECT_EQ(judged(with(issued.secret)), "rate_limited");
    clock_.advance(Millis{60'000});
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(judged(with(issued.secret)), "token") << "no more than a second's worth is saved";
    }
    EXPECT_EQ(judged(with(issued.secret)), "rate_limited");
}

TEST_F(AccessTest, WhatATokenDoesNotSayTheSettingsSay) {
    open({.defaults = {.requests_per_second = 1, .jobs = 5, .storage_bytes = 1'000}});
    const auto plain = make("plain", Scopes::all());
    const auto free = make("free", Scopes::all(), {.limits = {0, 0, 0}});
    const auto who = access_->admit(with(plain.secret), Need::read);
    ASSERT_TRUE(who);
    EXPECT_EQ(who->charge.jobs_max, 5);
    EXPECT_EQ(who->charge.storage_max, 1'000);
    EXPECT_EQ(who->charge.token, plain.row.id);
    EXPECT_EQ(judged(with(plain.secret)), "rate_limited");
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(judged(with(free.secret)), "token");
    }
    EXPECT_EQ(access_->admit(with(free.secret), Need::read)->charge.jobs_max, 0);
}

TEST_F(AccessTest, TheLastUseIsToldAtOnceAndKeptOverARestart) {
    const auto issued = make("t", Scopes::all());
    EXPECT_EQ(access_->list()->front().last_used_at, std::nullopt);
    clock_.advance(Millis{5'000});
    EXPECT_EQ(judged(with(issued.secret)), "token");
    const WallTime first = clock_.wall();
    EXPECT_EQ(access_->list()->front().last_used_at, first);
    ASSERT_TRUE(access_->persist_uses());
    EXPECT_EQ(store_->tokens()->front().last_used_at, first);
    clock_.advance(Millis{1'000});
    EXPECT_EQ(judged(with(issued.secret)), "token");
    EXPECT_EQ(judged(with(new_token())), "invalid_token");
    access_->stop();
    EXPECT_EQ(store_->tokens()->front().last_used_at, clock_.wall());
}

TEST_F(AccessTest, MetricsMayBePublic) {
    EXPECT_EQ(judged({}, Need::metrics), "token_required");
    open({.metrics_public = true});
    EXPECT_EQ(judged({}, Need::metrics), "nobody");
    EXPECT_EQ(judged({}, Need::read), "token_required");
}

}  // namespace
}  // namespace durascribe::access
