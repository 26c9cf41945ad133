#include "durascribe/api/openai_stream.h"

#include <span>
#include <utility>

#include <fmt/format.h>

#include "durascribe/api/openai_errors.h"
#include "durascribe/api/task_watch.h"
#include "durascribe/base/log.h"
#include "durascribe/domain/text.h"

namespace durascribe::api {
namespace {

constexpr Millis kWhole = Millis::max();

std::string sse(const std::string& data) {
    return fmt::format("data: {}\n\n", data);
}

// Up to where nothing will be added any more: the end of the first chunks that have all ended.
Result<Millis> settled_until(ports::Store& store, const TaskId& task) {
    const auto units = store.units(task);
    if (!units) {
        return std::unexpected(units.error());
    }
    Millis until{0};
    for (const ports::UnitRow& unit : *units) {
        if (unit.step != domain::Step::transcribe) {
            continue;
        }
        if (!domain::is_terminal(unit.state)) {
            break;
        }
        until = unit.span.end;
    }
    return until;
}

class TranscriptionStream final : public BodyStream {
  public:
    TranscriptionStream(const Services& services, OpenAiJob job)
        : services_(services), job_(std::move(job)) {}

    void start(Wake wake) override {
        watching_ = services_.watch.watch(job_.task, TaskWatch::What::state_parts, std::move(wake));
    }

    Piece next() override { return {{}, Then::work}; }

    Piece work() override {
        auto piece = look();
        return piece ? std::move(*piece) : broken_off(piece.error());
    }

    std::string farewell() override { return sse(openai_error_text(openai_interrupted())); }

  private:
    static Piece broken_off(const Error& error) {
        log::error("A transcript that was being streamed broke off: {} ({})", error.message,
                   error.detail);
        return {sse(openai_error_text(error)), Then::end};
    }

    Result<Piece> look() {
        // The task first: once it has ended, what is read after it is the whole.
        const auto task = services_.store.task(job_.task);
        if (!task) {
            return std::unexpected(task.error());
        }
        if (const auto failure = openai_failure(*task)) {
            return Piece{sse(openai_error_text(*failure)), Then::end};
        }
        const bool ended = domain::is_terminal(task->state);
        const auto until = ended ? kWhole : settled_until(services_.store, job_.task);
        if (!until) {
            return std::unexpected(until.error());
        }
        if (!ended && *until <= told_until_) {
            return Piece{{}, Then::wait};
        }
        told_until_ = *until;
        const auto heard = openai_heard(services_.store, job_);
        if (!heard) {
            return std::unexpected(heard.error());
        }
        Piece piece{deltas(*heard, *until), ended ? Then::end : Then::wait};
        if (ended) {
            piece.bytes += sse(openai_done_text(*heard, job_.request.logprobs));
        }
        return piece;
    }

    // Those not told yet that begin before `until`. Joining chunks (finalize) moves their times a
    // little, but neither their number nor their order.
    std::string deltas(const Heard& heard, Millis until) {
        std::string events;
        const std::span<const domain::Segment> all{heard.pieces};
        for (; told_ < all.size() && all[told_].span.start < until; ++told_) {
            // What stands before decides on the space between.
            std::string text = told_ == 0 ? std::string{} : all[told_ - 1].text;
            const std::size_t before = text.size();
            domain::append_text(text, all[told_].text);
            events += sse(openai_delta_text(std::string_view{text}.substr(before),
                                            all.subspan(told_, 1), job_.request.logprobs));
        }
        return events;
    }

    const Services& services_;
    const OpenAiJob job_;
    std::size_t told_ = 0;  // pieces
    Millis told_until_{0};
    TaskWatch::Watching watching_;
};

}  // namespace

Result<Heard> openai_heard(ports::Store& store, const OpenAiJob& job) {
    const auto task = store.task(job.task);
    if (!task) {
        return std::unexpected(task.error());
    }
    const auto media = store.media(job.media);
    if (!media) {
        return std::unexpected(media.error());
    }
    auto segments = store.segments(job.task);
    if (!segments) {
        return std::unexpected(segments.error());
    }
    const auto gaps = store.gaps(job.task);
    if (!gaps) {
        return std::unexpected(gaps.error());
    }
    return Heard{.language = task->options.language,
                 .duration = media->info ? media->info->duration : Millis{0},
                 .pieces = pieces_of(std::move(*segments), *gaps)};
}

std::optional<Error> openai_failure(const ports::TaskRow& task) {
    if (task.state == domain::TaskState::cancelled) {
        return Error{ErrorClass::request,
                     "task_cancelled",
                     "The job was cancelled. Send the request again to have it done.",
                     {}};
    }
    if (task.state != domain::TaskState::failed) {
        return std::nullopt;
    }
    if (!task.error) {
        return Error{ErrorClass::internal, "internal_error", "The job failed.", {}};
    }
    return Error{task.error->cls, task.error->code, task.error->message, {}};
}

Error openai_interrupted() {
    return {ErrorClass::request,
            "busy",
            "The server is stopping. The job goes on when it is back: send the same request again "
            "to get its result.",
            {}};
}

std::unique_ptr<BodyStream> openai_stream(const Services& services, OpenAiJob job) {
    return std::make_unique<TranscriptionStream>(services, std::move(job));
}

}  // namespace durascribe::api
