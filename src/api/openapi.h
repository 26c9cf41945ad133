// The OpenAPI 3.1 document of this API: openapi.json beside this file, which is the contract.
#pragma once

#include <string_view>

namespace durascribe::api {

// The document as it is served at /api/openapi.json.
std::string_view openapi_document();

}  // namespace durascribe::api
