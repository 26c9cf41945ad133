// The API: one table of routes, one small table of earlier clients' paths.
#pragma once

#include <span>

#include "durascribe/api/router.h"

namespace durascribe::api {

std::span<const Route> routes();
std::span<const PathAlias> path_aliases();

// Whether the route only reads a few rows by their keys: quick enough for an I/O thread while the
// database answers from memory.
bool reads_by_key(const Route& route);

}  // namespace durascribe::api
