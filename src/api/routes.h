// The API: one table of routes, one small table of earlier clients' paths.
#pragma once

#include <span>

#include "durascribe/api/router.h"

namespace durascribe::api {

std::span<const Route> routes();
std::span<const PathAlias> path_aliases();

}  // namespace durascribe::api
