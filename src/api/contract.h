// What the OpenAPI document says of a request, held against it before its handler sees it.
#pragma once

#include "durascribe/api/message.h"
#include "durascribe/api/router.h"
#include "durascribe/base/error.h"

namespace durascribe::api {

// Errors: request "bad_value" for a query parameter that the operation does not have (under
// /api/v1, and not by earlier clients' paths, whose requests are theirs); request "not_acceptable"
// where Accept takes none of the types that the operation gives. A route that the document does not
// have lets everything through.
Result<void> check_contract(const Route& route, const Request& request);

}  // namespace durascribe::api
