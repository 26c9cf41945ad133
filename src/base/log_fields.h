// What a line of the log is about, and the shape of the lines. Fields belong to a thread: whoever
// works on a unit or a request names it once, and every line until the end of that scope has it.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace durascribe::log {

enum class Format {
    text,  // TIME LEVEL WORDS, for people; the fields are left out: the words name what matters
    json,  // one object a line: time, level, message, and the fields
};
void set_format(Format format);

// Names are of this program (snake_case); values may be anything and are escaped.
class Scope {
  public:
    Scope(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

  private:
    std::size_t before_;  // how many fields there were
};

// One line as JSON, without the line feed: for set_format(json), and for tests.
std::string json_line(std::string_view time, std::string_view level, std::string_view message);

}  // namespace durascribe::log
