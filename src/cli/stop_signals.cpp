#include "durascribe/cli/stop_signals.h"

#include <condition_variable>
#include <csignal>
#include <mutex>

#include <pthread.h>
#include <unistd.h>

namespace durascribe::cli {
namespace {

constexpr int kWakeUp = SIGUSR1;  // ends the thread

sigset_t taken_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, kWakeUp);
    struct sigaction hang_up{};
    if (sigaction(SIGHUP, nullptr, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN) {
        sigaddset(&set, SIGHUP);
    }
    return set;
}

}  // namespace

StopSignals::StopSignals() {
    (void)std::signal(SIGPIPE, SIG_IGN);
    const sigset_t set = taken_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    thread_ = std::jthread([this] { take_signals(); });
}

StopSignals::~StopSignals() {
    closing_ = true;
    pthread_kill(thread_.native_handle(), kWakeUp);
    thread_.join();
}

void StopSignals::take_signals() {
    const sigset_t set = taken_signals();
    while (true) {
        int signal = 0;
        if (sigwait(&set, &signal) != 0 || (signal == kWakeUp && closing_)) {
            return;
        }
        if (signal == kWakeUp) {
            continue;
        }
        if (stop_.stop_requested() && signal == SIGINT) {
            _exit(130);
        }
        stop_.request_stop();
    }
}

void StopSignals::wait() {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait(lock, token(), [] { return false; });
}

}  // namespace durascribe::cli
