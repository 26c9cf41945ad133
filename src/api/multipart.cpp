#include "durascribe/api/multipart.h"

#include <algorithm>

#include <fmt/format.h>

#include "durascribe/api/header_values.h"

namespace durascribe::api {
namespace {

constexpr std::size_t kPartHeadMax = 16 << 10;
constexpr std::size_t kPaddingMax = 128;

std::unexpected<Error> malformed(std::string_view what) {
    return fail(ErrorClass::request, "bad_multipart",
                fmt::format("The form is malformed: {}. Send multipart/form-data as browsers and "
                            "curl -F do.",
                            what));
}

std::string lower(std::string_view text) {
    std::string out{text};
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

Result<PartHead> parse_part_head(std::string_view text) {
    PartHead head;
    bool named = false;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find("\r\n"), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 2, text.size()));
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || colon == 0) {
            return malformed("a header of a part has no name");
        }
        const std::string field = lower(line.substr(0, colon));
        std::string_view value = line.substr(colon + 1);
        value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
        if (field == "content-disposition") {
            const auto disposition = parse_parameterized(value);
            const std::string* name = disposition ? disposition->parameter("name") : nullptr;
            if (name == nullptr || disposition->value != "form-data") {
                return malformed("a part's Content-Disposition does not name it");
            }
            head.name = *name;
            head.filename = filename_of(*disposition);
            named = true;
        } else if (field == "content-type") {
            head.content_type = std::string{value};
        }
    }
    if (!named) {
        return malformed("a part has no Content-Disposition");
    }
    return head;
}

// What follows the text of a delimiter.
enum class After { next_part, end, only_looks_alike, need_more };

// RFC 2046 §5.1.1: "--" ends the body; padding and CRLF open a part; anything else was data.
After classify(std::string_view rest, std::size_t& length) {
    if (rest.starts_with("--")) {
        length = 2;
        return After::end;
    }
    if (rest.empty() || rest == "-") {
        return After::need_more;
    }
    const std::size_t at = std::min(rest.find_first_not_of(" \t"), rest.size());
    if (at > kPaddingMax) {
        return After::only_looks_alike;
    }
    const std::string_view line_end = rest.substr(at, 2);
    if (line_end == "\r\n") {
        length = at + 2;
        return After::next_part;
    }
    return line_end.empty() || line_end == "\r" ? After::need_more : After::only_looks_alike;
}

}  // namespace

Result<std::string> multipart_boundary(std::string_view content_type) {
    const auto type = parse_parameterized(content_type);
    const std::string* boundary = type ? type->parameter("boundary") : nullptr;
    if (boundary == nullptr) {
        return malformed("the Content-Type has no boundary");
    }
    const auto allowed = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view{"'()+_,-./:=? "}.contains(c);
    };
    if (boundary->empty() || boundary->size() > 70 || boundary->ends_with(' ') ||
        !std::ranges::all_of(*boundary, allowed)) {
        return malformed("its boundary is not one that RFC 2046 allows");
    }
    return *boundary;
}

// A delimiter begins with the line end before it; the first one may stand at the very start, so the
// parser begins as if a line had just ended.
MultipartParser::MultipartParser(std::string_view boundary, PartReceiver& receiver, int parts_max)
    : delimiter_("\r\n--" + std::string{boundary}),
      receiver_(receiver),
      pending_("\r\n"),
      parts_max_(parts_max) {}

Result<void> MultipartParser::feed(std::string_view bytes) {
    pending_.append(bytes);
    for (;;) {
        const auto result = step();
        if (!result) {
            return std::unexpected(result.error());
        }
        if (*result == Step::need_more) {
            break;
        }
    }
    pending_.erase(0, consumed_);
    consumed_ = 0;
    return {};
}

Result<void> MultipartParser::finish() {
    if (state_ != State::epilogue) {
        return malformed("it ends before its closing boundary; the upload was cut short");
    }
    return {};
}

Result<MultipartParser::Step> MultipartParser::step() {
    switch (state_) {
        case State::preamble:
        case State::data:
            return read_until_delimiter();
        case State::head:
            return read_head();
        case State::epilogue:
            consumed_ = pending_.size();
            return Step::need_more;
    }
    assertion_failed("known State", __FILE__, __LINE__);
}

Result<MultipartParser::Step> MultipartParser::read_head() {
    const std::string_view rest = std::string_view{pending_}.substr(consumed_);
    const std::size_t end = rest.starts_with("\r\n") ? 0 : rest.find("\r\n\r\n");
    if (end == std::string_view::npos ? rest.size() > kPartHeadMax : end > kPartHeadMax) {
        return malformed("the headers of a part are too long");
    }
    if (end == std::string_view::npos) {
        return Step::need_more;
    }
    auto head = parse_part_head(rest.substr(0, end));
    if (!head) {
        return std::unexpected(head.error());
    }
    if (++parts_ > parts_max_) {
        return malformed("it has too many parts");
    }
    if (auto begun = receiver_.part_begin(*head); !begun) {
        return std::unexpected(begun.error());
    }
    // The line end that closes the head may begin the delimiter of a part without data: it stays,
    // and pass() drops it.
    consumed_ += end == 0 ? 0 : end + 2;
    state_ = State::data;
    at_data_start_ = true;
    return Step::go_on;
}

Result<void> MultipartParser::pass(std::string_view bytes) {
    if (state_ != State::data || bytes.empty()) {
        return {};
    }
    if (at_data_start_) {
        bytes.remove_prefix(2);
        at_data_start_ = false;
        if (bytes.empty()) {
            return {};
        }
    }
    return receiver_.part_data(bytes);
}

Result<MultipartParser::Step> MultipartParser::read_until_delimiter() {
    const std::string_view rest = std::string_view{pending_}.substr(consumed_);
    std::size_t from = 0;
    for (;;) {
        const std::size_t at = rest.find(delimiter_, from);
        if (at == std::string_view::npos) {
            break;
        }
        std::size_t length = 0;
        switch (classify(rest.substr(at + delimiter_.size()), length)) {
            case After::only_looks_alike:
                from = at + delimiter_.size();
                continue;
            case After::need_more: {
                auto passed = pass(rest.substr(0, at));
                consumed_ += at;
                return passed ? Result<Step>{Step::need_more} : std::unexpected(passed.error());
            }
            case After::next_part:
            case After::end: {
                if (auto passed = pass(rest.substr(0, at)); !passed) {
                    return std::unexpected(passed.error());
                }
                if (state_ == State::data) {
                    if (auto ended = receiver_.part_end(); !ended) {
                        return std::unexpected(ended.error());
                    }
                }
                consumed_ += at + delimiter_.size() + length;
                state_ = rest.substr(at + delimiter_.size()).starts_with("--") ? State::epilogue
                                                                               : State::head;
                return Step::go_on;
            }
        }
    }
    // No delimiter, but the end may be the beginning of one: that much is kept.
    std::size_t kept = std::min(delimiter_.size() - 1, rest.size());
    while (!rest.ends_with(std::string_view{delimiter_}.substr(0, kept))) {
        --kept;
    }
    if (auto passed = pass(rest.substr(0, rest.size() - kept)); !passed) {
        return std::unexpected(passed.error());
    }
    consumed_ += rest.size() - kept;
    return Step::need_more;
}

}  // namespace durascribe::api
