// Pages of other sites that may use this server, as their operator has said (Fetch standard, §3.3).
// Without CORS_ORIGINS there are none, and nothing here adds anything. Pure.
#pragma once

#include <span>
#include <string>

#include "durascribe/api/message.h"

namespace durascribe::api {

// What a request says of the page that asks.
struct ForeignPage {
    std::string origin;       // one of the list; empty: none, or no page of another site asks
    bool configured = false;  // there is a list, so that answers differ by Origin
    bool asks_first = false;  // a preflight
    bool asks_for_private_network = false;
    std::string more_fields;  // ", " and each that a preflight names and that is well-formed
};

ForeignPage foreign_page_of(const Request& request, std::span<const std::string> origins);

// Lets the page read the answer; to a preflight, says what it may send.
void add_cors_fields(const ForeignPage& page, Response& response);

}  // namespace durascribe::api
