#include "durascribe/access/tokens.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

#include "durascribe/access/secret.h"

namespace durascribe::access {
namespace {

constexpr std::size_t kNameBytesMax = 100;
constexpr std::int64_t kMillisPerDay = 24LL * 3600 * 1000;
constexpr std::int64_t kLifetimeMax = 3'650 * kMillisPerDay;
constexpr int kRequestsMax = 1'000'000;

Error bad_value(std::string_view field, std::string_view expected) {
    return {ErrorClass::request, "bad_value", fmt::format("{} must be {}.", field, expected), {}};
}

// Shown in lists and logs: what would break a line or hide in it is not taken.
bool good_name(std::string_view name) {
    const auto printable = [](char c) {
        return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7F;
    };
    return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, printable);
}

std::int64_t millis_of(char unit) {
    switch (unit) {
        case 's':
            return 1'000;
        case 'm':
            return 60'000;
        case 'h':
            return 3'600'000;
        case 'd':
            return kMillisPerDay;
        case 'w':
            return 7 * kMillisPerDay;
        default:
            return 0;
    }
}

}  // namespace

Result<void> check_token_request(const TokenRequest& request) {
    if (!good_name(request.name)) {
        return std::unexpected(bad_value(
            "name",
            fmt::format("1 to {} printable ASCII characters without spaces", kNameBytesMax)));
    }
    if (request.scopes.empty()) {
        return std::unexpected(bad_value("scopes", "one or more of read, write and admin"));
    }
    if (request.lifetime &&
        (*request.lifetime <= Millis{0} || request.lifetime->count() > kLifetimeMax)) {
        return std::unexpected(bad_value("The lifetime", "more than nothing and up to ten years"));
    }
    const ports::TokenLimits& limits = request.limits;
    if (limits.requests_per_second &&
        (*limits.requests_per_second < 0 || *limits.requests_per_second > kRequestsMax)) {
        return std::unexpected(bad_value("requests_per_second",
                                         fmt::format("a whole number from 0 to {}", kRequestsMax)));
    }
    if (limits.jobs && *limits.jobs < 0) {
        return std::unexpected(bad_value("jobs", "a whole number of 0 or more"));
    }
    if (limits.storage_bytes && *limits.storage_bytes < 0) {
        return std::unexpected(bad_value("storage_bytes", "a whole number of 0 or more"));
    }
    return {};
}

Result<Millis> lifetime_from(std::string_view text) {
    std::int64_t count = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
    const bool one_unit = problem == std::errc{} && end + 1 == text.data() + text.size();
    const std::int64_t unit = one_unit ? millis_of(*end) : 0;
    if (unit == 0 || count < 1 || count > kLifetimeMax / unit) {
        return std::unexpected(
            bad_value("The lifetime", "a number and s, m, h, d or w, such as 90d, up to 3650d"));
    }
    return Millis{count * unit};
}

Result<IssuedToken> issue_token(ports::TokenStore& store, const TokenRequest& request, WallTime now,
                                const std::optional<ports::IdempotencyKey>& idempotency) {
    if (auto checked = check_token_request(request); !checked) {
        return std::unexpected(checked.error());
    }
    IssuedToken issued;
    issued.secret = new_token();
    auto row = store.create_token(
        {.id = new_id<TokenId>(),
         .name = request.name,
         .secret_sha256 = digest_of(issued.secret),
         .scopes = request.scopes,
         .expires_at = request.lifetime ? std::optional{now + *request.lifetime} : std::nullopt,
         .limits = request.limits},
        idempotency);
    if (!row) {
        return std::unexpected(row.error());
    }
    issued.row = std::move(*row);
    return issued;
}

bool any_usable(const std::vector<ports::TokenRow>& tokens, WallTime now) {
    return std::ranges::any_of(tokens, [now](const ports::TokenRow& token) {
        return !token.expires_at || *token.expires_at > now;
    });
}

}  // namespace durascribe::access
