#include "durascribe/api/contract.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "durascribe/api/header_values.h"
#include "durascribe/api/negotiation.h"
#include "durascribe/api/openapi.h"

namespace durascribe::api {
namespace {

namespace json = boost::json;

struct Operation {
    std::vector<std::string> query;     // names of its parameters
    std::vector<std::string> produces;  // of its answers that are no refusals; empty: no body
    bool if_match = false;              // it knows the tags of what it changes
};
// By method and pattern.
using Operations = std::map<Method, std::map<std::string, Operation, std::less<>>>;

const json::value& resolved(const json::value& value, const json::value& root) {
    const auto* reference = value.as_object().if_contains("$ref");
    return reference == nullptr ? value : root.at_pointer(reference->as_string().subview(1));
}

void add_parameters(const json::object& in, const json::value& root, Operation& operation) {
    const auto* parameters = in.if_contains("parameters");
    if (parameters == nullptr) {
        return;
    }
    for (const auto& one : parameters->as_array()) {
        const json::value& parameter = resolved(one, root);
        if (parameter.at("in") == "query") {
            operation.query.emplace_back(parameter.at("name").as_string());
        }
        operation.if_match = operation.if_match || parameter.at("name") == "If-Match";
    }
}

void add_types(const json::object& responses, const json::value& root, Operation& operation) {
    for (const auto& [status, one] : responses) {
        const auto* content = status.starts_with('2')
                                  ? resolved(one, root).as_object().if_contains("content")
                                  : nullptr;
        if (content == nullptr) {
            continue;
        }
        for (const auto& [type, schema] : content->as_object()) {
            operation.produces.emplace_back(type);
        }
    }
}

// The document is the program's own, and openapi_test reads it: what is wrong in it throws.
Operations read_document() {
    const std::string_view text = openapi_document();
    const json::value root = json::parse({text.data(), text.size()});
    Operations out;
    for (const auto& [path, item] : root.at("paths").as_object()) {
        for (const Method method :
             {Method::get, Method::post, Method::put, Method::patch, Method::del}) {
            std::string name{to_string(method)};
            std::ranges::transform(name, name.begin(), [](unsigned char c) {
                return static_cast<char>(std::tolower(c));
            });
            const auto* described = item.as_object().if_contains(name);
            if (described == nullptr) {
                continue;
            }
            Operation operation;
            add_parameters(item.as_object(), root, operation);
            add_parameters(described->as_object(), root, operation);
            add_types(described->at("responses").as_object(), root, operation);
            out[method].emplace(path, std::move(operation));
        }
    }
    return out;
}

const Operation* operation_of(const Route& route) {
    static const Operations operations = read_document();
    const auto of_method = operations.find(route.method);
    if (of_method == operations.end()) {
        return nullptr;
    }
    const auto found = of_method->second.find(route.pattern);
    return found == of_method->second.end() ? nullptr : &found->second;
}

bool gives_anything(const std::string& type) {
    return type.ends_with('*') || type == "application/octet-stream";
}

Result<void> check_query(const Operation& operation, const Request& request) {
    for (const auto& [name, value] : request.query) {
        if (std::ranges::find(operation.query, name) == operation.query.end()) {
            return fail(
                ErrorClass::request, "bad_value",
                operation.query.empty()
                    ? fmt::format("\"{}\" is no parameter of this address, which has none.", name)
                    : fmt::format("\"{}\" is no parameter of this address. There are: {}.", name,
                                  fmt::join(operation.query, ", ")));
        }
    }
    return {};
}

Result<void> check_types(const Operation& operation, const Request& request) {
    if (operation.produces.empty() || std::ranges::any_of(operation.produces, gives_anything)) {
        return {};
    }
    return check_accept(request, operation.produces);
}

// What has no entity tag is none that If-Match could name (RFC 9110 §13.1.1): to do what it guards
// all the same would be worse than to refuse.
Result<void> check_condition(const Operation& operation, const Request& request) {
    if (operation.if_match || !strong_tags(joined_fields(request, "if-match"))) {
        return {};
    }
    return fail(ErrorClass::request, "precondition_failed",
                "What is at this address has no ETag, so that If-Match can name nothing of it. "
                "Leave If-Match out.");
}

}  // namespace

Result<void> check_contract(const Route& route, const Request& request) {
    const bool named =
        !request.query.empty() && !request.legacy_path && route.pattern.starts_with("/api/v1/");
    const bool conditional = request.header("if-match") != nullptr &&
                             (request.method == Method::patch || request.method == Method::del);
    if (!named && !conditional && request.header("accept") == nullptr) {
        return {};
    }
    const Operation* operation = operation_of(route);
    if (operation == nullptr) {
        return {};
    }
    if (named) {
        if (auto known = check_query(*operation, request); !known) {
            return known;
        }
    }
    if (auto acceptable = check_types(*operation, request); !acceptable) {
        return acceptable;
    }
    return conditional ? check_condition(*operation, request) : Result<void>{};
}

}  // namespace durascribe::api
