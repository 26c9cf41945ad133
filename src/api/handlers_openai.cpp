// OpenAI's paths, over the same durable jobs. docs/openai.md says what is the same and what is not.
#include <utility>

#include "durascribe/api/handlers.h"
#include "durascribe/api/openai_answer.h"
#include "durascribe/api/openai_errors.h"
#include "durascribe/api/openai_intake.h"
#include "durascribe/api/openai_models.h"
#include "durascribe/api/openai_shapes.h"
#include "durascribe/api/shapes.h"

namespace durascribe::api {
namespace {

// A job that is there already and did not end well is tried again where the request found it by
// what it asks for; under an Idempotency-Key the first answer stands.
Result<void> revive(const Services& services, const engine::Upload::Submitted& found,
                    const ports::Charge& charge) {
    const domain::TaskState state = found.task.state;
    if (!domain::is_terminal(state) || state == domain::TaskState::completed) {
        return {};
    }
    const auto retried = services.engine.retry(found.task.id, {}, charge);
    // Another request was faster.
    if (!retried && retried.error().code != "not_retryable") {
        return std::unexpected(retried.error());
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<BodySink>> openai_transcribe(const Services& services,
                                                    const Request& request) {
    const std::int64_t limit = services.settings.upload_limit_bytes;
    const ports::Charge charge = request.who.charge;
    const bool keyed = request.header("idempotency-key") != nullptr;
    return make_openai_sink(
        request,
        {.begin = [&services, limit,
                   charge] { return services.engine.begin_upload(0, limit, charge); },
         .options =
             [&services](const OpenAiRequest& asked) {
                 return openai_task_options(asked, services.settings.task_defaults,
                                            services.engine.models());
             },
         .answer = [&services, keyed, charge](const engine::Upload::Submitted& job,
                                              const OpenAiRequest& asked) -> Result<Response> {
             if (job.replayed && !keyed) {
                 if (auto revived = revive(services, job, charge); !revived) {
                     return std::unexpected(revived.error());
                 }
             }
             return openai_answer(services, {job.media.id, job.task.id, asked});
         },
         .limit_bytes = limit});
}

Result<std::unique_ptr<BodySink>> openai_translate(const Services&, const Request&) {
    return std::unexpected(bad_parameter(
        "model",
        "No model here translates. Ask /v1/audio/transcriptions for a transcript in the language "
        "that is spoken.",
        "translation_not_supported"));
}

Result<Response> openai_list_models(const Services& services, const Request&) {
    json::array data;
    for (const OpenAiModel& model : openai_models(services.engine.models())) {
        data.push_back(openai_model_shape(model.id, model.owner));
    }
    return json_response(200, json::object{{"object", "list"}, {"data", std::move(data)}});
}

Result<Response> openai_get_model(const Services& services, const Request& request) {
    const auto installed = services.engine.models();
    for (const OpenAiModel& model : openai_models(installed)) {
        if (model.id == request.capture("id")) {
            return json_response(200, openai_model_shape(model.id, model.owner));
        }
    }
    return std::unexpected(openai_model_not_found(request.capture("id"), installed));
}

}  // namespace durascribe::api
