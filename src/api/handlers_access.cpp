// Tokens, and the sessions that browsers open with them. docs/access.md.
#include <algorithm>
#include <chrono>
#include <limits>

#include <fmt/format.h>

#include "durascribe/api/credentials.h"
#include "durascribe/api/handlers.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"
#include "durascribe/base/log.h"

namespace durascribe::api {
namespace {

json::array scopes_shape(const domain::Scopes& scopes) {
    json::array out;
    for (const domain::Scope scope : scopes.listed()) {
        const std::string_view name = domain::to_string(scope);
        out.push_back(json::string{name.data(), name.size()});
    }
    return out;
}

template <typename T>
json::value number_or_null(const std::optional<T>& value) {
    return value ? json::value(*value) : json::value(nullptr);
}

json::object token_shape(const ports::TokenRow& token) {
    return {{"id", token.id.value},
            {"name", token.name},
            {"scopes", scopes_shape(token.scopes)},
            {"created_at", to_rfc3339(token.created_at)},
            {"expires_at", time_or_null(token.expires_at)},
            {"last_used_at", time_or_null(token.last_used_at)},
            {"requests_per_second", number_or_null(token.limits.requests_per_second)},
            {"jobs_max", number_or_null(token.limits.jobs)},
            {"storage_bytes_max", number_or_null(token.limits.storage_bytes)},
            {"stored_bytes", token.stored_bytes}};
}

json::object who_shape(const access::Principal& who) {
    const std::string_view kind = access::to_string(who.kind);
    json::object out{{"kind", json::string{kind.data(), kind.size()}},
                     {"token_id", nullptr},
                     {"name", nullptr},
                     {"scopes", scopes_shape(who.scopes)},
                     {"expires_at", time_or_null(who.expires_at)},
                     {"csrf_token", nullptr}};
    if (!who.token.value.empty()) {
        out["token_id"] = who.token.value;
        out["name"] = who.name;
    }
    if (!who.csrf_token.empty()) {
        out["csrf_token"] = who.csrf_token;
    }
    return out;
}

// What tells of secrets is kept by nobody on the way.
Response private_response(int status, const json::value& body) {
    Response response = json_response(status, body);
    std::erase_if(response.headers, [](const auto& h) { return h.first == "Cache-Control"; });
    response.headers.emplace_back("Cache-Control", "no-store");
    return response;
}

Result<std::string> text_of(const json::value& value, std::string_view field) {
    if (!value.is_string()) {
        return std::unexpected(bad_value(field, "text"));
    }
    const json::string& text = value.get_string();
    return std::string{text.data(), text.size()};
}

Result<domain::Scopes> scopes_of(const json::value& value) {
    const Error wrong = bad_value("scopes", "a list of one or more of read, write and admin");
    if (!value.is_array() || value.get_array().empty()) {
        return std::unexpected(wrong);
    }
    domain::Scopes scopes;
    for (const json::value& item : value.get_array()) {
        const auto scope =
            item.is_string()
                ? domain::scope_from({item.get_string().data(), item.get_string().size()})
                : std::nullopt;
        if (!scope) {
            return std::unexpected(wrong);
        }
        scopes.add(*scope);
    }
    return scopes;
}

Result<std::int64_t> whole_number(const json::value& value, std::string_view field,
                                  std::int64_t most) {
    if (!value.is_int64() || value.get_int64() < 0 || value.get_int64() > most) {
        return std::unexpected(bad_value(field, fmt::format("a whole number from 0 to {}", most)));
    }
    return value.get_int64();
}

Result<void> take_field(access::TokenRequest& into, std::string_view name,
                        const json::value& value) {
    constexpr std::int64_t kSmallMax = std::numeric_limits<int>::max();
    if (value.is_null() && name != "name" && name != "scopes") {
        return {};  // as if it were left out
    }
    if (name == "name") {
        auto text = text_of(value, name);
        return text ? (into.name = std::move(*text), Result<void>{})
                    : std::unexpected(text.error());
    }
    if (name == "scopes") {
        auto scopes = scopes_of(value);
        return scopes ? (into.scopes = *scopes, Result<void>{}) : std::unexpected(scopes.error());
    }
    if (name == "expires_in") {
        const auto text = text_of(value, name);
        const auto lifetime = text ? access::lifetime_from(*text) : std::unexpected(text.error());
        return lifetime ? (into.lifetime = *lifetime, Result<void>{})
                        : std::unexpected(bad_value(
                              name, "a number and s, m, h, d or w, such as 90d, up to 3650d"));
    }
    const bool is_storage = name == "storage_bytes_max";
    if (!is_storage && name != "requests_per_second" && name != "jobs_max") {
        return std::unexpected(unknown_field(
            name, "of a token",
            "name, scopes, expires_in, requests_per_second, jobs_max and storage_bytes_max"));
    }
    const auto number = whole_number(
        value, name, is_storage ? std::numeric_limits<std::int64_t>::max() : kSmallMax);
    if (!number) {
        return std::unexpected(number.error());
    }
    if (is_storage) {
        into.limits.storage_bytes = *number;
    } else if (name == "jobs_max") {
        into.limits.jobs = static_cast<int>(*number);
    } else {
        into.limits.requests_per_second = static_cast<int>(*number);
    }
    return {};
}

}  // namespace

Result<Response> open_session(const Services& services, const Request& request) {
    const auto body = json_body(request);
    if (!body) {
        return std::unexpected(body.error());
    }
    const json::value* token = body->if_contains("token");
    if (token == nullptr || !token->is_string() || body->size() != 1) {
        return std::unexpected(bad_value("The body", "{\"token\": \"…\"} and nothing else"));
    }
    const auto opened = services.access.open_session(std::string{token->get_string().c_str()});
    if (!opened) {
        return std::unexpected(opened.error());
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
        opened->expires_at - std::chrono::floor<Millis>(std::chrono::system_clock::now()));
    Response response = private_response(201, who_shape(opened->who));
    response.headers.emplace_back(
        "Set-Cookie", session_cookie(opened->secret, std::max<std::int64_t>(1, seconds.count()),
                                     request.by_https));
    return response;
}

Result<Response> get_session(const Services&, const Request& request) {
    return private_response(200, who_shape(request.who));
}

Result<Response> end_session(const Services& services, const Request& request) {
    if (request.who.kind == access::Principal::Kind::session) {
        if (auto ended = services.access.end_session(request.who); !ended) {
            return std::unexpected(ended.error());
        }
    }
    Response response;
    response.status = 204;
    response.headers.emplace_back("Set-Cookie", session_cookie("", 0, request.by_https));
    return response;
}

Result<Response> list_tokens(const Services& services, const Request&) {
    const auto tokens = services.access.list();
    if (!tokens) {
        return std::unexpected(tokens.error());
    }
    json::array items;
    for (const ports::TokenRow& token : *tokens) {
        items.push_back(token_shape(token));
    }
    return private_response(200, json::object{{"items", std::move(items)}});
}

Result<Response> create_token(const Services& services, const Request& request) {
    const auto body = json_body(request);
    if (!body) {
        return std::unexpected(body.error());
    }
    access::TokenRequest asked;
    for (const auto& [key, value] : *body) {
        if (auto taken = take_field(asked, {key.data(), key.size()}, value); !taken) {
            return std::unexpected(taken.error());
        }
    }
    const auto key = idempotency_key_of(request);
    if (!key) {
        return std::unexpected(key.error());
    }
    const auto issued = services.access.create(asked, *key);
    if (!issued) {
        return std::unexpected(issued.error());
    }
    log::info("token.created {} {}", issued->row.id.value, issued->row.name);
    json::object shape = token_shape(issued->row);
    shape["token"] = issued->secret;
    return private_response(201, shape);
}

Result<Response> revoke_token(const Services& services, const Request& request) {
    const auto id = path_id<TokenId>(request, "id", "token");
    if (!id) {
        return std::unexpected(id.error());
    }
    if (auto revoked = services.access.revoke(*id); !revoked) {
        return std::unexpected(revoked.error());
    }
    log::info("token.revoked {}", id->value);
    Response response;
    response.status = 204;
    return response;
}

}  // namespace durascribe::api
