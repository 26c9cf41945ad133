// The answer to a transcription request in OpenAI's shape: comes when the job has ended, or as a
// stream of what is heard while it runs. The job does not depend on it.
#pragma once

#include <memory>

#include "durascribe/api/message.h"
#include "durascribe/api/openai_request.h"
#include "durascribe/api/services.h"

namespace durascribe::api {

struct OpenAiJob {
    MediaId media;
    TaskId task;
    OpenAiRequest request;
};

// Waits for no thread. `services` outlives the response.
Response openai_answer(const Services& services, OpenAiJob job);

}  // namespace durascribe::api
