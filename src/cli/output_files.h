// Where transcripts go, and how a file gets there whole without costing anyone their work.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/domain/subtitle_formats.h"

namespace durascribe::cli {

struct OutputFile {
    std::filesystem::path path;
    domain::DocumentFormat format;
};

// NAME.<format> beside each input, or in `directory`. A name that would be longer than a file
// system allows is cut at a character. Errors: request "same_output" where two inputs would write
// one file; "output_is_input"; input "folder_not_writable", naming --output.
Result<std::vector<std::vector<OutputFile>>> plan_outputs(
    const std::vector<std::filesystem::path>& inputs,
    const std::vector<domain::DocumentFormat>& formats,
    const std::optional<std::filesystem::path>& directory);

// Writes the whole file or nothing: a temporary file beside it, synced, then renamed. Without
// `replace`, a file that is there stays as it is: success where its content is the same, otherwise
// request "output_exists".
Result<void> write_output(const std::filesystem::path& path, const std::string& content,
                          bool replace);

}  // namespace durascribe::cli
