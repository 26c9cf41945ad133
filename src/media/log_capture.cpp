#include "durascribe/media/log_capture.h"

#include <algorithm>
#include <cstdarg>
#include <mutex>

extern "C" {
#include <libavutil/log.h>
}

namespace durascribe::media {
namespace {

constexpr std::size_t kBytesMax = 4096;

struct Captured {
    std::mutex mutex;
    std::string text;        // guarded by mutex
    bool early_end = false;  // guarded by mutex
};

Captured& captured() {
    static Captured the_one;
    return the_one;
}

void on_log(void* context, int level, const char* format, va_list arguments) {
    if (level > AV_LOG_WARNING) {
        return;
    }
    char line[512];
    int print_prefix = 1;
    const int length =
        av_log_format_line2(context, level, format, arguments, line, sizeof line, &print_prefix);
    if (length <= 0) {
        return;
    }
    const std::string_view text(line, std::min(static_cast<std::size_t>(length), sizeof line - 1));
    Captured& c = captured();
    const std::lock_guard lock(c.mutex);
    // Matroska's and MP4's words (libavformat/matroskadec.c, mov.c).
    if (text.find("File ended prematurely") != text.npos ||
        text.find("partial file") != text.npos) {
        c.early_end = true;
    }
    if (c.text.size() + text.size() <= kBytesMax) {
        c.text += text;
    }
}

}  // namespace

LogCapture::LogCapture() {
    Captured& c = captured();
    const std::lock_guard lock(c.mutex);
    c.text.clear();
    c.early_end = false;
    av_log_set_callback(&on_log);
}

std::string LogCapture::text() const {
    Captured& c = captured();
    const std::lock_guard lock(c.mutex);
    return c.text;
}

bool LogCapture::contains(std::string_view words) const {
    Captured& c = captured();
    const std::lock_guard lock(c.mutex);
    return c.text.find(words) != std::string::npos;
}

bool LogCapture::saw_early_end() const {
    Captured& c = captured();
    const std::lock_guard lock(c.mutex);
    return c.early_end;
}

}  // namespace durascribe::media
