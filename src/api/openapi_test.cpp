// The document against the code: no route without its words, no words without their route.
#include "durascribe/api/openapi.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "durascribe/api/routes.h"

namespace durascribe::api {
namespace {

namespace json = boost::json;

json::object document() {
    const std::string_view text = openapi_document();
    return json::parse({text.data(), text.size()}).as_object();
}

bool is_method(std::string_view name) {
    return name == "get" || name == "post" || name == "patch" || name == "delete" || name == "put";
}

TEST(OpenApi, HasEveryRouteAndNoOther) {
    std::set<std::string> served;
    for (const Route& route : routes()) {
        if (route.method == Method::options) {
            continue;  // every path takes it
        }
        std::string method{to_string(route.method)};
        std::ranges::transform(method, method.begin(),
                               [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        served.insert(method + " " + std::string{route.pattern});
    }
    std::set<std::string> described;
    for (const auto& [path, item] : document().at("paths").as_object()) {
        for (const auto& [method, operation] : item.as_object()) {
            if (is_method(std::string_view{method.data(), method.size()})) {
                described.insert(std::string{method} + " " + std::string{path});
            }
        }
    }
    EXPECT_EQ(served, described);
}

// A change that comes with the cookie has the page's token beside it.
json::array security_of(const Route& route) {
    const auto requirement = [&route](std::string_view scope) {
        json::array scopes;
        if (!scope.empty()) {
            scopes.emplace_back(json::string{scope.data(), scope.size()});
        }
        json::object session{{"session", scopes}};
        if (route.method != Method::get) {
            session["csrf"] = json::array{};
        }
        return json::array{json::object{{"bearer", scopes}}, session};
    };
    switch (route.need) {
        case access::Need::open:
            return {};
        case access::Need::known:
            return requirement("");
        case access::Need::read:
        case access::Need::metrics:
            return requirement("read");
        case access::Need::write:
            return requirement("write");
        case access::Need::admin:
            return requirement("admin");
    }
    return {};
}

// What the table says is what is enforced (HttpConnection::authorise): here it is what is told.
TEST(OpenApi, SaysOfEveryRouteWhoMayAskForIt) {
    const json::object root = document();
    for (const Route& route : routes()) {
        if (route.method == Method::options) {
            EXPECT_EQ(route.need, access::Need::open) << "it is asked before a token is sent";
            continue;
        }
        std::string method{to_string(route.method)};
        std::ranges::transform(method, method.begin(),
                               [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const json::object& operation =
            root.at("paths")
                .at(json::string_view{route.pattern.data(), route.pattern.size()})
                .at(method)
                .as_object();
        ASSERT_TRUE(operation.contains("security")) << method << " " << route.pattern;
        EXPECT_EQ(operation.at("security"), json::value(security_of(route)))
            << method << " " << route.pattern;
        for (const char* status : {"401", "403", "429"}) {
            EXPECT_TRUE(route.need == access::Need::open ||
                        operation.at("responses").as_object().contains(status))
                << method << " " << route.pattern << " " << status;
        }
    }
    for (const char* scheme : {"bearer", "session", "csrf"}) {
        EXPECT_TRUE(root.at("components").at("securitySchemes").as_object().contains(scheme));
    }
}

void expect_references_resolve(const json::value& in, const json::value& root) {
    if (in.is_array()) {
        for (const auto& item : in.get_array()) {
            expect_references_resolve(item, root);
        }
    }
    if (!in.is_object()) {
        return;
    }
    for (const auto& [key, value] : in.get_object()) {
        if (key != "$ref") {
            expect_references_resolve(value, root);
            continue;
        }
        ASSERT_TRUE(value.as_string().starts_with("#/")) << value;
        boost::system::error_code missing;
        EXPECT_NE(root.find_pointer(value.as_string().subview(1), missing), nullptr) << value;
    }
}

TEST(OpenApi, EveryReferenceResolves) {
    const json::value root = document();
    expect_references_resolve(root, root);
}

const json::object& resolved(const json::value& value, const json::value& root) {
    const auto* reference = value.as_object().if_contains("$ref");
    return (reference == nullptr ? value : root.at_pointer(reference->as_string().subview(1)))
        .as_object();
}

// Of JSON and of forms: of other bodies there is nothing to show.
void expect_examples(const json::object& of, const std::string& where) {
    const auto* content = of.if_contains("content");
    if (content == nullptr) {
        return;
    }
    for (const auto& [type, body] : content->as_object()) {
        if (type.contains("json") || type == "multipart/form-data") {
            EXPECT_TRUE(body.as_object().contains("example")) << where << " " << type;
        }
    }
}

TEST(OpenApi, EveryBodyHasAnExample) {
    const json::value root = document();
    for (const auto& [path, item] : root.at("paths").as_object()) {
        for (const auto& [method, operation] : item.as_object()) {
            const std::string where = std::string{method} + " " + std::string{path};
            if (const auto* body = operation.as_object().if_contains("requestBody")) {
                expect_examples(resolved(*body, root), where);
            }
            for (const auto& [status, response] : operation.at("responses").as_object()) {
                expect_examples(resolved(response, root), where + " " + std::string{status});
            }
        }
    }
}

// 406 is told of what can be refused so (check_contract), and 405 of no operation.
TEST(OpenApi, SaysWhatIsNotAcceptableWhereTheTypesAreKnown) {
    const json::value root = document();
    for (const auto& [path, item] : root.at("paths").as_object()) {
        for (const auto& [method, operation] : item.as_object()) {
            const json::object& responses = operation.at("responses").as_object();
            std::size_t types = 0;
            bool any = false;
            for (const auto& [status, response] : responses) {
                const auto* content = status.starts_with('2')
                                          ? resolved(response, root).if_contains("content")
                                          : nullptr;
                for (const auto& [type, body] :
                     content == nullptr ? json::object{} : content->as_object()) {
                    ++types;
                    any = any || type.ends_with('*') || type == "application/octet-stream";
                }
            }
            EXPECT_EQ(responses.contains("406"), types > 0 && !any) << method << " " << path;
            EXPECT_FALSE(responses.contains("405")) << method << " " << path;
        }
    }
    EXPECT_TRUE(root.at("components").at("responses").as_object().contains("MethodNotAllowed"));
}

TEST(OpenApi, EveryPathParameterIsDescribedAndEveryNameOfAnOperationIsItsOwn) {
    const json::object root = document();
    std::set<std::string> names;
    for (const auto& [path, item] : root.at("paths").as_object()) {
        const auto wanted = std::ranges::count(path, '{');
        for (const auto& [method, operation] : item.as_object()) {
            EXPECT_TRUE(names.insert(std::string{operation.at("operationId").as_string()}).second)
                << operation.at("operationId");
            std::ptrdiff_t found = 0;
            if (const auto* parameters = operation.as_object().if_contains("parameters")) {
                for (const auto& parameter : parameters->as_array()) {
                    const auto* in = parameter.as_object().if_contains("in");
                    found += in != nullptr && *in == "path" ? 1 : 0;
                }
            }
            EXPECT_EQ(found, wanted) << method << " " << path;
        }
    }
}

}  // namespace
}  // namespace durascribe::api
