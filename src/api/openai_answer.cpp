#include "durascribe/api/openai_answer.h"

#include <optional>
#include <utility>

#include "durascribe/api/json_text.h"
#include "durascribe/api/openai_errors.h"
#include "durascribe/api/openai_shapes.h"
#include "durascribe/api/openai_stream.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/task_watch.h"

namespace durascribe::api {
namespace {

void name_job(Response& response, const OpenAiJob& job) {
    response.headers.emplace_back("X-Durascribe-Task-Id", job.task.value);
    response.headers.emplace_back("X-Durascribe-Media-Id", job.media.value);
    response.headers.emplace_back("X-Request-Id", job.task.value);
}

void say_state(Response& response, domain::TaskState state) {
    response.headers.emplace_back("X-Durascribe-Task-Status",
                                  std::string{domain::to_string(state)});
}

Result<Response> transcript_response(const Services& services, const OpenAiJob& job) {
    Response response;
    const auto subtitles = [&](domain::DocumentFormat format) -> Result<Response> {
        auto text = services.engine.document(job.task, format, 0);
        if (!text) {
            return std::unexpected(text.error());
        }
        response.headers = {{"Content-Type", std::string{domain::mime_type(format)}}};
        response.body = std::move(*text);
        return std::move(response);
    };
    if (job.request.format == OpenAiFormat::srt) {
        return subtitles(domain::DocumentFormat::srt);
    }
    if (job.request.format == OpenAiFormat::vtt) {
        return subtitles(domain::DocumentFormat::vtt);
    }
    const auto heard = openai_heard(services.store, job);
    if (!heard) {
        return std::unexpected(heard.error());
    }
    if (job.request.format == OpenAiFormat::text) {
        response.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
        response.body = text_of(heard->pieces) + "\n";
    } else {
        response.headers = {{"Content-Type", "application/json"}};
        response.body = json_text(openai_transcript_shape(*heard, job.request));
    }
    return response;
}

class TranscriptionAnswer final : public LaterResponse {
  public:
    TranscriptionAnswer(const Services& services, OpenAiJob job)
        : services_(services), job_(std::move(job)) {}

    void start(Wake wake) override {
        watching_ = services_.watch.watch(job_.task, TaskWatch::What::state, std::move(wake));
    }

    Result<std::optional<Response>> look() override {
        const auto task = services_.store.task(job_.task);
        if (!task) {
            return std::unexpected(task.error());
        }
        const bool ended = domain::is_terminal(task->state);
        if (const auto failure = openai_failure(*task)) {
            Response response = openai_error_response(*failure);
            // The job has had its attempts; another request would start it again.
            response.headers.emplace_back("X-Should-Retry", "false");
            name_job(response, job_);
            say_state(response, task->state);
            return response;
        }
        if (!ended && !job_.request.stream) {
            return std::nullopt;
        }
        Response response;
        if (job_.request.stream) {
            response.headers = {{"Content-Type", "text/event-stream; charset=utf-8"},
                                {"X-Accel-Buffering", "no"}};
            response.stream = openai_stream(services_, job_);
        } else {
            auto made = transcript_response(services_, job_);
            if (!made) {
                return std::unexpected(made.error());
            }
            response = std::move(*made);
        }
        response.headers.emplace_back("Cache-Control", "no-store");
        name_job(response, job_);
        say_state(response, task->state);
        return response;
    }

    Error interrupted() const override { return openai_interrupted(); }

    Response refused(const Error& error) const override {
        Response response = problem_response(error, "/v1/audio/transcriptions");
        name_job(response, job_);
        return response;
    }

  private:
    const Services& services_;
    const OpenAiJob job_;
    TaskWatch::Watching watching_;
};

}  // namespace

Response openai_answer(const Services& services, OpenAiJob job) {
    Response response;
    response.later = std::make_unique<TranscriptionAnswer>(services, std::move(job));
    return response;
}

}  // namespace durascribe::api
