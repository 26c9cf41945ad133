#include "durascribe/webhooks/signature.h"

#include <gtest/gtest.h>

#include <set>

namespace durascribe::webhooks {
namespace {

constexpr std::string_view kSecret =
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTwjUPD8ILPZI";

TEST(Signature, IsWhatAnotherProgramComputes) {
    // By python: base64(hmac(b64decode(secret), b"msg_1.1700000000.{}", sha256))
    EXPECT_EQ(sign(kSecret, "msg_1", 1700000000, "{}"),
              "v1,nSPbYlsy+DKkBx+Miomx9BFXBp9ampsJvo3Js7jgbBA=");
}

TEST(Signature, ASecretIsNewEachTimeAndCanSign) {
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        const std::string secret = new_secret();
        EXPECT_TRUE(secret.starts_with("whsec_"));
        EXPECT_EQ(secret.size(), 6U + 44U);
        EXPECT_TRUE(seen.insert(secret).second);
        EXPECT_EQ(sign(secret, "a", 1, "b").size(), 3U + 44U);
    }
}

TEST(Signature, TheOldSecretSignsUntilItsTimeIsOver) {
    const WallTime now{Millis{1'800'000'000'500}};
    ports::WebhookRow webhook{.secret = new_secret(), .old_secret = new_secret()};
    const std::string by_new = sign(webhook.secret, "m", 1'800'000'000, "{}");
    EXPECT_EQ(signatures(webhook, "m", now, "{}"), by_new);
    webhook.old_secret_until = now + Millis{1};
    EXPECT_EQ(signatures(webhook, "m", now, "{}"),
              by_new + " " + sign(webhook.old_secret, "m", 1'800'000'000, "{}"));
    webhook.old_secret_until = now;
    EXPECT_EQ(signatures(webhook, "m", now, "{}"), by_new);
}

}  // namespace
}  // namespace durascribe::webhooks
