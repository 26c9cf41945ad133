// transcript.text.delta and transcript.text.done: what is heard, as server-sent events, in the
// order of the recording, each chunk as soon as it and all before it are done.
#pragma once

#include <memory>
#include <optional>

#include "durascribe/api/body_stream.h"
#include "durascribe/api/openai_answer.h"
#include "durascribe/api/openai_shapes.h"

namespace durascribe::api {

// What there is so far.
Result<Heard> openai_heard(ports::Store& store, const OpenAiJob& job);

// Why a task that has ended gives no transcript; nullopt: it does, or has not ended.
std::optional<Error> openai_failure(const ports::TaskRow& task);

// What is said to those who wait when the server stops.
Error openai_interrupted();

std::unique_ptr<BodyStream> openai_stream(const Services& services, OpenAiJob job);

}  // namespace durascribe::api
