// The form of POST /v1/audio/transcriptions on its way into the engine, never held in memory.
#pragma once

#include <functional>
#include <memory>

#include "durascribe/api/openai_request.h"
#include "durascribe/api/router.h"
#include "durascribe/engine/engine.h"

namespace durascribe::api {

struct OpenAiIntakeRules {
    // engine::Engine::begin_upload.
    std::function<Result<std::unique_ptr<engine::Upload>>()> begin;
    // The task that a request asks for. Whether the languages and the rest can be done is asked
    // when the form is whole, by the upload's finish().
    std::function<Result<domain::TaskOptions>(const OpenAiRequest&)> options;
    // The answer to a job that is on disk.
    std::function<Result<Response>(const engine::Upload::Submitted&, const OpenAiRequest&)> answer;
    std::int64_t limit_bytes = 0;
};

// Errors before the first byte of the file: the content type, the fields that came before it, a
// Content-Length over the limit. Parts that are not known are passed over.
Result<std::unique_ptr<BodySink>> make_openai_sink(const Request& request, OpenAiIntakeRules rules);

}  // namespace durascribe::api
