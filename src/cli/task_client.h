// What the commands need of durascribe, wherever it runs: in this process (LocalClient) or in a
// server on the same data directory (HttpClient).
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/domain/pipeline.h"
#include "durascribe/domain/states.h"
#include "durascribe/domain/subtitle_formats.h"

namespace durascribe::cli {

struct TaskStatus {
    std::string id;
    std::string media_id;
    std::string title;  // the file's name, as submitted
    domain::TaskState state = domain::TaskState::pending;
    std::string step;   // "extract", "transcribe" …
    std::string stage;  // for people: "Transcribing 12 of 40"
    double percent = 0;
    std::optional<double> eta_seconds;
    int chunks_total = 0;
    int chunks_failed = 0;
    WallTime created_at;
    std::string error_code;  // empty: none
    std::string error_message;
};

struct SubmitRequest {
    std::filesystem::path file;
    std::string url;  // in place of the file, as net::WebAddress writes it; empty: the file
    domain::TaskOptions options;
    bool force = false;  // a new task, whatever was done before this client
    bool finished_only =
        false;  // only a result that is there: error request "not_finished" otherwise
    std::function<void(double percent)> on_read;  // while the file is read; may be empty
    std::stop_token stop;                         // error lost "stopped"
};

// How a submission came to its task.
enum class Found {
    started,   // a new task
    followed,  // the same work was under way
    retried,   // what failed or was interrupted of an earlier task is done again
    reused,    // an earlier task had finished
};

struct Submission {
    std::string task_id;
    Found found = Found::started;
};

// One thread at a time.
class TaskClient {
  public:
    virtual ~TaskClient() = default;

    // The task of this file with these options: file bytes and task are on disk when it returns.
    // Errors: input "file_missing", "not_a_file", "file_unreadable", "file_changed", "empty_file";
    // storage; request, as the server or the store say.
    virtual Result<Submission> submit(const SubmitRequest& request) = 0;

    virtual Result<TaskStatus> status(const std::string& task_id) = 0;
    virtual Result<std::string> transcript(const std::string& task_id,
                                           domain::DocumentFormat format) = 0;
    // What is to be known of the file beside its transcript: that it was cut off, say.
    virtual Result<std::vector<std::string>> warnings(const std::string& media_id) = 0;
    virtual Result<std::vector<TaskStatus>> list() = 0;  // newest first, at most 200
    virtual Result<TaskStatus> cancel(const std::string& task_id) = 0;
    virtual Result<TaskStatus> retry(const std::string& task_id) = 0;

    // While paused nothing new is started, and what runs goes on; kept over a restart.
    virtual Result<void> set_paused(bool paused) = 0;

    // Returns when something may have changed, after `patience`, or when asked to stop.
    virtual void wait_for_change(Millis patience, std::stop_token stop) = 0;

    // Stops following. Local work is handed back with no attempt spent; a server goes on by itself.
    virtual void leave() = 0;

    // Whether the work goes on without this process.
    virtual bool goes_on_without_us() const = 0;
};

}  // namespace durascribe::cli
