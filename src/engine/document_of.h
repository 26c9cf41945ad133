// The transcript of a task as a document: as it was finished, or written anew from an edition.
#pragma once

#include <optional>
#include <string>

#include "durascribe/base/error.h"
#include "durascribe/base/ids.h"
#include "durascribe/domain/subtitle_formats.h"
#include "durascribe/ports/store.h"

namespace durascribe::engine {

// `revision`: none is the newest, 0 as it was recognised. All of one moment. Errors: request
// "not_found"; the store's.
Result<std::string> document_of(ports::Store& store, const TaskId& id,
                                domain::DocumentFormat format, std::optional<int> revision);

}  // namespace durascribe::engine
