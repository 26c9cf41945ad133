#include "durascribe/access/secret.h"

#include <array>
#include <cstddef>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace durascribe::access {
namespace {

constexpr std::size_t kSecretBytes = 32;

std::string base64url(const unsigned char* bytes, std::size_t size) {
    std::string out((size + 2) / 3 * 4 + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes,
                                       static_cast<int>(size));
    out.resize(static_cast<std::size_t>(length));
    out.erase(out.find_last_not_of('=') + 1);
    for (char& c : out) {
        c = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    return out;
}

}  // namespace

std::string new_secret() {
    std::array<unsigned char, kSecretBytes> bytes{};
    DURASCRIBE_ASSERT(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
    std::string out = base64url(bytes.data(), bytes.size());
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return out;
}

std::string new_token() {
    return std::string{kTokenPrefix} + new_secret();
}

bool looks_like_token(std::string_view text) {
    return text.starts_with(kTokenPrefix);
}

std::string digest_of(std::string_view secret) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    DURASCRIBE_ASSERT(
        EVP_Digest(secret.data(), secret.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
    return fmt::format("{:02x}", fmt::join(digest.begin(), digest.begin() + size, ""));
}

std::string csrf_token_of(std::string_view session_secret) {
    static constexpr std::string_view kPurpose = "durascribe csrf";
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned int size = 0;
    DURASCRIBE_ASSERT(HMAC(EVP_sha256(), session_secret.data(),
                           static_cast<int>(session_secret.size()),
                           reinterpret_cast<const unsigned char*>(kPurpose.data()), kPurpose.size(),
                           mac.data(), &size) != nullptr);
    return base64url(mac.data(), size);
}

bool same_secret(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace durascribe::access
