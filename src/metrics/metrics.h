// What an operator watches, counted as it happens and written in Prometheus' text format. Counters
// begin at 0 with the process. docs/operations.md says what each means.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "durascribe/domain/states.h"
#include "durascribe/engine/observer.h"

namespace durascribe::metrics {

using Seconds = std::chrono::duration<double>;

// Thread-safe; no call waits for a disk or a client. Outlives all that it is given to.
class Metrics final : public engine::Observer {
  public:
    Metrics();
    ~Metrics() override;

    // The engine's.
    void unit_done(const engine::UnitDone& unit) noexcept override;
    void attempt_failed(domain::Step step, ErrorClass cls, bool retried) noexcept override;
    void leases_expired(int units) noexcept override;
    void worker_started(domain::Lane lane, bool again) noexcept override;

    // The store's: one commit, shared by so many verbs.
    void committed(std::chrono::nanoseconds took, std::size_t verbs) noexcept;

    // Tasks, from their events. `took`: from the first start to the end, where it delivered.
    void task_started(Seconds waited) noexcept;
    void task_ended(domain::TaskState state, std::optional<Seconds> took) noexcept;

    // HTTP. `route`: its pattern, or "" where none matched. `took`: what the server itself took.
    void answered(std::string_view method, std::string_view route, int status,
                  Seconds took) noexcept;
    void connected() noexcept;
    void disconnected() noexcept;
    void received(std::size_t bytes) noexcept;
    void sent(std::size_t bytes) noexcept;

    // What is looked at when it is asked for.
    struct Now {
        int waiting = 0;            // tasks pending or retrying
        int running = 0;            // tasks processing
        Seconds oldest_waiting{0};  // 0: none waits
        int stuck = 0;              // tasks processing that no slot works on
        bool paused = false;        // the queue
        std::optional<std::int64_t> free_bytes;
        int workers_busy = 0, workers = 0;  // speech
    };
    // Of all that there is (text/plain; version=0.0.4).
    std::string text(const Now& now);

    // Every metric's name, histograms without their suffixes, sorted.
    std::vector<std::string> names() const;

  private:
    struct Families;
    std::unique_ptr<Families> families_;
};

}  // namespace durascribe::metrics
