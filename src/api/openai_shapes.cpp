#include "durascribe/api/openai_shapes.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "durascribe/api/json_text.h"
#include "durascribe/base/error.h"
#include "durascribe/domain/text.h"

namespace durascribe::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kInaudible = "[inaudible]";
constexpr double kLeastProbability = 1e-5;  // a logarithm that JSON can hold

double seconds(Millis t) {
    return static_cast<double>(t.count()) / 1000.0;
}

double log_probability(double confidence) {
    return confidence >= 1.0 ? 0.0 : std::log(std::max(confidence, kLeastProbability));
}

json::object duration_usage(const Heard& heard) {
    return {{"type", "duration"},
            {"seconds", static_cast<std::int64_t>(std::ceil(seconds(heard.duration)))}};
}

// One token for each word: the recognisers give probabilities of words, not of parts of them.
json::array logprobs_of(std::span<const domain::Segment> pieces) {
    json::array all;
    for (const domain::Segment& piece : pieces) {
        for (const domain::Word& word : piece.words) {
            json::array bytes;
            for (const char c : word.text) {
                bytes.emplace_back(static_cast<unsigned char>(c));
            }
            all.push_back(json::object{{"token", word.text},
                                       {"logprob", log_probability(word.confidence)},
                                       {"bytes", std::move(bytes)}});
        }
    }
    return all;
}

json::object verbose_segment(const domain::Segment& piece, int id) {
    return {{"id", id},
            {"seek", 0},
            {"start", seconds(piece.span.start)},
            {"end", seconds(piece.span.end)},
            {"text", " " + piece.text},
            {"tokens", json::array{}},
            {"temperature", 0.0},
            {"avg_logprob", log_probability(piece.confidence)},
            {"compression_ratio", 1.0},
            {"no_speech_prob", 0.0}};
}

json::object verbose_shape(const Heard& heard, const OpenAiRequest& request) {
    json::object body{{"task", "transcribe"},
                      {"language", openai_language_name(heard.language)},
                      {"duration", seconds(heard.duration)},
                      {"text", text_of(heard.pieces)}};
    if (request.segments) {
        json::array segments;
        for (const domain::Segment& piece : heard.pieces) {
            segments.push_back(verbose_segment(piece, static_cast<int>(segments.size())));
        }
        body["segments"] = std::move(segments);
    }
    if (request.words) {
        json::array words;
        for (const domain::Segment& piece : heard.pieces) {
            for (const domain::Word& word : piece.words) {
                words.push_back(json::object{{"word", word.text},
                                             {"start", seconds(word.span.start)},
                                             {"end", seconds(word.span.end)}});
            }
        }
        body["words"] = std::move(words);
    }
    body["usage"] = duration_usage(heard);
    return body;
}

json::object diarized_shape(const Heard& heard) {
    json::array segments;
    for (const domain::Segment& piece : heard.pieces) {
        segments.push_back(json::object{{"type", "transcript.text.segment"},
                                        {"id", fmt::format("seg_{:03}", segments.size() + 1)},
                                        {"start", seconds(piece.span.start)},
                                        {"end", seconds(piece.span.end)},
                                        {"text", piece.text},
                                        {"speaker", piece.speaker.value_or("")}});
    }
    return {{"task", "transcribe"},
            {"duration", seconds(heard.duration)},
            {"text", text_of(heard.pieces)},
            {"segments", std::move(segments)},
            {"usage", duration_usage(heard)}};
}

}  // namespace

std::vector<domain::Segment> pieces_of(std::vector<domain::Segment> segments,
                                       const std::vector<domain::Gap>& gaps) {
    for (const domain::Gap& gap : gaps) {
        segments.push_back({.span = gap.span,
                            .text = std::string{kInaudible},
                            .confidence = 0.0,
                            .words = {},
                            .speaker = {}});
    }
    std::ranges::sort(segments, {}, [](const domain::Segment& piece) {
        return std::pair{piece.span.start, piece.span.end};
    });
    for (domain::Segment& piece : segments) {
        piece.text = domain::clean_text(piece.text);
        for (domain::Word& word : piece.words) {
            word.text = domain::clean_text(word.text);
        }
    }
    std::erase_if(segments, [](const domain::Segment& piece) { return piece.text.empty(); });
    return segments;
}

std::string text_of(std::span<const domain::Segment> pieces) {
    std::string text;
    for (const domain::Segment& piece : pieces) {
        domain::append_text(text, piece.text);
    }
    return text;
}

json::object openai_transcript_shape(const Heard& heard, const OpenAiRequest& request) {
    switch (request.format) {
        case OpenAiFormat::verbose_json:
            return verbose_shape(heard, request);
        case OpenAiFormat::diarized_json:
            return diarized_shape(heard);
        case OpenAiFormat::json: {
            json::object body{{"text", text_of(heard.pieces)}};
            if (request.logprobs) {
                body["logprobs"] = logprobs_of(heard.pieces);
            }
            body["usage"] = duration_usage(heard);
            return body;
        }
        case OpenAiFormat::text:
        case OpenAiFormat::srt:
        case OpenAiFormat::vtt:
            break;
    }
    assertion_failed("a format that is JSON", __FILE__, __LINE__);
}

std::string openai_delta_text(std::string_view delta, std::span<const domain::Segment> pieces,
                              bool logprobs) {
    json::object event{{"type", "transcript.text.delta"},
                       {"delta", json::string_view{delta.data(), delta.size()}}};
    if (logprobs) {
        event["logprobs"] = logprobs_of(pieces);
    }
    return json_line(event);
}

std::string openai_done_text(const Heard& heard, bool logprobs) {
    json::object event{{"type", "transcript.text.done"}, {"text", text_of(heard.pieces)}};
    if (logprobs) {
        event["logprobs"] = logprobs_of(heard.pieces);
    }
    // Its shape knows tokens alone, and there are none.
    event["usage"] = json::object{
        {"type", "tokens"}, {"input_tokens", 0}, {"output_tokens", 0}, {"total_tokens", 0}};
    return json_line(event);
}

json::object openai_model_shape(std::string_view id, std::string_view owner) {
    return {{"id", json::string_view{id.data(), id.size()}},
            {"object", "model"},
            {"created", 0},
            {"owned_by", json::string_view{owner.data(), owner.size()}}};
}

}  // namespace durascribe::api
