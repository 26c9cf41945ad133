// The files a person takes away: SRT (SubRip), WebVTT (W3C), plain text, JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "durascribe/domain/cues.h"
#include "durascribe/domain/transcript.h"

namespace durascribe::domain {

enum class DocumentFormat { srt, vtt, txt, json };
inline constexpr DocumentFormat kDocumentFormats[] = {DocumentFormat::srt, DocumentFormat::vtt,
                                                      DocumentFormat::txt, DocumentFormat::json};

std::string_view to_string(DocumentFormat f);  // also the file extension
std::optional<DocumentFormat> document_format_from(std::string_view name);
std::string_view mime_type(DocumentFormat f);

// UTF-8, "\n" line ends, seconds with three decimals in JSON. Text is data, never markup: "<", ">",
// "&", "-->", control characters, blank lines and invalid UTF-8 in it are escaped, folded into what
// looks alike (SubRip has no escapes) or removed. A gap is a cue "[inaudible]" of at most 7 s in
// SRT and VTT, which never covers speech; "[inaudible 00:01:00–00:01:30]" in TXT; listed in JSON.
// Speakers: a name where the speaker changes in SRT and TXT, a voice tag on each cue in VTT.
std::string write_document(const Transcript& transcript, DocumentFormat format);

// Joins the segments of the chunks into one list by time. What overlaps is made to start where the
// segment before it ends; no text is dropped.
std::vector<Segment> join_chunks(std::vector<std::vector<Segment>> chunks);

}  // namespace durascribe::domain
