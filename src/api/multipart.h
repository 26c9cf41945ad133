// multipart/form-data (RFC 7578, RFC 2046 §5.1.1), parsed as it streams by: no part is ever held in
// memory but its headers. Pure: no sockets, no files.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "durascribe/base/error.h"

namespace durascribe::api {

struct PartHead {
    std::string name;
    std::optional<std::string> filename;  // as sent: see clean_filename()
    std::string content_type;             // perhaps empty
};

// Gets the parts in order. An error of any call ends the parsing and is given on.
class PartReceiver {
  public:
    virtual ~PartReceiver() = default;
    virtual Result<void> part_begin(const PartHead& head) = 0;
    virtual Result<void> part_data(std::string_view bytes) = 0;
    virtual Result<void> part_end() = 0;
};

// The boundary of a Content-Type. Errors: request "bad_multipart" where it is missing or not one
// that RFC 2046 allows.
Result<std::string> multipart_boundary(std::string_view content_type);

class MultipartParser {
  public:
    // `receiver` outlives the parser.
    MultipartParser(std::string_view boundary, PartReceiver& receiver, int parts_max = 64);

    // Takes the next bytes, cut anywhere. Errors: request "bad_multipart"; the receiver's. After an
    // error, not to be called again.
    Result<void> feed(std::string_view bytes);

    // The body ended. Errors: request "bad_multipart" where the closing boundary has not come.
    Result<void> finish();

  private:
    enum class State { preamble, head, data, epilogue };
    enum class Step { go_on, need_more };

    Result<Step> step();
    Result<Step> read_head();
    Result<Step> read_until_delimiter();
    Result<void> pass(std::string_view bytes);

    std::string delimiter_;  // CR LF -- boundary
    PartReceiver& receiver_;
    State state_ = State::preamble;
    std::string pending_;  // not yet consumed
    std::size_t consumed_ = 0;
    bool at_data_start_ = false;
    int parts_ = 0;
    const int parts_max_;
};

}  // namespace durascribe::api
