#include "durascribe/api/openai_models.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "durascribe/api/openai_errors.h"

namespace durascribe::api {
namespace {

// Clients have these built in.
constexpr std::array<std::string_view, 4> kServersChoice{"auto", "whisper-1", "gpt-4o-transcribe",
                                                         "gpt-4o-mini-transcribe"};

}  // namespace

std::vector<OpenAiModel> openai_models(std::span<const domain::ModelCandidate> installed) {
    std::vector<OpenAiModel> all;
    for (const domain::ModelCandidate& candidate : installed) {
        // One name, two engines: the name means the first, so it is listed once.
        if (std::ranges::find(all, candidate.model, &OpenAiModel::id) == all.end()) {
            all.push_back({candidate.model, candidate.engine});
        }
    }
    for (const std::string_view name : kServersChoice) {
        all.push_back({std::string{name}, "durascribe"});
    }
    return all;
}

Result<domain::TaskOptions> openai_task_options(const OpenAiRequest& request,
                                                const domain::TaskOptions& defaults,
                                                std::span<const domain::ModelCandidate> installed) {
    domain::TaskOptions options = defaults;
    options.language = request.language.value_or(defaults.language);
    options.diarize = request.format == OpenAiFormat::diarized_json;
    if (std::ranges::find(kServersChoice, request.model) != kServersChoice.end()) {
        return options;
    }
    const auto found = std::ranges::find(installed, request.model, &domain::ModelCandidate::model);
    if (found == installed.end()) {
        return std::unexpected(openai_model_not_found(request.model, installed));
    }
    options.engine = found->engine;
    options.model = found->model;
    return options;
}

Error openai_model_not_found(std::string_view id,
                             std::span<const domain::ModelCandidate> installed) {
    std::vector<std::string> names;
    for (const OpenAiModel& model : openai_models(installed)) {
        names.push_back(model.id);
    }
    return bad_parameter("model",
                         fmt::format("The model \"{}\" does not exist here. There are: {}.", id,
                                     fmt::join(names, ", ")),
                         "model_not_found");
}

}  // namespace durascribe::api
