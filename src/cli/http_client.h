// The tasks of a server that owns the data directory, over its HTTP interface.
#pragma once

#include <set>
#include <string>

#include "durascribe/cli/http_connection.h"
#include "durascribe/cli/server_file.h"
#include "durascribe/cli/task_client.h"

namespace durascribe::cli {

class HttpClient final : public TaskClient {
  public:
    explicit HttpClient(ServerAddress server);

    // Whether a server answers there, within a second.
    static bool answers(const ServerAddress& server);

    Result<Submission> submit(const SubmitRequest& request) override;
    Result<TaskStatus> status(const std::string& task_id) override;
    Result<std::string> transcript(const std::string& task_id,
                                   domain::DocumentFormat format) override;
    Result<std::vector<std::string>> warnings(const std::string& media_id) override;
    Result<std::vector<TaskStatus>> list() override;
    Result<TaskStatus> cancel(const std::string& task_id) override;
    Result<TaskStatus> retry(const std::string& task_id) override;
    Result<void> set_paused(bool paused) override;
    void wait_for_change(Millis patience, std::stop_token stop) override;
    void leave() override {}
    bool goes_on_without_us() const override { return true; }

  private:
    std::optional<Result<Submission>> take_up(const TaskStatus& task, const SubmitRequest& request);
    Result<Submission> find_or_fetch(const SubmitRequest& request);
    Result<Submission> find_or_make(const SubmitRequest& request);

    HttpConnection server_;
    std::set<std::string> begun_;  // tasks of this client: force is for those before it
};

}  // namespace durascribe::cli
