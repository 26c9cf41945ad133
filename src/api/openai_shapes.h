// OpenAI's shapes of a transcript, of its stream and of a model. Pure. docs/openai.md says which
// fields are measured and which are neutral.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "durascribe/api/openai_request.h"
#include "durascribe/domain/media_info.h"
#include "durascribe/domain/transcript.h"

namespace durascribe::api {

// What was heard, in order: text is clean and never empty, and a chunk that failed for good is a
// piece
// "[inaudible]" without words.
struct Heard {
    std::string language;  // BCP 47
    Millis duration{0};    // of the media
    std::vector<domain::Segment> pieces;
};

std::vector<domain::Segment> pieces_of(std::vector<domain::Segment> segments,
                                       const std::vector<domain::Gap>& gaps);

std::string text_of(std::span<const domain::Segment> pieces);

// json, verbose_json or diarized_json, as the request's format says. Requires one of these.
boost::json::object openai_transcript_shape(const Heard& heard, const OpenAiRequest& request);

// transcript.text.delta, transcript.text.done: the text of a server-sent event's `data`.
std::string openai_delta_text(std::string_view delta, std::span<const domain::Segment> pieces,
                              bool logprobs);
std::string openai_done_text(const Heard& heard, bool logprobs);

boost::json::object openai_model_shape(std::string_view id, std::string_view owner);

// "english" for "en" and "en-US", as Whisper names languages; what it has no name for stays as it
// is.
std::string openai_language_name(std::string_view tag);

}  // namespace durascribe::api
