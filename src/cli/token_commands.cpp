// durascribe token create, list, revoke.
#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/cli/commands.h"
#include "durascribe/cli/terminal_text.h"

namespace durascribe::cli {
namespace {

std::string scopes_text(const domain::Scopes& scopes, std::string_view between) {
    std::string out;
    for (const domain::Scope scope : scopes.listed()) {
        out += out.empty() ? "" : between;
        out += domain::to_string(scope);
    }
    return out;
}

std::string day_of(const std::optional<WallTime>& time) {
    constexpr std::size_t kMinutes = 16;  // 2026-11-28T12:00
    return time ? to_rfc3339(*time).substr(0, kMinutes) + "Z" : "never";
}

void print_table(const std::vector<ports::TokenRow>& tokens) {
    constexpr const char* kRow = "{:36}  {:24}  {:16}  {:17}  {:17}  {:17}\n";
    fmt::print(kRow, "ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "LAST USED");
    for (const ports::TokenRow& token : tokens) {
        fmt::print(kRow, printable(token.id.value), printable(token.name),
                   scopes_text(token.scopes, ","), day_of(token.created_at),
                   day_of(token.expires_at), day_of(token.last_used_at));
    }
}

void print_json(const std::vector<ports::TokenRow>& tokens) {
    namespace json = boost::json;
    const auto time = [](const std::optional<WallTime>& t) {
        return t ? json::value(to_rfc3339(*t)) : json::value(nullptr);
    };
    json::array list;
    for (const ports::TokenRow& token : tokens) {
        json::array scopes;
        for (const domain::Scope scope : token.scopes.listed()) {
            const std::string_view name = domain::to_string(scope);
            scopes.push_back(json::string{name.data(), name.size()});
        }
        list.push_back(json::object{{"id", token.id.value},
                                    {"name", token.name},
                                    {"scopes", std::move(scopes)},
                                    {"created_at", time(token.created_at)},
                                    {"expires_at", time(token.expires_at)},
                                    {"last_used_at", time(token.last_used_at)},
                                    {"stored_bytes", token.stored_bytes}});
    }
    fmt::print("{}\n", json::serialize(list));
}

}  // namespace

int create_token(const Settings& settings, const Composition& composition,
                 const access::TokenRequest& request) {
    if (auto checked = access::check_token_request(request); !checked) {
        report(checked.error());
        return kUsage;
    }
    auto client = connect(settings, composition, false);
    if (!client) {
        return report(client.error());
    }
    const auto issued = (*client)->create_token(request);
    if (!issued) {
        return report(issued.error());
    }
    // The token alone on standard output, for a script to take; words on standard error.
    fmt::print("{}\n", issued->secret);
    fmt::print(stderr,
               "This is the token {}, which may {}{}. It is shown this once and kept nowhere: put "
               "it where it is needed, as Authorization: Bearer TOKEN. To end it: durascribe token "
               "revoke {}\n",
               printable(issued->row.name), scopes_text(issued->row.scopes, " and "),
               issued->row.expires_at ? ", until " + day_of(issued->row.expires_at) : "",
               issued->row.id.value);
    return kOk;
}

int list_tokens(const Settings& settings, const Composition& composition, bool json) {
    auto client = connect(settings, composition, false);
    if (!client) {
        return report(client.error());
    }
    const auto tokens = (*client)->tokens();
    if (!tokens) {
        return report(tokens.error());
    }
    if (json) {
        print_json(*tokens);
    } else if (tokens->empty()) {
        fmt::print("There are no tokens. Make one with: durascribe token create NAME\n");
    } else {
        print_table(*tokens);
    }
    return kOk;
}

int revoke_token(const Settings& settings, const Composition& composition, const std::string& id) {
    auto client = connect(settings, composition, false);
    if (!client) {
        return report(client.error());
    }
    if (auto revoked = (*client)->revoke_token(id); !revoked) {
        return report(revoked.error());
    }
    fmt::print("Revoked {}: nobody can use it any more.\n", printable(id));
    return kOk;
}

}  // namespace durascribe::cli
