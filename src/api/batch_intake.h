// What a new batch consists of: a JSON list, or a form with many files, never held in memory.
#pragma once

#include <functional>
#include <memory>

#include "durascribe/api/router.h"

namespace durascribe::api {

// Chooses by Content-Type. `answer`: how it is told what was made. Errors: request
// "unsupported_content_type", "bad_multipart", "bad_value", "body_too_large" (a file over the
// limit); those of engine::Engine::submit_batch, naming the item.
Result<std::unique_ptr<BodySink>> make_batch_sink(
    const Services& services, const Request& request,
    std::function<Response(const ports::BatchRow&)> answer);

}  // namespace durascribe::api
