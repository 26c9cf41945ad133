// What this program can do, for `durascribe doctor` and `durascribe models`: those link neither
// FFmpeg nor a recogniser.
#pragma once

#include <string>

namespace durascribe {

// One line of JSON: {"media": [{"name", "version"}], "engines": [{"name", "version", "models":
// [{"name", "languages", "present", "install"}]}]}. An engine without a model has one entry that
// says how to get one.
std::string describe_worker();

}  // namespace durascribe
