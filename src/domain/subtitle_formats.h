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

// UTF-8, "\n" line ends. Text is data, never markup: "-->", "<", "&" and blank lines in it are
// escaped or folded as the format asks.
std::string write_document(const Transcript& transcript, DocumentFormat format);

// Joins the segments of the chunks (each ordered in itself) into one list by time, not overlapping.
std::vector<Segment> join_chunks(std::vector<std::vector<Segment>> chunks);

}  // namespace durascribe::domain
