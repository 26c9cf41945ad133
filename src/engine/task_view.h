// A task as people see it: the stored row with what is known only while it runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "durascribe/domain/progress.h"
#include "durascribe/ports/store.h"

namespace durascribe::engine {

struct StepView {
    domain::StepProgress progress;
    std::string status;  // "pending", "processing", "retrying", "completed", "partial_failure",
                         // "failed", "cancelled"
    std::optional<WallTime> started_at;
    std::optional<WallTime> completed_at;
    std::optional<ports::StoredError> error;
};

// Of a media that is fetched from a URL, and is not there yet.
struct DownloadState {
    std::int64_t bytes_done = 0;  // that are on disk
    std::optional<std::int64_t> bytes_total;
};

struct TaskView {
    ports::TaskRow row;
    double percent = 0;  // live; never below row.progress
    std::string stage;   // "Transcribing 12 of 40"
    // With the wait for a slot or for the next attempt in it; none: not known, also while the queue
    // is paused and some of it is still to be started.
    std::optional<double> eta_seconds;
    std::optional<double> predicted_seconds;  // of the whole run, were it alone; none: not known
    // The same where one speech slot serves it; its time limit follows this.
    std::optional<double> predicted_seconds_on_one_slot;
    std::optional<int> queue_position;  // 1: next; none: it does not wait
    // Until its next unit starts, where it waits for a slot; part of eta_seconds. None while the
    // queue is paused.
    std::optional<double> estimated_start_seconds;
    std::vector<StepView> steps;
    std::optional<DownloadState> download;
    int chunks_total = 0;
    int chunks_completed = 0;
    int chunks_failed = 0;
};

}  // namespace durascribe::engine
