#include "durascribe/speech/whisper/whisper_recognizer.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <whisper.h>

#include "durascribe/speech/utterances.h"

namespace durascribe::speech::whisper {
namespace {

namespace fs = std::filesystem;

struct FreeContext {
    void operator()(whisper_context* c) const { whisper_free(c); }
};
using ContextPtr = std::unique_ptr<whisper_context, FreeContext>;

// whisper.cpp's clock ticks in 10 ms.
Millis from_ticks(std::int64_t ticks) {
    return Millis(ticks * 10);
}

void keep_quiet() {
    static std::once_flag once;
    std::call_once(once,
                   [] { whisper_log_set([](ggml_log_level, const char*, void*) {}, nullptr); });
}

// As many as this process may use at once (OMP_NUM_THREADS, as its CPU limit says). Its threads
// wait for each other by spinning: more of them than cores take many times as long.
int threads() {
    const int cores = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 4U));
    const char* told = std::getenv("OMP_NUM_THREADS");
    const int most = told != nullptr ? std::atoi(told) : 0;
    return most > 0 ? std::min(most, cores) : cores;
}

// What one call of whisper_full hears of one stretch of audio.
struct Hearing {
    whisper_context* context;
    Millis start;  // of the stretch, from the start of the media
    Millis end;

    Millis at(std::int64_t ticks) const {
        return std::clamp(start + from_ticks(ticks), start, end);
    }

    // Tokens are parts of words; one that begins with a space begins a word. A word lasts from its
    // first token's start to its last one's end, and is as sure as its tokens are together.
    domain::Segment segment(int index) const {
        struct Open {
            domain::Word word;
            double log_probability = 0;
            int tokens = 0;
        };
        domain::Segment result;
        std::vector<Open> words;
        const whisper_token first_special = whisper_token_eot(context);
        for (int t = 0; t < whisper_full_n_tokens(context, index); ++t) {
            const whisper_token_data token = whisper_full_get_token_data(context, index, t);
            std::string text = whisper_full_get_token_text(context, index, t);
            if (token.id >= first_special || text.empty()) {
                continue;
            }
            if (words.empty() || text.front() == ' ') {
                text.erase(0, text.find_first_not_of(' '));
                words.push_back({.word = {.span = {at(token.t0), at(token.t1)}}});
            }
            Open& open = words.back();
            open.word.text += text;
            open.word.span.end = std::max(open.word.span.end, at(token.t1));
            open.log_probability += std::log(std::max(token.p, 1e-6F));
            ++open.tokens;
        }
        double weighted = 0;
        double weights = 0;
        Millis previous = start;
        for (Open& open : words) {
            if (open.word.text.empty()) {
                continue;
            }
            open.word.confidence =
                std::clamp(std::exp(open.log_probability / open.tokens), 0.0, 1.0);
            // Token times are estimates, and may step back a little.
            open.word.span.start = std::max(open.word.span.start, previous);
            open.word.span.end = std::max(open.word.span.end, open.word.span.start);
            previous = open.word.span.end;
            const auto weight = static_cast<double>(open.word.span.length().count()) + 1;
            weighted += open.word.confidence * weight;
            weights += weight;
            result.text += (result.text.empty() ? "" : " ") + open.word.text;
            result.words.push_back(std::move(open.word));
        }
        if (!result.words.empty()) {
            result.span = {result.words.front().span.start, result.words.back().span.end};
            result.confidence = weighted / weights;
        }
        return result;
    }
};

struct ProgressReport {
    const OnProgress& to;
    Millis start;
    Millis length;
};

// whisper.cpp marks what is no speech as "[BLANK_AUDIO]", "(music)" and the like.
bool is_speech(const std::string& text) {
    const bool marked = (text.starts_with('[') && text.ends_with(']')) ||
                        (text.starts_with('(') && text.ends_with(')'));
    return !text.empty() && !marked;
}

class WhisperRecognizer final : public Recognizer {
  public:
    WhisperRecognizer(ContextPtr context, std::string model, std::string language)
        : context_(std::move(context)),
          model_(std::move(model)),
          language_(std::move(language)),
          version_(whisper::version()) {}

    std::string_view engine() const override { return "whisper"; }
    std::string_view model() const override { return model_; }
    std::string_view version() const override { return version_; }

    // Progress comes when whisper.cpp reports it: after each 30 s window at the least.
    Result<std::vector<domain::Segment>> recognize(std::span<const std::int16_t> pcm, Millis offset,
                                                   const OnProgress& on_progress) override {
        const auto millis = [](std::size_t samples) {
            return Millis(static_cast<std::int64_t>(samples) * 1000 / kSampleRateHz);
        };
        std::vector<domain::Segment> segments;
        // Whisper invents words for silence: it is given only what lies between first and last
        // sound.
        const std::vector<SampleRange> utterances = split_utterances(pcm);
        if (!utterances.empty()) {
            const std::size_t begin = utterances.front().begin;
            const std::size_t end = utterances.back().end;
            std::vector<float> samples;
            samples.reserve(end - begin);
            for (const std::int16_t sample : pcm.subspan(begin, end - begin)) {
                samples.push_back(static_cast<float>(sample) / 32768.0F);
            }
            // whisper.cpp hears nothing in less than a second.
            samples.resize(std::max<std::size_t>(samples.size(), kSampleRateHz * 11 / 10));
            ProgressReport report{on_progress, millis(begin), millis(end - begin)};
            if (on_progress) {
                on_progress(report.start);
            }
            if (const int code = run(samples, report); code != 0) {
                return fail(
                    ErrorClass::model, "recognition_failed",
                    fmt::format("Whisper could not recognise the speech at {:.1f} s.",
                                std::chrono::duration<double>(offset + report.start).count()),
                    fmt::format("whisper_full returned {}", code));
            }
            collect({context_.get(), offset + millis(begin), offset + millis(end)}, segments);
        }
        if (on_progress) {
            on_progress(millis(pcm.size()));
        }
        return segments;
    }

  private:
    int run(const std::vector<float>& samples, ProgressReport& report) {
        whisper_full_params params = whisper_full_default_params(WHISPER_SAMPLING_BEAM_SEARCH);
        params.n_threads = threads();
        params.language = language_.c_str();
        params.no_context = true;  // a result that depends on this audio alone
        params.token_timestamps = true;
        params.print_progress = false;
        params.print_realtime = false;
        params.print_timestamps = false;
        params.print_special = false;
        params.progress_callback_user_data = &report;
        params.progress_callback = [](whisper_context*, whisper_state*, int percent, void* data) {
            const auto& to = *static_cast<const ProgressReport*>(data);
            if (to.to) {
                to.to(to.start + to.length * std::clamp(percent, 0, 100) / 100);
            }
        };
        return whisper_full(context_.get(), params, samples.data(),
                            static_cast<int>(samples.size()));
    }

    static void collect(const Hearing& hearing, std::vector<domain::Segment>& segments) {
        for (int i = 0; i < whisper_full_n_segments(hearing.context); ++i) {
            domain::Segment segment = hearing.segment(i);
            if (!is_speech(segment.text)) {
                continue;
            }
            if (!segments.empty() && segment.span.start < segments.back().span.end) {
                segment.span.start = std::min(segments.back().span.end, segment.span.end);
            }
            segments.push_back(std::move(segment));
        }
    }

    ContextPtr context_;
    std::string model_;
    std::string language_;
    std::string version_;
};

// Whether whisper.cpp knows the language; `code` is what it calls it.
Result<std::string> language_code(const std::string& tag) {
    if (tag.empty() || tag == "auto") {
        return "auto";
    }
    std::string code = tag.substr(0, tag.find_first_of("-_"));
    std::ranges::transform(code, code.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (whisper_lang_id(code.c_str()) < 0) {
        return fail(
            ErrorClass::input, "unsupported_language",
            fmt::format(
                "Whisper does not know the language \"{}\". Use a code such as en, de or fr, or "
                "auto.",
                tag));
    }
    return code;
}

Result<Model> choose(const std::string& name, const std::string& code,
                     const std::vector<fs::path>& folders) {
    const std::vector<Model> models = find_models(folders);
    const auto speaks = [&](const Model& m) {
        return m.language == "multilingual" || code == m.language;
    };
    const auto rank = [&](const Model& m) {  // lowest is best; among equals the smallest file
        return (m.name.starts_with("base") ? 0 : 2) + (m.language == code ? 0 : 1);
    };
    const Model* best = nullptr;
    const Model* silent = nullptr;  // one of that name that does not speak the language
    for (const Model& model : models) {
        if (name != "auto" && name != model.name) {
            continue;
        }
        if (!speaks(model)) {
            silent = &model;
        } else if (best == nullptr || rank(model) < rank(*best)) {
            best = &model;
        }
    }
    if (best != nullptr) {
        return *best;
    }
    if (silent != nullptr && code == "auto") {
        return *silent;  // English alone is what there is
    }
    if (silent != nullptr) {
        return fail(
            ErrorClass::input, "unsupported_language",
            fmt::format(
                "The Whisper model \"{}\" speaks English alone, not \"{}\". Use a multilingual "
                "model (one without .en in its name).",
                silent->name, code));
    }
    return fail(
        ErrorClass::model, "model_missing",
        name == "auto"
            ? fmt::format("Whisper has no model. {}", how_to_get_a_model(folders))
            : fmt::format("Whisper has no model \"{}\". {}", name, how_to_get_a_model(folders)));
}

}  // namespace

std::string version() {
    return DURASCRIBE_WHISPER_VERSION;
}

Result<std::unique_ptr<Recognizer>> load(const std::string& model, const std::string& language,
                                         const std::vector<fs::path>& folders) {
    keep_quiet();
    const Result<std::string> code = language_code(language);
    if (!code) {
        return std::unexpected(code.error());
    }
    const Result<Model> chosen = choose(model, *code, folders);
    if (!chosen) {
        return std::unexpected(chosen.error());
    }
    ContextPtr context(
        whisper_init_from_file_with_params(chosen->path.c_str(), whisper_context_default_params()));
    if (!context) {
        return fail(
            ErrorClass::model, "model_broken",
            fmt::format(
                "The Whisper model {} could not be loaded: it is damaged, or of another format. "
                "Download it again.",
                chosen->path.string()));
    }
    const std::string spoken = chosen->language == "en" ? "en" : *code;
    return std::make_unique<WhisperRecognizer>(std::move(context), chosen->name, spoken);
}

}  // namespace durascribe::speech::whisper
