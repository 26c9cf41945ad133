#include "durascribe/webhooks/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <span>
#include <vector>

#include <fmt/format.h>

namespace durascribe::webhooks {
namespace {

constexpr std::string_view kPrefix = "whsec_";
constexpr std::size_t kSecretBytes = 32;

// RFC 4648 §4
std::string to_base64(std::span<const unsigned char> bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // EVP writes a final NUL
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(),
                                       static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(length));
    return out;
}

std::vector<unsigned char> key_of(std::string_view secret) {
    DURASCRIBE_ASSERT(secret.starts_with(kPrefix));
    secret.remove_prefix(kPrefix.size());
    std::vector<unsigned char> key(secret.size() / 4 * 3);
    const int length =
        EVP_DecodeBlock(key.data(), reinterpret_cast<const unsigned char*>(secret.data()),
                        static_cast<int>(secret.size()));
    DURASCRIBE_ASSERT(length >= static_cast<int>(kSecretBytes));
    key.resize(static_cast<std::size_t>(length) - (secret.ends_with("==")  ? 2
                                                   : secret.ends_with("=") ? 1
                                                                           : 0));
    return key;
}

}  // namespace

std::string new_secret() {
    std::array<unsigned char, kSecretBytes> bytes{};
    DURASCRIBE_ASSERT(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
    return std::string(kPrefix) + to_base64(bytes);
}

std::string sign(std::string_view secret, std::string_view message_id, std::int64_t timestamp,
                 std::string_view body) {
    const auto key = key_of(secret);
    const std::string text = fmt::format("{}.{}.{}", message_id, timestamp, body);
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned int length = 0;
    DURASCRIBE_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                           reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                           mac.data(), &length) != nullptr);
    return "v1," + to_base64(std::span(mac).first(length));
}

std::string signatures(const ports::WebhookRow& webhook, std::string_view message_id, WallTime now,
                       std::string_view body) {
    const std::int64_t timestamp =
        std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    std::string out = sign(webhook.secret, message_id, timestamp, body);
    if (webhook.old_secret_until && now < *webhook.old_secret_until) {
        out += " " + sign(webhook.old_secret, message_id, timestamp, body);
    }
    return out;
}

}  // namespace durascribe::webhooks
