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
