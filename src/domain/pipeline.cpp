#include "durascribe/domain/pipeline.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "durascribe/base/error.h"

namespace durascribe::domain {

namespace {

std::span<const Step> all_steps(const TaskOptions& options) {
    using enum Step;
    static constexpr std::array kPlain{extract, transcribe, finalize};
    static constexpr std::array kDiarized{extract, transcribe, diarize, finalize};
    static constexpr std::array kFetched{acquire, extract, transcribe, finalize};
    static constexpr std::array kFetchedDiarized{acquire, extract, transcribe, diarize, finalize};
    if (options.from_url) {
        return options.diarize ? std::span<const Step>(kFetchedDiarized) : kFetched;
    }
    return options.diarize ? std::span<const Step>(kDiarized) : kPlain;
}

}  // namespace

bool same_work(TaskOptions a, TaskOptions b) {
    a.priority = b.priority = 0;
    a.from_step = b.from_step = std::nullopt;
    a.from_url = b.from_url = false;
    return a == b;
}

std::span<const Step> steps_for(const TaskOptions& options) {
    const auto steps = all_steps(options);
    const Step from = options.from_step.value_or(steps.front());
    const auto first = std::ranges::find_if(steps, [&](Step s) { return s >= from; });
    return steps.subspan(static_cast<std::size_t>(first - steps.begin()));
}

std::optional<Step> next_step(const TaskOptions& options, Step step) {
    // By order, not by position: a step that this task skips still has a next one.
    for (const Step s : steps_for(options)) {
        if (s > step) {
            return s;
        }
    }
    return std::nullopt;
}

Lane lane_of(Step step) {
    switch (step) {
        case Step::acquire:
            return Lane::fetch;
        case Step::extract:
            return Lane::media;
        case Step::transcribe:
        case Step::diarize:
            return Lane::speech;
        case Step::finalize:
            return Lane::local;
    }
    DURASCRIBE_ASSERT(false && "unknown Step");
}

int weight_of(Step step, const TaskOptions& options) {
    switch (step) {
        case Step::acquire:
            return options.from_url ? 10 : 0;
        case Step::extract:
            return 10;
        case Step::transcribe:
            return 60;
        case Step::diarize:
            return options.diarize ? 10 : 0;
        case Step::finalize:
            return 10;
    }
    DURASCRIBE_ASSERT(false && "unknown Step");
}

std::string_view to_string(Step s) {
    switch (s) {
        case Step::acquire:
            return "acquire";
        case Step::extract:
            return "extract";
        case Step::transcribe:
            return "transcribe";
        case Step::diarize:
            return "diarize";
        case Step::finalize:
            return "finalize";
    }
    DURASCRIBE_ASSERT(false && "unknown Step");
}

std::string_view to_string(Lane l) {
    switch (l) {
        case Lane::fetch:
            return "fetch";
        case Lane::media:
            return "media";
        case Lane::speech:
            return "speech";
        case Lane::local:
            return "local";
    }
    DURASCRIBE_ASSERT(false && "unknown Lane");
}

std::optional<Step> step_from(std::string_view name) {
    for (int i = 0; i < kSteps; ++i) {
        if (const auto s = static_cast<Step>(i); to_string(s) == name) {
            return s;
        }
    }
    return std::nullopt;
}

std::string stage_text(Step step, int done, int total, bool running) {
    if (step == Step::finalize && total > 0 && done >= total) {
        return "Completed";
    }
    if (!running) {
        return "Waiting for a free slot";
    }
    switch (step) {
        case Step::acquire:
            return "Downloading";
        case Step::extract:
            return "Loading audio";
        case Step::transcribe:
            if (total <= 0) {
                return "Preparing model";
            }
            if (total == 1) {
                return "Transcribing";
            }
            return fmt::format("Transcribing {} of {}", std::clamp(done + 1, 1, total), total);
        case Step::diarize:
            return "Detecting speakers";
        case Step::finalize:
            return "Finalizing";
    }
    DURASCRIBE_ASSERT(false && "unknown Step");
}

}  // namespace durascribe::domain
