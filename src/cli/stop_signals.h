// Turns SIGINT, SIGTERM and SIGHUP into a stop request that threads can wait for.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace durascribe::cli {

// Make one in the main thread before any other thread starts: the signals are blocked in every
// thread made after it, and taken by a thread of its own. SIGPIPE is ignored: writing to a pipe
// that nobody reads is an error value like any other. A SIGHUP that the caller had ignored (nohup)
// stays so.
//
// The first signal asks to stop. A second SIGINT ends the process at once with exit code 130: the
// workers die with it, and what was committed is kept. A further SIGTERM changes nothing.
class StopSignals {
  public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    std::stop_token token() const { return stop_.get_token(); }
    bool received() const { return stop_.stop_requested(); }

    // Blocks until the first signal.
    void wait();

  private:
    void take_signals();

    std::stop_source stop_;
    std::atomic<bool> closing_ = false;
    std::jthread thread_;
};

}  // namespace durascribe::cli
