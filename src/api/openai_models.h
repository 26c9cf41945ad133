// Model names as OpenAI's clients give them, and what they mean here. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "durascribe/api/openai_request.h"
#include "durascribe/base/error.h"
#include "durascribe/domain/model_choice.h"
#include "durascribe/domain/pipeline.h"

namespace durascribe::api {

struct OpenAiModel {
    std::string id;
    std::string owner;  // the engine; "durascribe" for a name that stands for the server's choice
};

// Those installed, then the names that stand for the server's choice.
std::vector<OpenAiModel> openai_models(std::span<const domain::ModelCandidate> installed);

// The task that a request asks for. Errors: request "model_not_found" (names what there is).
Result<domain::TaskOptions> openai_task_options(const OpenAiRequest& request,
                                                const domain::TaskOptions& defaults,
                                                std::span<const domain::ModelCandidate> installed);

Error openai_model_not_found(std::string_view id,
                             std::span<const domain::ModelCandidate> installed);

}  // namespace durascribe::api
