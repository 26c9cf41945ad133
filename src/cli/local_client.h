// The tasks of a data directory that this process has open.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "durascribe/cli/node.h"
#include "durascribe/cli/task_client.h"

namespace durascribe::cli {

class LocalClient final : public TaskClient {
  public:
    // Owns the node. Its engine must have been started for work to be done; list, cancel and retry
    // need the store alone.
    explicit LocalClient(std::unique_ptr<Node> node);

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
    void leave() override;
    bool goes_on_without_us() const override { return false; }

  private:
    Result<Submission> find_or_make(const SubmitRequest& request);
    Result<Submission> find_or_fetch(const SubmitRequest& request);
    Result<Submission> take_up(const ports::MediaRow& media, const SubmitRequest& request);
    Result<Submission> begin_anew(const MediaId& media, const SubmitRequest& request);
    Result<Submission> upload(class SourceFile& file, const SubmitRequest& request);
    Result<TaskStatus> status_of(const ports::TaskRow& row);

    std::unique_ptr<Node> node_;
    std::set<std::string> begun_;  // tasks of this client: force is for those before it
    std::int64_t seen_ = 0;        // the newest event waited for
};

}  // namespace durascribe::cli
