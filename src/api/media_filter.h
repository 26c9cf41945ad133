// What GET /api/v1/media is asked for.
#pragma once

#include "durascribe/api/message.h"
#include "durascribe/base/error.h"
#include "durascribe/ports/store.h"

namespace durascribe::api {

// `status` (also in the words of earlier clients, several with commas), `search`, `created_after`,
// `created_before`, `language`, `min_duration`, `max_duration`, `has_transcript`, `sort`, `order`.
// Errors: request "bad_value".
Result<ports::MediaFilter> media_filter_of(const Request& request);

}  // namespace durascribe::api
