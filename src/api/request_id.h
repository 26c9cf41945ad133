// The name under which a request is found again: in its answer, in a problem document, in the log.
#pragma once

#include <string>

#include "durascribe/api/message.h"

namespace durascribe::api {

// The client's X-Request-Id where it is 1 to 128 letters, digits and -._; else a fresh UUID.
std::string request_id_of(const Request& request);

// Adds X-Request-Id, unless the answer has one of its own (OpenAI's routes name the job there), and
// to a problem document the member request_id.
void name_request(Response& response, const std::string& id);

}  // namespace durascribe::api
