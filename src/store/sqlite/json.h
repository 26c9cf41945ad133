// The JSON texts kept in columns: task options, media info, words. Private to store/sqlite.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/fwd.hpp>

#include "durascribe/domain/media_info.h"
#include "durascribe/domain/pipeline.h"
#include "durascribe/domain/transcript.h"
#include "durascribe/ports/store.h"

namespace durascribe::store {

// Reading throws boost::system::system_error on a text that this layer did not write.
std::string to_json(const domain::TaskOptions& options);
domain::TaskOptions task_options_from_json(std::string_view text);

// First answers of idempotency keys: the media and task as they were when they were made.
std::string to_json(const ports::Submission& made);
ports::Submission submission_from_json(std::string_view text);
std::string to_json(const ports::RetryOutcome& outcome);
ports::RetryOutcome retry_outcome_from_json(std::string_view text);

std::string to_json(const domain::MediaInfo& info);
domain::MediaInfo media_info_from_json(std::string_view text);

// [[start_ms, end_ms, text, confidence], …]
std::string to_json(const std::vector<domain::Word>& words);
std::vector<domain::Word> words_from_json(std::string_view text);

}  // namespace durascribe::store
