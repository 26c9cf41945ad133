// What a failpoint does in the program that is built for the campaign. By the environment:
//  * FAILPOINT_LOG=FILE: the name of each that is reached is appended to FILE, a line each.
//  * FAILPOINT_ABORT=NAME:N: the process kills itself when NAME is reached for the Nth time, with
//    nothing flushed, unwound or closed; its other threads end wherever they are.
#include "durascribe/base/failpoint.h"

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace durascribe {
namespace {

[[noreturn]] void refuse(const char* words) {
    (void)std::fprintf(stderr, "failpoint: %s\n", words);
    std::abort();
}

class Failpoints {
  public:
    Failpoints() {
        if (const char* log = std::getenv("FAILPOINT_LOG"); log != nullptr) {
            log_fd_ = ::open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
            if (log_fd_ < 0) {
                refuse("FAILPOINT_LOG cannot be written");
            }
        }
        if (const char* abort_at = std::getenv("FAILPOINT_ABORT"); abort_at != nullptr) {
            const std::string_view text = abort_at;
            const std::size_t colon = text.rfind(':');
            const char* const end = text.data() + text.size();
            if (colon == std::string_view::npos ||
                std::from_chars(text.data() + colon + 1, end, hits_left_).ptr != end ||
                hits_left_ < 1) {
                refuse("FAILPOINT_ABORT is not NAME:N");
            }
            name_ = text.substr(0, colon);
        }
    }

    void reached(std::string_view name) {
        const std::scoped_lock lock(mutex_);
        if (log_fd_ >= 0) {
            const std::string line = std::string(name) + '\n';
            if (::write(log_fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
                refuse("FAILPOINT_LOG cannot be written");
            }
        }
        if (name == name_ && --hits_left_ == 0) {
            ::kill(::getpid(), SIGKILL);
            while (true) {
                ::pause();
            }
        }
    }

  private:
    std::mutex mutex_;
    int log_fd_ = -1;
    std::string name_;
    int hits_left_ = 0;
};

}  // namespace

void failpoint_reached(const char* name) {
    static Failpoints failpoints;
    failpoints.reached(name);
}

}  // namespace durascribe
