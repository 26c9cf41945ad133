// How PocketSphinx is used here, and why so (bench/speech_bench and bench/wer measure it):
// - The decoder is given cepstra, not samples: the mean of the whole call's speech is taken off
//   before the search begins (PocketSphinx's own running mean starts each utterance from what it
//   heard before, which makes a result depend on history), and fed frame by frame, so that progress
//   can be reported within an utterance.
// - Its voice detection is off: it drops frames, which makes word times wrong. Utterances come from
//   utterances.h. Its noise removal is on, and starts anew with each call.
#include "durascribe/speech/pocketsphinx/pocketsphinx_recognizer.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <pocketsphinx.h>
#include <sphinxbase/ckd_alloc.h>
#include <sphinxbase/err.h>

#include "durascribe/speech/utterances.h"

namespace durascribe::speech::pocketsphinx {
namespace {

namespace fs = std::filesystem;

constexpr int kFrameMs = 10;
constexpr std::size_t kFrameSamples = kSampleRateHz * kFrameMs / 1000;
constexpr int kFewestFrames = 10;      // no word of English is shorter than 100 ms
constexpr int kFramesPerReport = 100;  // of audio; 1 s

struct FreeDecoder {
    void operator()(ps_decoder_t* d) const { ps_free(d); }
};
struct FreeConfig {
    void operator()(cmd_ln_t* c) const { cmd_ln_free_r(c); }
};
struct FreeCepstra {
    void operator()(mfcc_t** c) const { fe_free_2d(c); }
};
using DecoderPtr = std::unique_ptr<ps_decoder_t, FreeDecoder>;

// While one lives, PocketSphinx's errors of this thread are kept here instead of going to standard
// error, where a hundred lines per utterance would go.
class CapturedLog {
  public:
    CapturedLog() {
        current_ = this;
        err_set_logfp(nullptr);  // the list of settings goes to the file, not to the callback
        err_set_callback(&CapturedLog::take, nullptr);
    }
    ~CapturedLog() { current_ = nullptr; }
    CapturedLog(const CapturedLog&) = delete;
    CapturedLog& operator=(const CapturedLog&) = delete;
    const std::string& text() const { return text_; }

  private:
    static void take(void*, err_lvl_t level, const char* format, ...) {
        constexpr std::size_t kMost = 2'000;
        if (current_ == nullptr || level < ERR_ERROR || current_->text_.size() > kMost) {
            return;
        }
        std::array<char, 512> line{};
        va_list arguments;
        va_start(arguments, format);
        const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
        va_end(arguments);
        if (length > 0) {
            current_->text_ += line.data();
        }
    }

    static thread_local CapturedLog* current_;
    std::string text_;
};
thread_local CapturedLog* CapturedLog::current_ = nullptr;

// The word as it is written: without the mark of an alternative pronunciation, "read(2)"; empty for
// silence and noise ("<sil>", "[NOISE]", "++UH++").
std::string written(std::string_view word) {
    if (word.empty() || word.starts_with('<') || word.starts_with('[') || word.starts_with("++")) {
        return {};
    }
    std::string text(word.substr(0, word.find('(')));
    if (text == "i" || text.starts_with("i'")) {
        text.front() = 'I';
    }
    return text;
}

// Cepstra of a call's audio, a frame each 10 ms.
struct Cepstra {
    std::unique_ptr<mfcc_t*, FreeCepstra> frames;
    int count = 0;
    int coefficients = 0;
};

Cepstra make_cepstra(fe_t* front_end, std::span<const std::int16_t> pcm) {
    fe_start_stream(front_end);
    fe_start_utt(front_end);
    Cepstra cepstra;
    mfcc_t** frames = nullptr;
    int32 count = 0;
    fe_process_utt(front_end, pcm.data(), pcm.size(), &frames, &count);
    cepstra.frames.reset(frames);
    cepstra.count = count;
    cepstra.coefficients = fe_get_output_size(front_end);
    std::vector<mfcc_t> remainder(static_cast<std::size_t>(cepstra.coefficients));
    int32 more = 0;
    fe_end_utt(front_end, remainder.data(), &more);  // less than a frame: dropped
    return cepstra;
}

struct FrameRange {
    int begin;
    int end;
};

FrameRange frames_of(const SampleRange& samples, const Cepstra& cepstra) {
    const auto frame = [&](std::size_t sample) {
        return static_cast<int>(
            std::min(sample / kFrameSamples, static_cast<std::size_t>(cepstra.count)));
    };
    return {frame(samples.begin), frame(samples.end)};
}

// Cepstral mean normalisation over all that will be searched: takes out the microphone and the
// room.
void take_off_mean(Cepstra& cepstra, const std::vector<SampleRange>& utterances) {
    std::vector<double> sum(static_cast<std::size_t>(cepstra.coefficients));
    std::int64_t frames = 0;
    const auto for_each_frame = [&](const auto& act) {
        for (const SampleRange& utterance : utterances) {
            const FrameRange range = frames_of(utterance, cepstra);
            for (int f = range.begin; f < range.end; ++f) {
                act(std::span(cepstra.frames.get()[f], sum.size()));
            }
        }
    };
    for_each_frame([&](std::span<mfcc_t> frame) {
        if (frame[0] < 0) {
            return;  // digital silence, whose logarithm would drown the rest
        }
        for (std::size_t k = 0; k < sum.size(); ++k) {
            sum[k] += frame[k];
        }
        ++frames;
    });
    if (frames == 0) {
        return;
    }
    for_each_frame([&](std::span<mfcc_t> frame) {
        for (std::size_t k = 0; k < sum.size(); ++k) {
            frame[k] -= static_cast<mfcc_t>(sum[k] / static_cast<double>(frames));
        }
    });
}

class PocketsphinxRecognizer final : public Recognizer {
  public:
    PocketsphinxRecognizer(DecoderPtr decoder, std::string model)
        : decoder_(std::move(decoder)),
          model_(std::move(model)),
          version_(pocketsphinx::version()) {}

    std::string_view engine() const override { return "pocketsphinx"; }
    std::string_view model() const override { return model_; }
    std::string_view version() const override { return version_; }

    Result<std::vector<domain::Segment>> recognize(std::span<const std::int16_t> pcm, Millis offset,
                                                   const OnProgress& on_progress) override {
        const CapturedLog log;
        std::vector<domain::Segment> segments;
        const std::vector<SampleRange> utterances = split_utterances(pcm);
        if (!utterances.empty()) {
            Cepstra cepstra = make_cepstra(ps_get_fe(decoder_.get()), pcm);
            take_off_mean(cepstra, utterances);
            for (const SampleRange& utterance : utterances) {
                const FrameRange range = frames_of(utterance, cepstra);
                if (range.end - range.begin < kFewestFrames) {
                    continue;
                }
                if (!search(cepstra, range, on_progress)) {
                    return fail(
                        ErrorClass::model, "recognition_failed",
                        fmt::format(
                            "PocketSphinx could not recognise the speech at {:.1f} s.",
                            std::chrono::duration<double>(offset + time_of(range.begin)).count()),
                        log.text());
                }
                if (auto segment = heard(offset + time_of(range.begin)); !segment.words.empty()) {
                    segments.push_back(std::move(segment));
                }
            }
        }
        report(on_progress, Millis(static_cast<std::int64_t>(pcm.size()) * 1000 / kSampleRateHz));
        return segments;
    }

  private:
    static Millis time_of(int frame) { return Millis(std::int64_t{frame} * kFrameMs); }

    static void report(const OnProgress& on_progress, Millis done) {
        if (on_progress) {
            on_progress(done);
        }
    }

    bool search(const Cepstra& cepstra, FrameRange range, const OnProgress& on_progress) {
        ps_decoder_t* decoder = decoder_.get();
        if (ps_start_stream(decoder) < 0 || ps_start_utt(decoder) < 0) {
            return false;
        }
        bool well = true;
        for (int f = range.begin; f < range.end && well; ++f) {
            if ((f - range.begin) % kFramesPerReport == 0) {
                report(on_progress, time_of(f));
            }
            // One frame at a time: the search looks ahead, and its queue holds few frames.
            well = ps_process_cep(decoder, cepstra.frames.get() + f, 1, FALSE, FALSE) >= 0;
        }
        return ps_end_utt(decoder) >= 0 && well;
    }

    // The best hypothesis of the utterance that was searched last, which began at `start`.
    domain::Segment heard(Millis start) const {
        domain::Segment segment;
        double weighted = 0;
        double weights = 0;
        for (ps_seg_t* at = ps_seg_iter(decoder_.get()); at != nullptr; at = ps_seg_next(at)) {
            std::string text = written(ps_seg_word(at));
            if (text.empty()) {
                continue;
            }
            int first = 0;
            int last = 0;
            ps_seg_frames(at, &first, &last);
            const double posterior = logmath_exp(ps_get_logmath(decoder_.get()),
                                                 ps_seg_prob(at, nullptr, nullptr, nullptr));
            domain::Word word{.span = {start + time_of(first), start + time_of(last + 1)},
                              .text = std::move(text),
                              .confidence = std::clamp(posterior, 0.0, 1.0)};
            const auto weight = static_cast<double>(word.span.length().count());
            weighted += word.confidence * weight;
            weights += weight;
            segment.text += segment.text.empty() ? "" : " ";
            segment.text += word.text;
            segment.words.push_back(std::move(word));
        }
        if (!segment.words.empty()) {
            segment.span = {segment.words.front().span.start, segment.words.back().span.end};
            segment.confidence = weights > 0 ? weighted / weights : 0;
        }
        return segment;
    }

    DecoderPtr decoder_;
    std::string model_;
    std::string version_;
};

Error missing(const std::string& model, const std::vector<fs::path>& folders) {
    std::string looked_in;
    for (const fs::path& folder : folders) {
        looked_in += (looked_in.empty() ? "looked in " : ", ") + folder.string();
    }
    return {ErrorClass::model, "model_missing",
            model == "auto"
                ? fmt::format("PocketSphinx has no speech model. {}", how_to_get_a_model())
                : fmt::format(
                      "PocketSphinx has no speech model \"{}\". {}, or choose the model \"auto\".",
                      model, how_to_get_a_model()),
            looked_in};
}

Result<Model> choose(const std::string& name, const std::string& language,
                     const std::vector<fs::path>& folders) {
    const std::vector<Model> models = find_models(folders);
    std::string languages;
    bool known = false;
    for (const Model& model : models) {
        if (name != "auto" && name != model.name) {
            continue;
        }
        known = true;
        // Left to choose, English comes first: what Debian's package speaks.
        if (asks_for_language(language, model.language)) {
            return model;
        }
        languages += (languages.empty() ? "" : ", ") + model.language;
    }
    if (!known) {
        return std::unexpected(missing(name, folders));
    }
    return fail(
        ErrorClass::input, "unsupported_language",
        fmt::format(
            "PocketSphinx cannot recognise the language \"{}\" here; it can: {}. Choose one of "
            "these, or an engine that speaks it.",
            language, languages));
}

Result<std::string> only_dictionary(const fs::path& folder) {
    std::string found;
    std::error_code unreadable;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, unreadable)) {
        if (entry.path().extension() == ".dict" &&
            (found.empty() || entry.path().string() < found)) {
            found = entry.path().string();
        }
    }
    if (found.empty()) {
        return fail(ErrorClass::model, "model_broken",
                    fmt::format("The speech model in {} has no pronunciation dictionary (*.dict). "
                                "Install it again.",
                                folder.string()),
                    unreadable.message());
    }
    return found;
}

DecoderPtr make_decoder(const Model& model, const std::string& dictionary) {
    const std::string acoustic = model.path / model.name;
    const std::string language_model = model.path / (model.name + ".lm.bin");
    const std::unique_ptr<cmd_ln_t, FreeConfig> config(
        cmd_ln_init(nullptr, ps_args(), TRUE, "-hmm", acoustic.c_str(), "-lm",
                    language_model.c_str(), "-dict", dictionary.c_str(), "-remove_silence", "no",
                    // A bound on the search in frames where much is possible; the default is 30000.
                    "-maxhmmpf", "5000",
                    // Densities scored in a frame: 2 of the 4 that are the default take a tenth to
                    // a fifth off the CPU time; 75 and 78 errors in 487 words (docs/benchmarks.md).
                    "-topn", "2", nullptr));
    if (!config) {
        return nullptr;
    }
    DecoderPtr decoder(ps_init(config.get()));
    if (decoder) {
        ps_get_feat(decoder.get())->cmn =
            CMN_NONE;  // the model's own setting would win over an option
    }
    return decoder;
}

}  // namespace

std::string version() {
    return DURASCRIBE_POCKETSPHINX_VERSION;
}

Result<std::unique_ptr<Recognizer>> load(const std::string& model, const std::string& language,
                                         const std::vector<fs::path>& folders) {
    const Result<Model> chosen = choose(model, language, folders);
    if (!chosen) {
        return std::unexpected(chosen.error());
    }
    const Result<std::string> dictionary = only_dictionary(chosen->path);
    if (!dictionary) {
        return std::unexpected(dictionary.error());
    }
    const CapturedLog log;
    DecoderPtr decoder = make_decoder(*chosen, *dictionary);
    if (!decoder) {
        return fail(ErrorClass::model, "model_broken",
                    fmt::format("The speech model {} could not be loaded. Install it again: "
                                "apt-get install --reinstall pocketsphinx-en-us",
                                chosen->path.string()),
                    log.text());
    }
    return std::make_unique<PocketsphinxRecognizer>(std::move(decoder), chosen->name);
}

}  // namespace durascribe::speech::pocketsphinx
