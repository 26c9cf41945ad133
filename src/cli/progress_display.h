// Shows on standard error how far files are: lines that redraw in place on a terminal, a line for
// each noteworthy change anywhere else.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace durascribe::cli {

struct ProgressLine {
    std::string name;  // printable
    std::string step;  // what changes when the stage does, but for its numbers
    std::string stage;
    double percent = 0;
    std::optional<double> eta_seconds;
    bool ended = false;  // not shown any more
};

// One thread.
class ProgressDisplay {
  public:
    virtual ~ProgressDisplay() = default;
    // The same files in the same order every time.
    virtual void update(std::span<const ProgressLine> lines) = 0;
    // A line that stays.
    virtual void say(const std::string& line) = 0;
    // Takes the live lines away, for other output to the same terminal.
    virtual void clear() = 0;
};

// Live lines where `out` is a terminal that can move its cursor, plain ones otherwise. `quiet`:
// only what say() is given.
std::unique_ptr<ProgressDisplay> make_progress_display(std::FILE* out, bool quiet);

// The live line of one file, at most `columns` wide: name, bar, percent, stage, time left.
struct LineStyle {
    int columns = 80;
    bool colour = false;
    bool unicode = true;
};
std::string render(const ProgressLine& line, const LineStyle& style);

// "42 s", "3:05 min", "1:02:03 h"
std::string duration_text(double seconds);

}  // namespace durascribe::cli
