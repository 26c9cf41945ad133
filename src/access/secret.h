// Secrets: 256 random bits as text, the digest that is kept of them, and the comparison, whose time
// tells nothing.
#pragma once

#include <string>
#include <string_view>

#include "durascribe/base/error.h"

namespace durascribe::access {

// What every token begins with, so that people and secret scanners know one when they see it.
inline constexpr std::string_view kTokenPrefix = "ds_";

// 256 bits of the system's randomness, in base64url without padding (RFC 4648 §5): 43 characters.
std::string new_secret();
std::string new_token();  // kTokenPrefix and a secret
// Whether it was meant as a token, also where a part of it was lost.
bool looks_like_token(std::string_view text);

// SHA-256 in 64 lower-case hex digits. A slow hash would add nothing: nobody guesses 256 bits.
std::string digest_of(std::string_view secret);

// What a page must show beside its session's cookie. Follows from the session's secret, and tells
// nothing of it (HMAC-SHA256).
std::string csrf_token_of(std::string_view session_secret);

// In a time that depends on the lengths alone.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace durascribe::access
