#include "durascribe/domain/model_choice.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace durascribe::domain {
namespace {

// Audio at least so hard gets twice the time: a better model is worth most there.
constexpr double kHardBelowDb = 15;
// A transcript that is there within this is quick enough, whatever the audio's length.
constexpr double kQuickSeconds = 600;
// Before a model was measured here.
constexpr double kUnmeasuredSpeed = 0.12;

bool speaks(const ModelCandidate& c, const std::string& language) {
    if (language.empty() || language == "auto" || c.languages.empty()) {
        return true;
    }
    // As BCP 47 compares tags: without regard to case. Some write en_US.
    const auto primary = [](std::string_view tag) {
        return tag.substr(0, tag.find_first_of("-_"));
    };
    const auto same_letter = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) ==
               std::tolower(static_cast<unsigned char>(b));
    };
    return std::ranges::any_of(c.languages, [&](const std::string& known) {
        return std::ranges::equal(primary(known), primary(language), same_letter);
    });
}

// "pocketsphinx en-us (en), whisper base (any language)"
std::string listed(std::span<const ModelCandidate* const> candidates) {
    std::string text;
    for (const ModelCandidate* c : candidates) {
        text +=
            fmt::format("{}{} {} ({})", text.empty() ? "" : ", ", c->engine, c->model,
                        c->languages.empty() ? "any language"
                                             : fmt::format("{}", fmt::join(c->languages, ", ")));
    }
    return text;
}

bool asked_for(const ModelCandidate& c, const ModelQuestion& q) {
    return (q.engine == "auto" || q.engine == c.engine) &&
           (q.model == "auto" || q.model == c.model) && speaks(c, q.language);
}

bool fits(const ModelCandidate& c, const ModelQuestion& q) {
    return (q.memory_limit_bytes <= 0 || c.memory_bytes <= q.memory_limit_bytes) &&
           (q.memory_free_bytes <= 0 || c.memory_bytes <= q.memory_free_bytes);
}

double seconds_for(const ModelCandidate& c, Millis duration) {
    const double speed =
        c.seconds_per_audio_second > 0 ? c.seconds_per_audio_second : kUnmeasuredSpeed;
    return speed * static_cast<double>(duration.count()) / 1000.0;
}

// As many seconds as the audio lasts, or kQuickSeconds where that is more.
double patience(const ModelQuestion& q) {
    const double seconds =
        std::max(kQuickSeconds, static_cast<double>(q.duration.count()) / 1000.0);
    return q.signal_to_noise_db < kHardBelowDb ? 2 * seconds : seconds;
}

}  // namespace

std::optional<ModelChoice> choose_model(const ModelQuestion& question,
                                        std::span<const ModelCandidate> candidates) {
    std::vector<const ModelCandidate*> known;
    for (const ModelCandidate& c : candidates) {
        if (asked_for(c, question)) {
            known.push_back(&c);
        }
    }
    if (known.empty()) {
        return std::nullopt;
    }
    if (known.size() == 1) {
        const bool named = question.model != "auto";
        return ModelChoice{
            known[0]->engine, known[0]->model,
            named ? std::string{}
                  : fmt::format("{} is the only model installed for it.", known[0]->model)};
    }
    std::ranges::sort(known, std::ranges::greater{}, &ModelCandidate::accuracy);
    std::vector<const ModelCandidate*> fitting;
    std::ranges::copy_if(known, std::back_inserter(fitting),
                         [&](const ModelCandidate* c) { return fits(*c, question); });
    if (fitting.empty()) {
        const auto* smallest = *std::ranges::min_element(known, {}, &ModelCandidate::memory_bytes);
        return ModelChoice{
            smallest->engine, smallest->model,
            fmt::format("{} needs the least memory; none fits what is free.", smallest->model)};
    }
    const double limit = patience(question);
    for (const ModelCandidate* c : fitting) {
        if (seconds_for(*c, question.duration) <= limit) {
            return ModelChoice{
                c->engine, c->model,
                fmt::format("{} is the most accurate of {} that fits the memory and takes about "
                            "{:.0f} s for this recording ({:.0f} dB above its noise).",
                            c->model, known.size(), seconds_for(*c, question.duration),
                            question.signal_to_noise_db)};
        }
    }
    const auto* fastest = *std::ranges::min_element(
        fitting, {}, [&](const ModelCandidate* c) { return seconds_for(*c, question.duration); });
    return ModelChoice{fastest->engine, fastest->model,
                       fmt::format("{} is the fastest; every other would take more than {:.0f} s.",
                                   fastest->model, limit)};
}

Result<void> check_installed(const std::string& engine, const std::string& model,
                             const std::string& language,
                             std::span<const ModelCandidate> candidates) {
    std::vector<const ModelCandidate*> left;
    for (const ModelCandidate& c : candidates) {
        left.push_back(&c);
    }
    if (left.empty()) {
        return {};
    }
    // What is still possible after each answer; where that is nothing, that answer is the wrong
    // one.
    const auto keep = [&](std::string_view code, std::string_view field, const std::string& given,
                          const auto& fits) -> Result<void> {
        std::vector<const ModelCandidate*> fitting;
        std::ranges::copy_if(left, std::back_inserter(fitting), fits);
        if (fitting.empty()) {
            return fail(
                ErrorClass::input, std::string{code},
                fmt::format("There is no {} \"{}\" here. Installed: {}. Choose one of these, "
                            "or auto.",
                            field, given, listed(left)));
        }
        left = std::move(fitting);
        return {};
    };
    if (auto kept =
            keep("unknown_engine", "engine", engine,
                 [&](const ModelCandidate* c) { return engine == "auto" || c->engine == engine; });
        !kept) {
        return kept;
    }
    if (auto kept =
            keep("unknown_model", "model", model,
                 [&](const ModelCandidate* c) { return model == "auto" || c->model == model; });
        !kept) {
        return kept;
    }
    return keep("unsupported_language", "language", language,
                [&](const ModelCandidate* c) { return speaks(*c, language); });
}

std::optional<std::string> next_smaller_model(const std::string& engine, const std::string& model,
                                              const std::string& language,
                                              std::span<const ModelCandidate> candidates) {
    const auto failed = std::ranges::find_if(candidates, [&](const ModelCandidate& c) {
        return c.engine == engine && c.model == model;
    });
    if (failed == candidates.end()) {
        return std::nullopt;
    }
    const ModelCandidate* best = nullptr;
    for (const ModelCandidate& c : candidates) {
        if (c.engine == engine && speaks(c, language) && c.memory_bytes < failed->memory_bytes &&
            (best == nullptr || c.accuracy > best->accuracy)) {
            best = &c;
        }
    }
    return best != nullptr ? std::optional{best->model} : std::nullopt;
}

double estimate_signal_to_noise_db(const WaveformPeaks& peaks) {
    std::vector<int> loud;
    for (std::size_t i = 0; i + 1 < peaks.min_max.size(); i += 2) {
        loud.push_back(std::max(-int{peaks.min_max[i]}, int{peaks.min_max[i + 1]}));
    }
    if (loud.empty()) {
        return 0;
    }
    const auto percentile = [&](double share) {
        const auto at = loud.begin() +
                        static_cast<std::ptrdiff_t>(share * static_cast<double>(loud.size() - 1));
        std::ranges::nth_element(loud, at);
        return std::max(1, *at);  // one step of the scale: less can't be told apart
    };
    const double noise = percentile(0.1);
    const double speech = percentile(0.9);
    return 20 * std::log10(speech / noise);
}

}  // namespace durascribe::domain
