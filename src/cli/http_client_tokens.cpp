// Tokens over the HTTP interface.
#include <fmt/format.h>

#include "durascribe/cli/http_client.h"
#include "durascribe/cli/server_answer.h"

namespace durascribe::cli {
namespace {

template <typename Number>
std::optional<Number> whole_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    return value != nullptr && value->is_int64()
               ? std::optional{static_cast<Number>(value->get_int64())}
               : std::nullopt;
}

json::array names_of(const domain::Scopes& scopes) {
    json::array out;
    for (const domain::Scope scope : scopes.listed()) {
        const std::string_view name = domain::to_string(scope);
        out.push_back(json::string{name.data(), name.size()});
    }
    return out;
}

Result<ports::TokenRow> token_from(const json::object& object) {
    ports::TokenRow token;
    token.id = TokenId{text_in(object, "id")};
    token.name = text_in(object, "name");
    token.created_at = wall_time_from_rfc3339(text_in(object, "created_at")).value_or(WallTime{});
    token.expires_at = wall_time_from_rfc3339(text_in(object, "expires_at"));
    token.last_used_at = wall_time_from_rfc3339(text_in(object, "last_used_at"));
    token.limits = {.requests_per_second = whole_in<int>(object, "requests_per_second"),
                    .jobs = whole_in<int>(object, "jobs_max"),
                    .storage_bytes = whole_in<std::int64_t>(object, "storage_bytes_max")};
    token.stored_bytes = whole_in<std::int64_t>(object, "stored_bytes").value_or(0);
    const json::array* scopes = array_in(object, "scopes");
    for (const json::value& name : scopes != nullptr ? *scopes : json::array{}) {
        const auto scope = name.is_string()
                               ? domain::scope_from(std::string{name.get_string().c_str()})
                               : std::nullopt;
        if (!scope) {
            return strange_answer("scopes of a token");
        }
        token.scopes.add(*scope);
    }
    if (token.id.value.empty() || token.scopes.empty()) {
        return strange_answer("a token");
    }
    return token;
}

}  // namespace

Result<access::IssuedToken> HttpClient::create_token(const access::TokenRequest& request) {
    if (auto checked = access::check_token_request(request); !checked) {
        return std::unexpected(checked.error());
    }
    json::object body{{"name", request.name}, {"scopes", names_of(request.scopes)}};
    if (request.lifetime) {
        body["expires_in"] = fmt::format("{}s", request.lifetime->count() / 1000);
    }
    if (request.limits.requests_per_second) {
        body["requests_per_second"] = *request.limits.requests_per_second;
    }
    if (request.limits.jobs) {
        body["jobs_max"] = *request.limits.jobs;
    }
    if (request.limits.storage_bytes) {
        body["storage_bytes_max"] = *request.limits.storage_bytes;
    }
    const auto made = object_of(server_.post_json("/api/v1/tokens", json::serialize(body)));
    if (!made) {
        return std::unexpected(made.error());
    }
    auto row = token_from(*made);
    if (!row) {
        return std::unexpected(row.error());
    }
    return access::IssuedToken{std::move(*row), text_in(*made, "token")};
}

Result<std::vector<ports::TokenRow>> HttpClient::tokens() {
    const auto page = object_of(server_.get("/api/v1/tokens"));
    if (!page) {
        return std::unexpected(page.error());
    }
    const json::array* items = array_in(*page, "items");
    if (items == nullptr) {
        return strange_answer("list of tokens");
    }
    std::vector<ports::TokenRow> out;
    for (const json::value& item : *items) {
        auto token = item.is_object() ? token_from(item.get_object())
                                      : Result<ports::TokenRow>{strange_answer("list of tokens")};
        if (!token) {
            return std::unexpected(token.error());
        }
        out.push_back(std::move(*token));
    }
    return out;
}

Result<void> HttpClient::revoke_token(const std::string& id) {
    const auto reply = server_.del("/api/v1/tokens/" + url_encoded(id));
    if (!reply) {
        return std::unexpected(reply.error());
    }
    if (reply->status >= kFirstError) {
        return std::unexpected(object_of(reply).error());
    }
    return {};
}

}  // namespace durascribe::cli
