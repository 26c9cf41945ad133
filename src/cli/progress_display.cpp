#include "durascribe/cli/progress_display.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "durascribe/cli/terminal_text.h"

namespace durascribe::cli {
namespace {

constexpr auto kLeastRedraw = std::chrono::milliseconds{100};

void put(std::FILE* out, std::string_view text) {
    // Progress that can't be shown (a closed terminal) must not end the work.
    (void)std::fwrite(text.data(), 1, text.size(), out);
    (void)std::fflush(out);
}

bool speaks_unicode() {
    // POSIX: the first of these that is set and not empty decides the character set.
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        if (const char* value = std::getenv(name); value != nullptr && *value != '\0') {
            const std::string_view text(value);
            return text.find("UTF-8") != text.npos || text.find("utf8") != text.npos ||
                   text.find("UTF8") != text.npos || text.find("utf-8") != text.npos;
        }
    }
    return false;
}

bool is_set(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
}

class LiveDisplay final : public ProgressDisplay {
  public:
    explicit LiveDisplay(std::FILE* out) : out_(out) {
        style_.unicode = speaks_unicode();
        style_.colour = !is_set("NO_COLOR");  // no-color.org
    }
    ~LiveDisplay() override { clear(); }

    void update(std::span<const ProgressLine> lines) override {
        const auto now = std::chrono::steady_clock::now();
        if (shown_ > 0 && now - drawn_at_ < kLeastRedraw) {
            return;
        }
        drawn_at_ = now;
        winsize size{};
        int rows = 24;
        if (ioctl(fileno(out_), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
            style_.columns = size.ws_col;
            rows = size.ws_row;
        }
        std::vector<const ProgressLine*> live;
        for (const ProgressLine& line : lines) {
            if (!line.ended) {
                live.push_back(&line);
            }
        }
        const auto room = static_cast<std::size_t>(std::max(1, rows - 2));
        // Where there is no room for all, those that are furthest are the ones at work.
        const std::size_t hidden =
            live.size() > room ? live.size() - (room - (room > 1 ? 1 : 0)) : 0;
        if (hidden > 0) {
            std::ranges::sort(live, std::greater<>{}, &ProgressLine::percent);
            live.resize(live.size() - hidden);
        }
        std::string text = erase();
        shown_ = 0;
        for (const ProgressLine* line : live) {
            text += render(*line, style_) + "\n";
            ++shown_;
        }
        if (hidden > 0) {
            text += fit(fmt::format("and {} more", hidden), style_.columns - 1) + "\n";
            ++shown_;
        }
        put(out_, text);
    }

    void say(const std::string& line) override {
        clear();
        put(out_, line + "\n");
    }

    void clear() override {
        put(out_, erase());
        shown_ = 0;
    }

  private:
    std::string erase() const {
        // To the first column of the first live line, then erase to the end of the screen.
        return shown_ > 0 ? fmt::format("\x1b[{}A\r\x1b[J", shown_) : std::string();
    }

    std::FILE* out_;
    LineStyle style_;
    int shown_ = 0;
    std::chrono::steady_clock::time_point drawn_at_;
};

// A line when a file's step changes or it has come ten percent further.
class PlainDisplay final : public ProgressDisplay {
  public:
    PlainDisplay(std::FILE* out, bool quiet) : out_(out), quiet_(quiet) {}

    void update(std::span<const ProgressLine> lines) override {
        if (quiet_) {
            return;
        }
        last_.resize(std::max(last_.size(), lines.size()));
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const ProgressLine& line = lines[i];
            const int tenth = static_cast<int>(line.percent / 10);
            if (line.ended || (last_[i].step == line.step && tenth <= last_[i].tenth)) {
                continue;
            }
            last_[i] = {line.step, std::max(tenth, last_[i].tenth)};
            put(out_, fmt::format("{}: {} %, {}\n", line.name, static_cast<int>(line.percent),
                                  line.stage));
        }
    }

    void say(const std::string& line) override { put(out_, line + "\n"); }
    void clear() override {}

  private:
    struct Last {
        std::string step;
        int tenth = 0;
    };
    std::FILE* out_;
    bool quiet_;
    std::vector<Last> last_;
};

std::string bar(double percent, int width, bool unicode) {
    std::string out;
    const double filled = std::clamp(percent, 0.0, 100.0) / 100 * width;
    for (int i = 0; i < width; ++i) {
        if (filled >= i + 1) {
            out += unicode ? "█" : "#";
        } else if (unicode && filled > i) {
            constexpr std::string_view kEighths[] = {"░", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
            out += kEighths[static_cast<int>((filled - i) * 8)];
        } else {
            out += unicode ? "░" : ".";
        }
    }
    return out;
}

}  // namespace

std::string duration_text(double seconds) {
    const auto whole = static_cast<long long>(std::ceil(std::max(0.0, seconds)));
    if (whole < 60) {
        return fmt::format("{} s", whole);
    }
    if (whole < 3600) {
        return fmt::format("{}:{:02} min", whole / 60, whole % 60);
    }
    return fmt::format("{}:{:02}:{:02} h", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string render(const ProgressLine& line, const LineStyle& style) {
    // The last column stays free: some terminals wrap when it is written.
    const int columns = style.columns - 1;
    const std::string percent = fmt::format("{:3} %", static_cast<int>(line.percent));
    constexpr int kPercentWidth = 5;
    const int name_width = std::clamp(columns / 3, 0, std::max(display_width(line.name), 12));
    if (columns < 40) {
        return fit(fit_and_pad(line.name, std::max(0, columns - kPercentWidth - 1)) + " " + percent,
                   columns);
    }
    const int bar_width = columns >= 70 ? 20 : 8;
    std::string out = fit_and_pad(line.name, name_width) + " ";
    if (style.colour) {
        out += "\x1b[32m" + bar(line.percent, bar_width, style.unicode) + "\x1b[0m";
    } else {
        out += bar(line.percent, bar_width, style.unicode);
    }
    out += " " + percent;
    std::string rest = "  " + line.stage;
    if (line.eta_seconds) {
        rest += ", " + duration_text(*line.eta_seconds) + " left";
    }
    return out + fit(rest, columns - name_width - 1 - bar_width - 1 - kPercentWidth);
}

std::unique_ptr<ProgressDisplay> make_progress_display(std::FILE* out, bool quiet) {
    const char* term = std::getenv("TERM");
    const bool moves = term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
    if (!quiet && moves && isatty(fileno(out)) == 1) {
        return std::make_unique<LiveDisplay>(out);
    }
    return std::make_unique<PlainDisplay>(out, quiet);
}

}  // namespace durascribe::cli
