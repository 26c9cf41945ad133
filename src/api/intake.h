// Uploads: a multipart form or a raw body on its way into the engine, never held in memory.
#pragma once

#include <functional>
#include <memory>

#include <boost/json/fwd.hpp>

#include "durascribe/api/parameters.h"
#include "durascribe/api/router.h"
#include "durascribe/engine/engine.h"

namespace durascribe::api {

// engine::Engine::begin_upload with the limit filled in; `expected_bytes` 0: not known.
using BeginUpload =
    std::function<Result<std::unique_ptr<engine::Upload>>(std::int64_t expected_bytes)>;

struct UploadRules {
    BeginUpload begin;
    // engine::Engine::import
    std::function<Result<ports::Submission>(const engine::Engine::NewImport&)> import = {};
    std::int64_t json_limit_bytes = 1 << 20;
    engine::CheckRequest check;    // engine::Engine::check_request
    domain::TaskOptions defaults;  // of what a request leaves out
    std::int64_t limit_bytes = 0;
};

// Chooses by Content-Type; JSON is {"url": …} with the options, to be fetched. What it checks
// before the first byte of the file: the content type, the options that came before it, a
// Content-Length over the limit. Errors: request "unsupported_content_type", "bad_multipart",
// "bad_value", "body_too_large"; input "bad_url"; those of `begin`, `check` and `import`.
Result<std::unique_ptr<BodySink>> make_upload_sink(const Request& request, UploadRules rules);

// What {"url": …, options} asks for; `fields` is what was said elsewhere. Errors: request
// "bad_value"; input "bad_url".
Result<engine::Engine::NewImport> import_of(const boost::json::object& item, TaskFields fields,
                                            const domain::TaskOptions& defaults);

}  // namespace durascribe::api
