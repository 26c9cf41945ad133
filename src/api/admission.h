// Which requests are let in at all, before a handler or a body is looked at. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "durascribe/api/message.h"
#include "durascribe/base/error.h"

namespace durascribe::api {

bool changes_state(Method m);

// Whether its Host is an address, localhost or one of `allowed_hosts`, or is not there: a page of
// another site whose name was made to resolve to this machine (DNS rebinding) can't say one.
bool names_this_server(const Request& request, std::span<const std::string> allowed_hosts);

// Refuses what a browser sends on behalf of a foreign page:
//  * a Host that is neither an address nor localhost nor one of `allowed_hosts`, where the server
//    is bound to loopback or any are given: a name that was made to resolve to this machine (DNS
//    rebinding) would read everything;
//  * a state change, or a WebSocket, whose Origin is neither this host nor one of `allowed_hosts`,
//    unless `origin_is_let_in`.
// Programs that send neither Origin nor a strange Host are not concerned.
// Errors: request "foreign_host", "foreign_origin", "bad_host" (none in HTTP/1.1, or several).
Result<void> check_origin(const Request& request, bool http11, bool bound_to_loopback,
                          std::span<const std::string> allowed_hosts = {},
                          bool origin_is_let_in = false);

}  // namespace durascribe::api
