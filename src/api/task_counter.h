// Counts tasks for the metrics, from the store's events: a subscriber of the feed with a thread of
// its own, so that a commit waits for nothing.
#pragma once

#include <stop_token>
#include <thread>

#include "durascribe/engine/engine.h"
#include "durascribe/engine/mailbox.h"
#include "durascribe/metrics/metrics.h"

namespace durascribe::api {

// Owner: the server. Thread ds-metrics, from start() to stop().
class TaskCounter {
  public:
    // The references outlive it.
    TaskCounter(engine::Engine& engine, ports::Store& store, metrics::Metrics& metrics);
    ~TaskCounter();  // stop()
    TaskCounter(const TaskCounter&) = delete;
    TaskCounter& operator=(const TaskCounter&) = delete;

    // What is committed from now on counts. Errors: the store's.
    Result<void> start();
    void stop();

  private:
    void run(std::stop_token stop);
    void catch_up(std::int64_t after, std::stop_token stop);
    void count(const ports::Event& event);

    engine::Engine& engine_;
    ports::Store& store_;
    metrics::Metrics& metrics_;
    std::unique_ptr<engine::Mailbox> mailbox_;
    int subscription_ = 0;
    std::jthread thread_;
};

}  // namespace durascribe::api
