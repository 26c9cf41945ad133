// Errors on the wire: application/problem+json (RFC 9457). The one place that maps an Error to an
// HTTP status.
#pragma once

#include <string_view>

#include "durascribe/api/message.h"
#include "durascribe/base/error.h"

namespace durascribe::api {

int http_status(const Error& error);

// Adds the fields that a refusal has beside its body: Retry-After where it is worth asking again,
// WWW-Authenticate where another token would do (RFC 6750 §3).
void add_refusal_fields(Response& response, const Error& error);

// {type, title, status, detail, code, instance} and, where another task stands in the way (409),
// task_id, and where a scope is missing, required_scope. An Error's `detail` is for the log and is
// never sent, but for those two. At the
// paths of OpenAI's API: their shape in its place (openai_errors.h).
Response problem_response(const Error& error, std::string_view instance);

// Errors that this layer makes.
Error bad_value(std::string_view field, std::string_view expected);  // request "bad_value"
// request "no_route": where there is something instead.
Error no_route(std::string_view path);
// request "bad_value": what a body has too much, and what it may have. `of`: "of a webhook".
Error unknown_field(std::string_view field, std::string_view of, std::string_view known);
Error not_found(std::string_view what, std::string_view id);  // request "not_found"

}  // namespace durascribe::api
